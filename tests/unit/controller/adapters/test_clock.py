from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.clock import TOLERANCE_NS, SuspendWatch, boottime_ns, monotonic_ns


@dataclass
class Machine:
    """A machine whose clocks advance by what the scheduler takes at each reading."""

    mono: int = 1_000
    slept: int = 5_000_000_000
    delays: list[int] = field(default_factory=list)

    def monotonic(self) -> int:
        self.mono += self.delays.pop(0) if self.delays else 100
        return self.mono

    def boottime(self) -> int:
        return self.monotonic() + self.slept

    def watch(self) -> SuspendWatch:
        return SuspendWatch(self.monotonic, self.boottime)


def test_clocks_never_go_back_and_boottime_is_not_behind() -> None:
    first = monotonic_ns()
    assert monotonic_ns() >= first
    assert boottime_ns() >= first


def test_suspend_watch_machine_that_never_slept_says_nothing() -> None:
    watch = SuspendWatch()
    assert [watch.slept_ns() for _ in range(100)] == [0] * 100


def test_suspend_watch_says_each_sleep_once_and_never_too_long() -> None:
    machine = Machine()
    watch = machine.watch()
    for sleep in (2_000_000_000, 30_000_000):
        machine.slept += sleep
        assert sleep - 1000 <= watch.slept_ns() <= sleep
        assert watch.slept_ns() == 0


def test_suspend_watch_short_sleeps_add_up() -> None:
    machine = Machine()
    watch = machine.watch()
    said = 0
    for _ in range(10):
        machine.slept += TOLERANCE_NS // 2
        said += watch.slept_ns()
    assert said > 4 * TOLERANCE_NS


@given(st.lists(st.integers(0, 10**10), max_size=60))
def test_suspend_watch_preempted_readings_are_no_sleep(delays: list[int]) -> None:
    """However long the scheduler takes between two readings, nobody slept."""
    watch = Machine(delays=delays).watch()
    assert [watch.slept_ns() for _ in range(20)] == [0] * 20
