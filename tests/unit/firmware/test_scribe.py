"""Fails if something is not written in the end, or whoever tells it has to wait."""

from __future__ import annotations

import threading

from rackgrid_firmware.scribe import Scribe


def test_scribe_writes_what_it_is_told() -> None:
    written: list[int] = []
    scribe = Scribe[int]("test", written.append)
    assert scribe.flush(0.0), "it was told nothing"
    scribe.tell(1)
    assert scribe.flush(10.0)
    scribe.tell(2)
    assert scribe.flush(10.0)
    assert written == [1, 2]


def test_scribe_that_is_busy_keeps_the_newest_and_nobody_waiting() -> None:
    begun, go_on, written = threading.Event(), threading.Event(), list[int]()

    def write(what: int) -> None:
        begun.set()
        assert go_on.wait(10.0)
        written.append(what)

    scribe = Scribe[int]("test", write)
    scribe.tell(0)
    assert begun.wait(10.0)
    for what in range(1, 100):
        scribe.tell(what)
    assert not scribe.flush(0.01)
    go_on.set()
    assert scribe.flush(10.0)
    assert written == [0, 99]
