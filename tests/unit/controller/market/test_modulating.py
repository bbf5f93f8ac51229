"""Modulating loads: stages whose worth never rises, and a level that keeps to its grant."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.curve import Step
from rackgrid.market.modulating import Ladder, Level, concave, ladder, served, stages

CAP = 10_000_000
ladders = st.lists(
    st.tuples(st.integers(1, 20_000), st.integers(-5_000, 50_000)), min_size=1, max_size=8
).map(
    lambda parts: [
        Level(power, worth)
        for power, (_, worth) in zip(accumulate(p for p, _ in parts), parts, strict=True)
    ]
)


def whole(reserve_mw: int = 100_000, *, running: bool) -> Step:
    return Step(70, 50_000, reserve_mw, running)


@given(ladders)
def test_stages_are_worth_less_and_less_and_add_up_to_levels(levels: list[Level]) -> None:
    made = ladder(levels, CAP)
    assert made is not None
    assert all(a >= b for a, b in pairwise(made.worths_uc))
    assert list(made.powers_mw) == [level.power_mw for level in concave(levels)]
    steps = stages(made, whole(running=True), 0)
    assert list(accumulate(step.power_mw for step in steps)) == list(made.powers_mw)
    assert [step.worth_uc for step in steps] == [70, *made.worths_uc[1:]]


@given(ladders, st.integers(0, 9))
def test_first_stage_reserves_all_and_a_load_starts_at_its_least_level(
    levels: list[Level], reached: int
) -> None:
    """Fails if a pulse could take watts that were given to somebody else."""
    made = ladder(levels, CAP)
    assert made is not None
    off = stages(made, whole(running=False), reached)
    assert off == (Step(70, made.powers_mw[0], 100_000, running=False),)
    first, *later = stages(made, whole(running=True), reached)
    assert first == Step(70, made.powers_mw[0], 100_000, running=True)
    assert all(step.reserve_mw == 0 for step in later)
    assert [step.running for step in later] == [n <= reached for n in range(2, len(later) + 2)]


@given(ladders, st.integers(-2_000_000, 5_000_000))
def test_stages_taken_at_a_price_are_the_best_level(levels: list[Level], price: int) -> None:
    def surplus(power: int, worth: int) -> int:
        return worth * 1_000_000 - price * power

    kept, made = concave(levels), ladder(levels, CAP)
    assert made is not None
    best = max([0, *(surplus(level.power_mw, level.worth_uc_per_h) for level in levels)])
    taken = [0, *(surplus(level.power_mw, level.worth_uc_per_h) for level in kept)]
    assert max(taken) == best
    count = sum(worth >= price for worth in made.worths_uc)
    assert best - taken[count] <= levels[-1].power_mw  # a worth is rounded down to a unit


def test_stages_merge_what_would_be_a_mistake_to_stop_at() -> None:
    levels = [Level(10_000, 1_000), Level(20_000, 9_000), Level(30_000, 10_000)]
    assert concave(levels) == (levels[1], levels[2])
    assert ladder(levels, CAP) == Ladder((20_000, 30_000), (450_000, 100_000))
    assert ladder(levels, 200_000) == Ladder((20_000, 30_000), (200_000, 100_000))


def test_load_without_levels_has_no_ladder() -> None:
    assert ladder([], CAP) is None


def test_served_stages_count_up_to_the_first_that_is_refused() -> None:
    owners = ("fan", "lamp", "fan", "fan", "pump")
    assert served(owners, 0b11111) == {"fan": 3, "lamp": 1, "pump": 1}
    assert served(owners, 0b01011) == {"fan": 1, "lamp": 1}
    assert served(owners, 0b11100) == {"pump": 1}
    assert served((), 7) == {}
