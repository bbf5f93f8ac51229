"""Fails if a decision may contradict its own inputs, or a sound one is objected to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.adapters.story import STARTING
from tests.unit.controller.audit.lines import changed, fields, load

from rackgrid.audit import switching
from rackgrid.core.reason import Decision
from rackgrid.identity import NO_PAIR
from rackgrid.wire.vocabulary import Why

RUNNING = replace(STARTING, was_on=True, on=True, why=Why.WORTH_IT)


def made(base: Decision, why: Why, *, wanted: bool, **changes: object) -> Decision:
    """A decision with other inputs; what is no field of the decision is one of its grounds."""
    own = {k: v for k, v in changes.items() if k in Decision.__dataclass_fields__}
    grounds = {k: v for k, v in changes.items() if k not in own}
    grown = replace(base.grounds, **grounds)  # pyright: ignore[reportArgumentType]
    return replace(base, why=why, wanted=wanted, grounds=grown, **own)  # pyright: ignore[reportArgumentType]


SOUND = [
    STARTING,
    RUNNING,
    made(STARTING, Why.FIRMWARE_LOST, wanted=False, is_known=False),
    made(STARTING, Why.FAULT, wanted=False, is_barred=True, fault="locked out"),
    made(STARTING, Why.FAULT, wanted=False, fault="welded"),
    made(RUNNING, Why.REQUIRED, wanted=True, is_required=True, worth_uc=None, bid_uc=None),
    made(RUNNING, Why.LEAVING, wanted=False, is_leaving=True),
    made(STARTING, Why.LEAVING, wanted=False, is_stopping=True),
    made(RUNNING, Why.WORTH_IT, wanted=True, is_stopping=True),
    made(STARTING, Why.NO_GRANT, wanted=False, worth_uc=None, bid_uc=None),
    made(STARTING, Why.PRICE_UNKNOWN, wanted=False, price_uc=None),
    made(RUNNING, Why.PRICE_UNKNOWN, wanted=True, price_uc=None),
    made(RUNNING, Why.PRICE_UNKNOWN, wanted=True, price_uc=900_000, grant_pair=NO_PAIR),
    made(RUNNING, Why.PRICE_ABOVE_WORTH, wanted=False, price_uc=400_001),
    made(RUNNING, Why.MIN_ON, wanted=True, price_uc=400_001, is_held=True),
    made(RUNNING, Why.MIN_ON, wanted=True, price_uc=400_001, guard_ms=1, bid_uc=10_000_000),
    made(STARTING, Why.MIN_OFF, wanted=True, guard_ms=1),
    made(STARTING, Why.NO_GRANT, wanted=False, is_served=False),
    made(STARTING, Why.NO_GRANT, wanted=False, grant_ms=0),
    made(STARTING, Why.NO_GRANT, wanted=False, needs_mw=9001),
    made(STARTING, Why.DOES_NOT_FIT, wanted=False, is_served=False, is_refused=True),
    made(STARTING, Why.GRANT_EXPIRED, wanted=False, grant_ms=0, cause="deadline"),
]


@pytest.mark.parametrize("decision", SOUND, ids=lambda d: f"{d.why.name}")
def test_sound_decision_has_no_finding_and_any_other_verdict_has_one(decision: Decision) -> None:
    line = load(decision)
    assert list(switching.findings(fields(line))) == []
    assert list(switching.findings(fields(changed(line, "wanted", not decision.wanted)))) != []
    for why in Why:
        if why is not decision.why:
            lie = changed(line, "why", why.name.lower())
            assert list(switching.findings(fields(lie))) != [], why


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("to", False, "off (price_above_worth)|on (starting)"),
        ("price_uc", 400_001, "off (price_above_worth)"),
        ("worth_uc", 249_999, "off (price_above_worth)|min_on"),
        ("bid_uc", 249_999, "off (price_above_worth)"),
        ("bid_uc", 500_000, "bids 500000, is worth 400000"),
        ("grant", None, "off (no_grant)"),
        ("grant.serves", False, "off (no_grant)"),
        ("grant.mw", 5999, "its nameplate is 6000 mW"),
        ("grant.ms", 0, "a grant without time"),
        ("known", False, "nobody knows its output"),
        ("barred", True, "off (fault)"),
        ("leaving", True, "off (leaving)"),
        ("required", True, "on (required)"),
    ],
)
def test_lie_about_an_input_of_a_running_load_is_objected_to(
    path: str, value: object, said: str
) -> None:
    found = "\n".join(switching.findings(fields(changed(load(RUNNING), path, value))))
    assert any(each in found for each in said.split("|")), found


def test_required_load_that_is_off_is_a_finding() -> None:
    off = made(STARTING, Why.REQUIRED, wanted=True, is_required=True, worth_uc=None, bid_uc=None)
    assert list(switching.findings(fields(load(off)))) == ["lamp: required, and off"]
