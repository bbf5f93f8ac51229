from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import get_args

import pytest

from rackgrid.market.curve import BID_STEPS_MAX
from rackgrid.wire.message import Leave, Message, StepReport
from rackgrid.wire.vocabulary import Rejection, RejectReason

KINDS: tuple[type, ...] = get_args(Message)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_message_every_kind_is_frozen_and_slotted(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert kind.__slots__ == tuple(field.name for field in fields(kind))  # type: ignore[attr-defined]


def test_message_cannot_be_changed_once_made() -> None:
    with pytest.raises(FrozenInstanceError):
        Leave(1).floor_mw = 2  # type: ignore[misc]


def test_step_report_that_reserves_less_than_it_takes_is_refused() -> None:
    assert StepReport(1, 2, 2, True).reserve_mw == 2
    assert StepReport(1, 2, 0, True).reserve_mw == 0, "a later stage: the first reserved all"
    with pytest.raises(ValueError, match="reserves at least"):
        StepReport(1, 3, 2, True)


def test_bid_has_no_more_steps_than_an_allotment_can_name() -> None:
    assert BID_STEPS_MAX <= 32, "`Allotment.accepted` is a mask of 32 bits"


def test_reject_reasons_are_numbered_without_gaps() -> None:
    assert [reason.value for reason in RejectReason] == list(range(len(RejectReason)))
    assert Rejection(RejectReason.BAD_MAC, "x") == Rejection(RejectReason.BAD_MAC, "x")
