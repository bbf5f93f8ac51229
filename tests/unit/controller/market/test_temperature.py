"""Temperatures of a model: between where they were and where they go, and not believed for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.market.temperature import Belief, Model, believed, moved_mc

HOUR = 3_600_000_000_000
MODEL = Model(off_mc=24_000, on_mc=-10_000, slow_ns=2 * HOUR, blind_ns=HOUR)
temperatures = st.integers(-40_000, 60_000)
spans = st.integers(0, 100 * HOUR)


@given(temperatures, spans, spans, st.booleans())
def test_temperature_moves_towards_its_end_and_never_beyond(
    mc: int, one: int, other: int, on: bool
) -> None:
    short, long = sorted((one, other))
    target = MODEL.on_mc if on else MODEL.off_mc
    ways = [abs(target - moved_mc(MODEL, mc, span, on=on)) for span in (0, short, long)]
    assert ways == sorted(ways, reverse=True)
    assert ways[0] == abs(target - mc)
    ends = sorted((mc, target))
    assert ends[0] <= moved_mc(MODEL, mc, long, on=on) <= ends[1]


def test_reading_is_believed_and_then_the_model_and_then_nobody() -> None:
    seen = believed(MODEL, None, 5_000, 0, on=False)
    assert seen == Belief(5_000, 0, 0)
    later = believed(MODEL, seen, None, HOUR, on=False)
    assert later == Belief(5_000 + 19_000 // 3, 0, HOUR)
    assert believed(MODEL, later, None, HOUR + 1, on=False) is None
    assert believed(MODEL, None, None, 0, on=True) is None


def test_reading_after_silence_is_believed_at_once() -> None:
    assert believed(MODEL, Belief(9_000, 0, HOUR), 6_000, 2 * HOUR, on=True) == Belief(
        6_000, 2 * HOUR, 2 * HOUR
    )
