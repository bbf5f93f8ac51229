"""Fails if a line of the log is no line, or whoever reads it is waited for."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from rackgrid_firmware.log import ERROR, INFO, LINES_MAX, detached, log


def test_log_writes_one_line_whatever_the_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    log(INFO, "switched", output="fan", on=1, why="two\nlines", empty="")
    assert (
        capsys.readouterr().err == 'firmware: switched output=fan on=1 why="two lines" empty=""\n'
    )


def test_log_in_the_journal_carries_its_priority(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    log(ERROR, "failed")
    assert capsys.readouterr().err == "<3>failed\n"


def test_log_nobody_reads_any_more_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    broken = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stderr", broken)
    log(INFO, "switched")
    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):
        broken.close()


def test_detached_log_writes_all_in_its_order(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    with detached():
        for number in range(LINES_MAX):
            log(INFO, "line", number=number)
    log(INFO, "after")
    said = capfd.readouterr().err.splitlines()
    lines = [f"firmware: line number={number}" for number in range(LINES_MAX)]
    assert said == [*lines, "firmware: after"]


def test_detached_log_waits_for_no_reader_and_says_what_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if a pipe that nobody empties stops whoever logs."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    reader, writer = os.pipe()
    monkeypatch.setattr(sys, "stderr", os.fdopen(writer, "w"))
    said = bytearray()
    with detached():
        for number in range(20 * LINES_MAX):  # a pipe holds 64 kB
            log(INFO, "line", number=number, filler="x" * 64)
        drain = threading.Thread(target=_drain, args=(reader, said))
        drain.start()
    sys.stderr.close()
    drain.join(10.0)
    numbers, lost, expected = 0, 0, 0
    for line in said.decode().splitlines():
        what, (key, value) = line.split()[1], line.split()[2].split("=")
        if what == "log-lost":
            lost += int(value)
            expected += int(value)
        else:
            assert (key, int(value)) == ("number", expected), "in order, and each gap is said"
            numbers, expected = numbers + 1, expected + 1
    assert numbers >= LINES_MAX
    assert lost > 0
    assert expected == 20 * LINES_MAX


def _drain(reader: int, said: bytearray) -> None:
    while part := os.read(reader, 65536):
        said += part
    os.close(reader)
