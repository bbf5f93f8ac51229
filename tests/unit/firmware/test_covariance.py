"""Fails if what a soft feed hides from a meter is missed, taken twice, or made up."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.covariance import EVERY_NS, PAIRS_MIN, SPREAD, Covariance, Pairs

MS = 1_000_000
USUAL_NS = 68 * MS
SOON_NS = round(EVERY_NS * (1 - SPREAD / 2))
LATE_NS = round(EVERY_NS * (1 + SPREAD / 2))
OHMS, OPEN_V = 0.5, 12.0


@dataclass
class ScriptedChip:
    """A chip that is as the test says."""

    soft_ohms: float = OHMS
    is_looking: bool = False
    usual_ns: int = USUAL_NS
    period_ns: int = USUAL_NS
    missed: int = 0
    looks_until: list[int] = field(default_factory=list[int])

    def look(self, until_ns: int) -> None:
        self.looks_until.append(until_ns)


def square(steps: int, on: float, off: float, apart: float) -> Pairs:
    """Pulses of 1 A, `on` and `off` steps long; V is converted `apart` of a step after I."""
    pairs = Pairs()
    for step in range(steps):
        amps = _mean(step, on, off)
        volts = OPEN_V - OHMS * _mean(step + apart, on, off)
        pairs.add(volts, amps, follows=True)
    return pairs


def _mean(begin: float, on: float, off: float) -> float:
    """Mean over half a step, as a converter has it."""
    cycle = on + off

    def charge(at: float) -> float:
        return at // cycle * on + min(at % cycle, on)

    return (charge(begin + 0.5) - charge(begin)) / 0.5


def test_pairs_of_a_pulsing_load_show_the_dip_that_its_resistance_makes() -> None:
    """-R·var(I)/mean(I) = -0.5 · 0.24 / 0.4 V; without the line a tenth would be missing."""
    pairs = square(5000, 7.53, 11.295, 0.5)
    assert pairs.mean_a == pytest.approx(0.4, rel=0.01)
    assert pairs.dip_v() == pytest.approx(-OHMS * 0.6, rel=0.01)


def test_pairs_that_were_interrupted_are_taken_as_they_are() -> None:
    """Fails if currents from both sides of a missed conversion are put on one line."""
    broken = square(5000, 7.53, 11.295, 0.5)
    broken.breaks |= set(range(5000))
    assert broken.dip_v() == pytest.approx(-OHMS * 0.6 * (1 - 0.5 / 7.53 / 0.6), rel=0.01)


def test_pairs_that_lift_the_voltage_are_not_believed() -> None:
    """Fails if pulses faster than the chip, which look so by aliasing, make the error larger."""
    pairs = Pairs()
    for step in range(100):
        amps = float(step // 5 % 2)
        pairs.add(OPEN_V + OHMS * amps, amps, follows=True)
    assert pairs.dip_v() == 0.0


def test_too_few_pairs_say_nothing() -> None:
    pairs = Pairs()
    for step in range(PAIRS_MIN - 1):
        pairs.add(12.0 - step % 2, float(step % 2), follows=True)
    assert pairs.dip_v() == 0.0
    assert Pairs().mean_a == 0.0


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.floats(-3, 3), st.booleans()),
        min_size=PAIRS_MIN,
        max_size=99,
    )
)
def test_dip_is_never_beyond_what_was_seen(seen: list[tuple[float, float, bool]]) -> None:
    pairs = Pairs()
    for volts, amps, follows in seen:
        pairs.add(volts, amps, follows=follows)
    mean_v, dip_v = math.fsum(pairs.volts) / len(seen), pairs.dip_v()
    assert min(pairs.volts) - 1e-9 <= mean_v + dip_v <= max(pairs.volts) + 1e-9


def looked(chip: ScriptedChip, covariance: Covariance, now_ns: int) -> None:
    """Let a look at 1 A pulses happen: half of the time, 0.25 V under the mean."""
    covariance.look(now_ns)
    chip.is_looking, chip.period_ns = True, MS
    for step in range(64):
        amps = float(step // 8 % 2)
        assert covariance.watts(now_ns + step * MS, 12 - OHMS * amps, amps) == (
            (12 - OHMS * amps) * amps
        ), "V and I of a look belong together"
    chip.is_looking, chip.period_ns = False, USUAL_NS


def test_look_corrects_the_power_until_the_current_is_another() -> None:
    chip = ScriptedChip()
    covariance = Covariance(chip)
    assert covariance.watts(0, 11.75, 0.5) == 11.75 * 0.5, "nothing is known yet"
    looked(chip, covariance, 0)
    (until_ns,) = chip.looks_until
    assert USUAL_NS <= until_ns < 2 * USUAL_NS
    assert covariance.watts(USUAL_NS, 11.75, 0.5) == pytest.approx(11.5 * 0.5, rel=1e-3)
    assert covariance.watts(2 * USUAL_NS, 11.75, 0.3) == pytest.approx(11.5 * 0.3, rel=1e-3)
    assert covariance.watts(3 * USUAL_NS, 11.75, 1.2) == 11.75 * 1.2


def test_look_is_wanted_from_time_to_time() -> None:
    chip = ScriptedChip()
    covariance = Covariance(chip)
    covariance.watts(0, 12.0, 0.5)
    assert covariance.wants(0)
    looked(chip, covariance, 0)
    assert covariance.is_looking(USUAL_NS - 1)
    assert not covariance.wants(USUAL_NS - 1)
    covariance.watts(USUAL_NS, 12.0, 2.0)
    assert not covariance.wants(SOON_NS - 1)
    assert covariance.wants(LATE_NS)


def test_look_at_a_current_that_does_not_move_the_feed_is_put_off_by_a_turn() -> None:
    """Fails if a look waits for an edge: it would lose a piece of each."""
    covariance = Covariance(ScriptedChip())
    assert not covariance.wants(0), "nothing flows, as far as anybody knows"
    covariance.watts(1, 12.0, 0.5)
    assert not covariance.wants(SOON_NS - 1)
    covariance.watts(2, 12.0, 0.007)
    assert not covariance.wants(LATE_NS)
    covariance.watts(3, 12.0, 0.5)
    assert not covariance.wants(LATE_NS + SOON_NS - 1)
    assert covariance.wants(2 * LATE_NS)


def test_looks_are_in_step_with_nothing() -> None:
    """Fails if a load that pulses fast shows each look the same part of its pulse.

    10 s are 500 whole periods of 50 Hz, and 15 of a load that cycles in two thirds of a second.
    """
    chip = ScriptedChip()
    covariance = Covariance(chip)
    begins: list[int] = []
    for t_ns in range(0, 1000 * EVERY_NS, 20 * MS):
        covariance.watts(t_ns, 12.0, 0.5)
        if covariance.wants(t_ns):
            covariance.look(t_ns)
            begins.append(t_ns)
    assert len(begins) == pytest.approx(1000, rel=0.01), "as many as there should be"
    lengths = [until - begin for begin, until in zip(begins, chip.looks_until, strict=True)]
    assert all(USUAL_NS <= each < 2 * USUAL_NS for each in lengths)
    for period_ns, phases in (
        (2 * EVERY_NS // 30, begins),
        (20 * MS, chip.looks_until),
        (USUAL_NS, lengths),
    ):
        x, y = (
            math.fsum(way(math.tau * each / period_ns) for each in phases) / len(phases)
            for way in (math.cos, math.sin)
        )
        assert math.hypot(x, y) < 0.1, f"in step with {period_ns} ns"


def test_what_a_look_is_longer_than_a_cycle_is_not_taken_for_a_pulse() -> None:
    """Fails if a change is corrected that the usual readings, a cycle long, see themselves."""
    chip = ScriptedChip()
    covariance = Covariance(chip)
    covariance.watts(0, 11.75, 0.5)
    covariance.look(0)
    chip.is_looking, chip.period_ns = True, MS
    for step in range(2 * USUAL_NS // MS):
        amps = 0.5 if step <= USUAL_NS // MS else 0.0
        covariance.watts(step * MS, 12 - OHMS * amps, amps)
    chip.is_looking, chip.period_ns = False, USUAL_NS
    assert covariance.watts(3 * USUAL_NS, 11.75, 0.5) == 11.75 * 0.5


def test_start_makes_all_that_was_known_void() -> None:
    """Fails if a load that was started anew is corrected with what was before."""
    chip = ScriptedChip()
    covariance = Covariance(chip)
    covariance.watts(0, 11.75, 0.5)
    looked(chip, covariance, 0)
    chip.period_ns = MS  # it hurries
    assert covariance.watts(USUAL_NS, 11.0, 0.5) == 11.0 * 0.5
    assert not covariance.wants(USUAL_NS), "while it hurries"
    chip.period_ns = USUAL_NS
    assert covariance.watts(2 * USUAL_NS, 11.75, 0.5) == 11.75 * 0.5
    assert covariance.wants(2 * USUAL_NS)
