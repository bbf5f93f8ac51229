"""Modulating loads: stages whose worth never rises, and a level that keeps to its grant."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.modulating import Level, concave, reached, stages

CAP = 10_000_000
ladders = st.lists(
    st.tuples(st.integers(1, 20_000), st.integers(-5_000, 50_000)), min_size=1, max_size=8
).map(
    lambda parts: [
        Level(power, worth)
        for power, (_, worth) in zip(accumulate(p for p, _ in parts), parts, strict=True)
    ]
)


@given(ladders, st.integers(0, 100_000))
def test_stages_are_worth_less_and_less_and_add_up_to_levels(
    levels: list[Level], running: int
) -> None:
    steps = stages(levels, running, CAP)
    assert all(a.worth_uc >= b.worth_uc for a, b in pairwise(steps))
    sums = list(accumulate(step.power_mw for step in steps))
    assert sums == [level.power_mw for level in concave(levels)]
    assert [step.running for step in steps] == [total <= running for total in sums]


@given(ladders, st.integers(-2_000_000, 5_000_000))
def test_stages_taken_at_a_price_are_the_best_level(levels: list[Level], price: int) -> None:
    def surplus(power: int, worth: int) -> int:
        return worth * 1_000_000 - price * power

    kept = concave(levels)
    best = max([0, *(surplus(level.power_mw, level.worth_uc_per_h) for level in levels)])
    taken = [0, *(surplus(level.power_mw, level.worth_uc_per_h) for level in kept)]
    assert max(taken) == best
    count = sum(step.worth_uc >= price for step in stages(levels, 0, CAP))
    assert best - taken[count] <= levels[-1].power_mw  # a worth is rounded down to a unit


@given(ladders, st.integers(0, 200_000))
def test_reached_level_takes_no_more_than_was_granted(levels: list[Level], granted: int) -> None:
    level = reached(levels, granted)
    if level is None:
        assert granted < concave(levels)[0].power_mw
    else:
        assert level.power_mw <= granted
        assert level in levels


def test_stages_merge_what_would_be_a_mistake_to_stop_at() -> None:
    levels = [Level(10_000, 1_000), Level(20_000, 9_000), Level(30_000, 10_000)]
    assert concave(levels) == (levels[1], levels[2])
    first, second = stages(levels, 20_000, CAP)
    assert (first.worth_uc, first.power_mw, first.running) == (450_000, 20_000, True)
    assert (second.worth_uc, second.power_mw, second.running) == (100_000, 10_000, False)
