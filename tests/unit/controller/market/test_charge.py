"""What is in a battery, at least: never more than the truth, and put right at both ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.battery import NS_PER_S, Battery
from rackgrid.market.charge import BLIND_NS, GAP_NS, Charge, Pack, Sight, charged, unseen

WH = 3_600_000
PACK = Pack(Battery(20 * WH, 100 * WH, 30_000, 30_000, 800, 0, (0, 0)), 14_400, 11_500)
HALF = Charge(50 * WH, 7_000, 0)


def sight(
    at_s: float, power_w: float, *, counter_mj: int = 7_000, volts: float = 12.8, doubt_w: float = 0
) -> Sight:
    return Sight(
        *(round(at_s * NS_PER_S), counter_mj, round(power_w * 1000)),
        *(round(volts * 1000), round(doubt_w * 1000)),
    )


def test_battery_seen_for_the_first_time_counts_as_empty() -> None:
    assert charged(PACK, None, sight(5, 3.0)).least_mj == 0


def test_what_it_gives_is_what_the_counter_says_and_the_doubt() -> None:
    now = charged(PACK, HALF, sight(1, 10.0, counter_mj=17_000, doubt_w=0.5))
    assert now == Charge(50 * WH - 10_000 - 500, 17_000, NS_PER_S)


def test_what_it_takes_counts_less_the_doubt_and_the_losses() -> None:
    assert charged(PACK, HALF, sight(1, -10.0, doubt_w=1.0)).least_mj == 50 * WH - 1_000 + 7_200


def test_what_it_takes_while_nobody_looks_does_not_count() -> None:
    later = charged(PACK, HALF, sight(GAP_NS / NS_PER_S + 1, -10.0))
    assert later.least_mj == 50 * WH


@pytest.mark.parametrize(
    ("after_s", "counter_mj"), [(10.0, 6_000), (BLIND_NS / NS_PER_S + 1, 7_000)]
)
def test_counter_that_may_have_begun_anew_is_no_witness(after_s: float, counter_mj: int) -> None:
    now = charged(PACK, HALF, sight(after_s, 0.0, counter_mj=counter_mj))
    assert now.least_mj == 50 * WH - 30_000 * after_s


def test_full_is_full_only_when_it_takes_next_to_nothing() -> None:
    for watts, is_full in [(-10.0, False), (-5.1, False), (-4.9, True), (0.0, True), (3.0, False)]:
        seen = charged(PACK, HALF, sight(0, watts, volts=14.4))
        assert (seen.least_mj == 100 * WH) is is_full, watts
    assert charged(PACK, HALF, sight(0, 0.0, volts=14.3)).least_mj == 50 * WH


def test_empty_is_empty_whatever_was_counted() -> None:
    assert charged(PACK, HALF, sight(0, 20.0, volts=11.5)).least_mj == 0


def test_unseen_time_may_have_taken_all_that_it_can_give() -> None:
    assert unseen(PACK.battery, 50 * WH, 60 * NS_PER_S) == 50 * WH - 30_000 * 60
    assert unseen(PACK.battery, 50 * WH, 10**18) == 0


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 90_000),  # ms until the next reading
        st.integers(-30_000, 30_000),  # true power over that time, mW
        st.integers(0, 2_000),  # doubt, mW
        st.floats(-1, 1),  # where in the doubt the meter is
    ),
    max_size=60,
)


@given(st.integers(0, 100 * WH), EVENTS)
def test_count_never_exceeds_the_truth(
    true_mj: int, events: list[tuple[int, int, int, float]]
) -> None:
    """Fails if anything counts that may not be there, whatever the meter's error and the gaps."""
    truth = true_mj * 1000.0  # in mW · ms
    charge = replace(HALF, least_mj=true_mj, counter_mj=0)
    at_ms, counter = 0, 0.0
    for span_ms, power_mw, doubt_mw, lean in events:
        at_ms += span_ms
        full = PACK.battery.high_mj * 1000
        share = 1.0 if power_mw > 0 else PACK.battery.efficiency_permille / 1000
        truth = min(max(0.0, truth - power_mw * span_ms * share), full)
        shown_mw = power_mw + round(lean * doubt_mw)
        counter += max(0, shown_mw) * span_ms / 1000
        seen = Sight(at_ms * 1_000_000, int(counter), shown_mw, 12_800, doubt_mw + 1)
        charge = charged(PACK, charge, seen)
        assert charge.least_mj <= truth / 1000 + 1
