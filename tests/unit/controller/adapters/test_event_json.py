"""Fails if an event leaves out what its decision was made of, or changes a unit of it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.unit.controller.adapters.story import (
    PAIR,
    SECOND,
    STARTING,
    cleared,
    decided,
    judged,
    priced,
)

from rackgrid.adapters.event_json import (
    decision,
    event,
    inputs,
    rfc3339,
    round_shape,
    trust,
    verdict,
)
from rackgrid.core.action import Left, Noted, PriceLost, PriceSent, RoleChanged
from rackgrid.core.reason import Grounds
from rackgrid.identity import NO_PAIR, NodeId, Pair
from rackgrid.market.curve import Step
from rackgrid.wire.message import StepReport
from rackgrid.wire.vocabulary import Role


def test_event_of_a_decision_has_its_rule_its_sentence_and_its_numbers() -> None:
    named = event(decided())
    assert named is not None
    kind, fields = named
    assert (kind, fields["load"], fields["why"]) == ("load", "lamp", "starting")
    assert (fields["from"], fields["to"], fields["wanted"]) == (False, False, True)
    assert fields["reason"] == "switched on, not yet confirmed"
    assert (fields["price_uc"], fields["worth_uc"], fields["metered_mw"]) == (250_000, 400_000, 12)
    assert fields["grant"] == {
        "mw": 9000,
        "ms": 2100,
        "term": 7,
        "broker": "00000000000000bb",
        "round": 3,
        "serves": True,
    }


def test_event_every_ground_is_an_input() -> None:
    """Fails if a ground is added to decisions and not to what is told of them."""
    plain = json.dumps(inputs(STARTING))
    for name in Grounds.__dataclass_fields__:
        value = getattr(STARTING.grounds, name)
        other: object = {bool: not value, int: 77, str: "other", Pair: NO_PAIR}.get(type(value), 77)
        changed = replace(STARTING, grounds=replace(STARTING.grounds, **{name: other}))
        assert json.dumps(inputs(changed)) != plain, name


def test_event_without_a_grant_has_none() -> None:
    none = replace(STARTING, grant_mw=0, grounds=Grounds())
    assert decision(none)["grant"] is None


def test_event_of_a_round_is_the_whole_book() -> None:
    steps = (Step(400_000, 6000, 9000, running=True), Step(100_000, 5000, 5000, running=False))
    named = event(cleared(*steps, received_mj=77))
    assert named is not None
    kind, fields = named
    assert kind == "round"
    node = "00000000000000aa"
    assert fields["bids"] == [
        {
            "node": node,
            "received_mj": 77,
            "steps": [[400_000, 6000, 9000, True], [100_000, 5000, 5000, False]],
        }
    ]
    assert fields["offers"] == [["grid", 250_000, 60_000]]
    assert (fields["served"], fields["unfit"], fields["allotted_mw"]) == (
        {node: 1},
        {},
        {node: 9000},
    )
    assert (fields["price_uc"], fields["marginal"], fields["exact"]) == (250_000, "grid", True)
    assert fields["grants"] == [{"node": node, "bid_seq": 5, "mw": 9000, "served": 1, "ms": 0}]
    json.dumps(fields, allow_nan=False)


def test_event_of_the_other_actions() -> None:
    told = [
        RoleChanged(Role.BROKER, PAIR, "elected"),
        priced(),
        PriceLost(),
        Noted("careful"),
        Left(),
    ]
    kinds = [named[0] for action in told if (named := event(action))]
    assert kinds == ["role", "price", "price", "note", "left"]
    assert event(PriceLost()) == ("price", {"price_uc": None})
    assert event(PriceSent(PAIR, 3, 250_000, 5)) is None


def test_round_shape_is_that_of_the_story_and_not_of_the_noise() -> None:
    lamp = Step(400_000, 6000, 9000, running=True)
    plain = round_shape(cleared(lamp))
    trembling = replace(lamp, power_mw=6013)
    assert round_shape(cleared(trembling, round_=4, received_mj=9)) == plain
    assert round_shape(cleared(replace(lamp, worth_uc=400_001))) != plain
    assert round_shape(cleared(replace(lamp, running=False))) != plain
    assert round_shape(replace(cleared(lamp), granting=False)) != plain


def test_rfc3339_to_the_millisecond() -> None:
    assert rfc3339(1_772_366_400_123_999_999) == "2026-03-01T12:00:00.123Z"


def test_event_of_a_judgement_has_its_proof() -> None:
    seen = [90 * SECOND, 2, 10_000, 1000, 0, 0, 0, 1, 6000, 5000]
    assert event(judged()) == (
        "trust",
        {
            "term": 7,
            "broker": "00000000000000bb",
            "round": 3,
            "of": "0000000000000002",
            "name": "pi-2",
            "granted_mw": 6000,
            "drawn_mw": 9000,
            "lies": 3,
            "share_permille": 1500,
            "flagged": True,
            "reason": "pi-2 drew 9.0 W of 6.0 W granted, again: its bids count 1.50 times",
            "windows": [[3, 100 * SECOND, 3, seen]],
        },
    )


def test_event_of_windows_that_are_no_news_says_how_things_stand() -> None:
    calm = [judged(2, 1400, drawn_mw=0, is_news=False), judged(2, 1390, number=4, is_news=False)]
    line = trust(calm, 9)
    assert (line["round"], line["share_permille"], line["reason"]) == (9, 1390, "pi-2 is watched")
    windows = line["windows"]
    assert isinstance(windows, list)
    assert windows[0] == [3, 100 * SECOND, 3, None]
    assert len(windows) == 2
    assert verdict(judged(3, 1390, is_news=False)) == "pi-2 is watched: its bids count 1.39 times"


def test_event_of_a_round_says_whose_bids_count_more() -> None:
    named = event(replace(cleared(), shares={NodeId(2): 1500}))
    assert named is not None
    assert named[1]["shares"] == {"0000000000000002": 1500}


def test_event_of_a_round_has_what_trust_is_judged_by() -> None:
    steps = (StepReport(400_000, 6000, 9000, True),)
    seen = judged().window.worst
    assert seen is not None
    made = replace(
        cleared(),
        said={NodeId(2): steps},
        lasts_ms={NodeId(0xAA): 5600},
        at_ns=9,
        looks={NodeId(2): seen},
    )
    named = event(made)
    assert named is not None
    line, who = named[1], "0000000000000002"
    assert (line["said"], line["at_ns"]) == ({who: [[6000, 9000]]}, 9)
    assert line["looks"] == {who: [10_000, 1000, 0, 0, 0, 1, 6000, 5000]}
    grants = line["grants"]
    assert isinstance(grants, list)
    assert grants[0]["ms"] == 5600
