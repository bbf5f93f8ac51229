"""Bids: illegal ones do not exist."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rackgrid.identity import NodeId
from rackgrid.market.curve import BID_STEPS_MAX, Bid, Step

STEP = Step(worth_uc=100, power_mw=5_000, reserve_mw=8_000, running=False)


@pytest.mark.parametrize(
    ("power_mw", "reserve_mw"),
    [
        (-1, 10),  # a load that gives
        (11, 10),  # takes more than it reserves
        (0, -1),
    ],
)
def test_step_with_impossible_power_is_refused(power_mw: int, reserve_mw: int) -> None:
    with pytest.raises(AssertionError):
        Step(worth_uc=1, power_mw=power_mw, reserve_mw=reserve_mw, running=False)


@pytest.mark.parametrize(("power_mw", "reserve_mw"), [(0, 0), (0, 10), (10, 10), (10, 0)])
def test_step_at_the_edges_is_allowed(power_mw: int, reserve_mw: int) -> None:
    step = Step(worth_uc=-5, power_mw=power_mw, reserve_mw=reserve_mw, running=True)
    assert (step.worth_uc, step.power_mw, step.reserve_mw) == (-5, power_mw, reserve_mw)


def test_bid_with_as_many_steps_as_the_mask_has_is_allowed() -> None:
    assert len(Bid(NodeId(1), (STEP,) * BID_STEPS_MAX, 0).steps) == BID_STEPS_MAX


def test_bid_with_one_step_too_many_is_refused() -> None:
    with pytest.raises(AssertionError):
        Bid(NodeId(1), (STEP,) * (BID_STEPS_MAX + 1), 0)


def test_bid_mask_fits_the_wire() -> None:
    assert (1 << BID_STEPS_MAX) - 1 < 1 << 32


def test_step_once_made_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        STEP.worth_uc = 7  # type: ignore[misc]
    assert STEP.worth_uc == 100
