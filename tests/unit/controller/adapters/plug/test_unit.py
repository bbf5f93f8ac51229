"""Units as loads, over a stand-in for systemd that keeps units and timers (`fake_systemd.py`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug import fake_systemd
from tests.unit.controller.adapters.plug.fake_systemd import FakeSystemd

from rackgrid.adapters.plug import unit as units
from rackgrid.adapters.plug.unit import Unit, span_us
from rackgrid.deadman import MS_NS, SECOND_NS
from rackgrid.errors import TransportError

NAME = "burn.service"
A, B = "rackgrid-deadman-burn-a.timer", "rackgrid-deadman-burn-b.timer"


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSystemd]:
    made = FakeSystemd(tmp_path)
    monkeypatch.setenv("PATH", made.environment["PATH"])
    made.add(NAME)
    yield made
    made.close()


@pytest.fixture
def unit() -> Unit:
    return Unit(NAME, False, 300 * MS_NS, time.monotonic_ns)


@pytest.fixture
def frozen() -> Unit:
    return Unit(NAME, True, 300 * MS_NS, time.monotonic_ns)


def after(seconds: float) -> int:
    return time.monotonic_ns() + round(seconds * SECOND_NS)


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.005)


def runs(systemd: FakeSystemd) -> list[list[str]]:
    return [argv for argv in systemd.said if argv[0] == "systemd-run"]


def test_stand_in_is_found(systemd: FakeSystemd) -> None:
    assert fake_systemd.works(systemd)


def test_start_is_one_word_with_its_end(systemd: FakeSystemd, unit: Unit) -> None:
    deadline_ns = after(4)
    held = asyncio.run(unit.hold(deadline_ns, starts=True))
    assert systemd.units[NAME].is_active
    assert held is not None
    assert held.sight.on
    assert held.ends_ns < held.latest_ns <= deadline_ns
    assert list(systemd.timers) == [A]
    assert systemd.timers[A].at_s * SECOND_NS < deadline_ns
    (argv,) = runs(systemd)
    assert "--timer-property=Wants=burn.service" in argv
    assert not [said for said in systemd.said if "start" in said]


def test_unit_ends_before_the_deadline_though_nobody_is_left(
    systemd: FakeSystemd, unit: Unit
) -> None:
    deadline_ns = after(1.5)
    asyncio.run(unit.hold(deadline_ns, starts=True))
    until(lambda: not systemd.units[NAME].is_active, "the timer stops it")
    (span,) = systemd.units[NAME].spans
    assert span[1] * SECOND_NS <= deadline_ns


def test_renewal_makes_the_second_timer_before_it_takes_the_first_away(
    systemd: FakeSystemd, unit: Unit
) -> None:
    asyncio.run(unit.hold(after(3), starts=True))
    first = systemd.timers[A].at_s
    systemd.said.clear()
    asyncio.run(unit.hold(after(6), starts=False))
    assert list(systemd.timers) == [B]
    assert systemd.timers[B].at_s > first
    made = next(i for i, argv in enumerate(systemd.said) if argv[0] == "systemd-run")
    gone = next(i for i, argv in enumerate(systemd.said) if argv[-2:] == ["stop", A])
    assert made < gone
    assert "Wants" not in str(systemd.said[made])
    asyncio.run(unit.hold(after(9), starts=False))
    assert list(systemd.timers) == [A]


def test_two_timers_that_were_left_behind_become_one(systemd: FakeSystemd, unit: Unit) -> None:
    asyncio.run(unit.hold(after(5), starts=True))
    systemd.timers[B] = fake_systemd.Timer(systemd.timers[A].at_s - 1, "stop", NAME)
    held = asyncio.run(unit.hold(after(6), starts=False))
    assert held is not None
    assert len(systemd.timers) == 1


def test_renewal_starts_nothing(systemd: FakeSystemd, unit: Unit) -> None:
    assert asyncio.run(unit.hold(after(4), starts=False)) is None
    assert not systemd.units[NAME].is_active
    assert not systemd.timers


def test_too_little_time_starts_nothing(systemd: FakeSystemd, unit: Unit) -> None:
    assert asyncio.run(unit.hold(after(0.6), starts=True)) is None
    assert not runs(systemd)


def test_end_that_systemd_takes_for_another_is_no_dead_man(
    systemd: FakeSystemd, unit: Unit
) -> None:
    """In a container "since boot" may count from elsewhere."""
    systemd.offset_s = 30
    with pytest.raises(TransportError, match="did not take the end"):
        asyncio.run(unit.hold(after(4), starts=True))
    assert not systemd.units[NAME].is_active


def test_end_that_systemd_takes_for_an_earlier_one_is_the_end(
    systemd: FakeSystemd, unit: Unit
) -> None:
    systemd.offset_s = -0.5
    held = asyncio.run(unit.hold(after(4), starts=True))
    assert held is not None
    assert held.ends_ns <= systemd.timers[A].at_s * SECOND_NS


def test_release_stops_it(systemd: FakeSystemd, unit: Unit) -> None:
    asyncio.run(unit.hold(after(4), starts=True))
    assert not asyncio.run(unit.release()).on
    assert not systemd.units[NAME].is_active


def test_look_tells_what_is_left(systemd: FakeSystemd, unit: Unit) -> None:
    assert asyncio.run(unit.look()).left_ns is None
    asyncio.run(unit.hold(after(4), starts=True))
    sight = asyncio.run(unit.look())
    assert sight.on
    assert sight.left_ns is not None
    assert 2 * SECOND_NS < sight.sure_ns <= sight.left_ns < 4 * SECOND_NS


def test_freezing_thaws_and_freezes_and_never_stops(systemd: FakeSystemd, frozen: Unit) -> None:
    burn = systemd.units[NAME]
    burn.start()
    burn.freeze(True)
    assert asyncio.run(frozen.prove()) == ""
    assert not asyncio.run(frozen.look()).on
    held = asyncio.run(frozen.hold(after(1.2), starts=True))
    assert held is not None
    assert burn.draws
    until(lambda: not burn.draws, "the timer freezes it")
    assert burn.is_active
    asyncio.run(frozen.hold(after(4), starts=True))
    assert burn.draws
    assert not asyncio.run(frozen.release()).on
    assert burn.is_active


def test_freezing_starts_what_is_not_there(systemd: FakeSystemd, frozen: Unit) -> None:
    asyncio.run(frozen.prove())
    asyncio.run(frozen.hold(after(4), starts=True))
    assert systemd.units[NAME].draws


def test_unit_that_ends_in_time_is_proven(systemd: FakeSystemd, unit: Unit) -> None:
    assert asyncio.run(unit.prove()) == ""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("load_state", "not-found", "correct its name"),
        ("load_state", "masked", "correct its name"),
        ("file_state", "enabled", "systemctl disable burn.service"),
        ("file_state", "enabled-runtime", "systemctl disable burn.service"),
        ("stop_timeout", "1min 30s", "TimeoutStopSec=150ms or less"),
        ("stop_timeout", "infinity", "may take infinity to stop"),
        ("stop_timeout", "", "may take for ever to stop"),
    ],
)
def test_unit_that_nothing_ends_in_time_has_no_dead_man(
    systemd: FakeSystemd, unit: Unit, key: str, value: str, said: str
) -> None:
    setattr(systemd.units[NAME], key, value)
    assert said in asyncio.run(unit.prove())


def test_unit_that_cannot_be_frozen_has_no_dead_man(systemd: FakeSystemd, frozen: Unit) -> None:
    systemd.units[NAME].can_freeze = "no"
    assert "cannot be frozen" in asyncio.run(frozen.prove())


def test_stopping_time_is_taken_off_the_end(systemd: FakeSystemd, unit: Unit) -> None:
    asyncio.run(unit.prove())
    deadline_ns = after(4)
    asyncio.run(unit.hold(deadline_ns, starts=True))
    end_ns = round(systemd.timers[A].at_s * SECOND_NS)
    late_ns = unit.timer.late_ns
    assert deadline_ns - end_ns == pytest.approx(late_ns + 2 * 100 * MS_NS, abs=2000)


@pytest.mark.parametrize(("of_user", "said"), [(False, "--system"), (True, "--user")])
def test_every_word_goes_to_the_manager_that_has_the_unit(
    systemd: FakeSystemd, of_user: bool, said: str
) -> None:
    unit = Unit(NAME, False, 300 * MS_NS, time.monotonic_ns, of_user=of_user)
    asyncio.run(unit.prove())
    asyncio.run(unit.hold(after(4), starts=True))
    asyncio.run(unit.release())
    assert all(argv[1] == said for argv in systemd.said)
    (argv,) = runs(systemd)
    assert argv[-4:] == ["systemctl", said, "stop", NAME]


def test_what_systemd_refuses_is_said(systemd: FakeSystemd, unit: Unit) -> None:
    systemd.refuses.add("burn.service")
    with pytest.raises(TransportError, match="Interactive authentication required"):
        asyncio.run(unit.look())


def test_systemd_that_hangs_is_given_up(
    systemd: FakeSystemd, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "WORD_S", 0.3)
    systemd.hangs.add("show")
    with pytest.raises(TransportError, match="did not end within"):
        asyncio.run(unit.look())


def test_units_have_dead_men_of_their_own(systemd: FakeSystemd) -> None:
    names = ["a@b.service", "a_b.service", "a:b.service", "x" * 200 + ".service"]
    made = [Unit(name, False, 0, time.monotonic_ns)._timers[0] for name in names]
    assert len({*made}) == len(made)
    assert all(set(name) <= {*"abcdefghijklmnopqrstuvwxyz0123456789_.-"} for name in made)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1h 2min 3.5s", 3_723_500_000),
        ("250ms", 250_000),
        ("1month 1w 2d 3us", 2_629_800_000_000 + 604_800_000_000 + 172_800_000_000 + 3),
        ("", None),
        ("infinity", None),
        ("3 apples", None),
    ],
)
def test_span_is_read_as_systemctl_writes_it(text: str, us: int | None) -> None:
    assert span_us(text) == us
