"""Who vouches for the time of day."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rackgrid.adapters.wall import LOOK_NS, WallClock, kernel_is_synchronised


class Times:
    """A monotonic clock that is set by hand."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def clock(folder: Path, times: Times, *, trusted: bool = False, kernel: bool = False) -> WallClock:
    return WallClock(
        trusted=trusted,
        timesyncd=folder / "synchronized",
        kernel=lambda: kernel,
        monotonic=times,
    )


@pytest.mark.parametrize("by", ["trusted", "kernel", "timesyncd"])
def test_time_is_told_once_somebody_vouches_for_it(tmp_path: Path, by: str) -> None:
    if by == "timesyncd":
        (tmp_path / "synchronized").touch()
    told = clock(tmp_path, Times(), trusted=by == "trusted", kernel=by == "kernel")()
    assert told is not None
    assert abs(told - time.time_ns()) < 60_000_000_000


def test_time_is_not_known_before_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = Times()
    asked = clock(tmp_path, times)
    for step in range(3):
        times.now_ns = step * LOOK_NS
        assert asked() is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "trust_clock" in caplog.text


def test_time_is_looked_for_now_and_then_and_believed_from_there_on(tmp_path: Path) -> None:
    times = Times()
    asked = clock(tmp_path, times)
    assert asked() is None
    (tmp_path / "synchronized").touch()
    times.now_ns = LOOK_NS - 1
    assert asked() is None
    times.now_ns = LOOK_NS
    assert asked() is not None
    (tmp_path / "synchronized").unlink()
    times.now_ns = 2 * LOOK_NS
    assert asked() is not None


def test_kernel_answers_with_what_adjtimex_says() -> None:
    """Python has no adjtimex; the return value says the same as the flag: 5 is TIME_ERROR."""
    import ctypes

    libc = ctypes.CDLL(None)
    state = libc.adjtimex(ctypes.create_string_buffer(208))
    assert kernel_is_synchronised() == (0 <= state < 5)
