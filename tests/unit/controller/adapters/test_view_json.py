"""The JSON of the API is a contract: its keys are asserted one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan

from rackgrid.adapters.view_json import encode, load_state, node_state, own_loads, rack_state
from rackgrid.core.view import (
    ClockView,
    FeedView,
    LoadView,
    MemberView,
    MeterView,
    NodeView,
    PriceView,
    RosterView,
    SupplyFlags,
    SupplyView,
    SuspectView,
    View,
)

FRIDGE = LoadView(
    "fridge", "alfa", "flexible", True, 40.1234567, 0.3, 45.0, "worth 0.300 at price 0.250", None
)
LAMP = LoadView("lamp", "bravo", "required", True, 5.0, None, 0.0, "required: always on", "welded")

VIEW = View(
    rack="shed",
    node=NodeView("00000000000000aa", "alfa", 7),
    role="broker",
    term=4,
    broker="alfa",
    broker_id="00000000000000aa",
    authority=True,
    rack_id="00000000000000cc",
    roster_version=5,
    roster=(RosterView("00000000000000aa", "alfa", 7, 12.5, 1, True, False, floor_max_w=15.0),),
    members=(
        MemberView("00000000000000bb", "bravo", "member", 5, 5.0, 6.0, 120, 8471, None),
        MemberView("00000000000000aa", "alfa", "broker", 7, 52.0, 12.5, 0, 8470, 0.5),
    ),
    price=PriceView(0.25, "EUR", 4, 19, 1.75, True),
    feed=FeedView(100.0, 57.0, 45.0, 18.5, 80.0),
    loads=(FRIDGE, LAMP),
    meters=(
        MeterView("feed", 12.1, 4.3, 52.03, 1234.5, "fresh", 0.02, 0.52, 1.0, "2026-11-26"),
        MeterView("fan", 12.1, 0.0, 0.0, 0.0, "fresh"),
    ),
    firmware=True,
    rejected={"mac": 3},
    suspects=(SuspectView("00000000000000bb", "cloned", "two machines"),),
)


def test_rack_state_has_every_key_of_the_contract() -> None:
    state = rack_state(VIEW)
    assert state["node"] == {"id": "00000000000000aa", "name": "alfa", "priority": 7}
    assert (state["role"], state["term"], state["broker"]) == ("broker", 4, "alfa")
    assert state["authority"] is True
    assert state["roster"] == [
        {
            "id": "00000000000000aa",
            "name": "alfa",
            "priority": 7,
            "floor_w": 12.5,
            "floor_max_w": 15,
            "votes": 1,
            "meters_feed": True,
            "absent": False,
            "pledged_w": 0,
            "expelled": False,
        }
    ]
    assert (state["rack_id"], state["roster_version"]) == ("00000000000000cc", 5)
    assert state["price"] == {
        "value": 0.25,
        "currency": "EUR",
        "term": 4,
        "round": 19,
        "valid_for_s": 1.75,
        "scarce": True,
    }
    assert state["feed"] == {
        "capacity_w": 100.0,
        "drawn_w": 57.0,
        "granted_w": 45.0,
        "floors_w": 18.5,
        "limit_w": 80.0,
    }
    assert state["loads"] == [load_state(FRIDGE), load_state(LAMP)]
    assert set(state) == {
        "rack", "node", "role", "term", "broker", "broker_id", "authority", "roster", "members",
        "price", "feed", "loads", "meters", "firmware", "rejected", "suspects", "rack_id",
        "roster_version", "sources", "supply", "clock",
    }  # fmt: skip


def test_rack_state_has_every_member_with_the_excess_that_is_known() -> None:
    members = json.loads(encode(rack_state(VIEW)))["members"]
    assert members[0] == {
        "id": "00000000000000bb",
        "name": "bravo",
        "role": "member",
        "priority": 5,
        "draw_w": 5.0,
        "floor_w": 6.0,
        "heard_ms": 120,
        "api_port": 8471,
        "excess_w": None,
        "share": None,
        "flagged": False,
    }
    assert members[1]["excess_w"] == 0.5


def test_rack_state_says_of_every_meter_how_far_it_may_be_believed() -> None:
    known, unknown = json.loads(encode(rack_state(VIEW)))["meters"]
    assert known == {
        "name": "feed",
        "volts": 12.1,
        "amps": 4.3,
        "watts": 52.03,
        "energy_j": 1234.5,
        "quality": "fresh",
        "uncertainty_a": 0.02,
        "uncertainty_w": 0.52,
        "accuracy_percent": 1.0,
        "calibrated": "2026-11-26",
    }
    doubts = ("uncertainty_a", "uncertainty_w", "accuracy_percent", "calibrated")
    assert [unknown[key] for key in doubts] == [None] * 4


def test_load_state_has_every_key_of_the_contract() -> None:
    assert load_state(FRIDGE) == {
        "name": "fridge",
        "node": "alfa",
        "kind": "flexible",
        "on": True,
        "level": None,
        "watts": 40.123457,
        "worth": 0.3,
        "grant_w": 45.0,
        "reason": "worth 0.300 at price 0.250",
        "fault": None,
        "verdict": None,
        "notice": None,
        "switches": None,
        "life_percent": None,
    }
    assert load_state(LAMP)["worth"] is None
    assert load_state(LAMP)["fault"] == "welded"


def test_rack_state_survives_a_round_trip_through_json() -> None:
    state = rack_state(VIEW)
    assert json.loads(encode(state)) == state


def test_rack_state_without_a_price_says_null_and_never_the_last_one() -> None:
    unknown = replace(VIEW, price=PriceView(None, "EUR", 4, 19, 0.0, False))
    assert json.loads(encode(rack_state(unknown)))["price"]["value"] is None


def test_feed_that_the_followed_broker_has_not_told_of_says_null_and_never_zero() -> None:
    unknown = replace(VIEW, feed=FeedView(100.0, None, None, 18.5))
    feed = rack_state(unknown)["feed"]
    nothing = dict.fromkeys(("drawn_w", "granted_w", "limit_w"))
    assert feed == {"capacity_w": 100.0, "floors_w": 18.5, **nothing}


def test_number_that_json_cannot_write_becomes_null() -> None:
    odd = replace(VIEW, feed=FeedView(inf, nan, -inf, 1.0))
    feed = json.loads(encode(rack_state(odd)))["feed"]
    none = dict.fromkeys(("capacity_w", "drawn_w", "granted_w", "limit_w"))
    assert feed == {**none, "floors_w": 1.0}


def test_node_state_takes_its_draw_from_its_own_line() -> None:
    state = node_state(VIEW)
    assert (state["draw_w"], state["floor_w"]) == (52.0, 12.5)
    assert state["price"] == rack_state(VIEW)["price"]
    assert "members" not in state


def test_node_state_of_a_node_that_is_not_among_the_members_says_null() -> None:
    state = node_state(replace(VIEW, members=VIEW.members[:1]))
    assert (state["draw_w"], state["floor_w"]) == (None, None)


def test_own_loads_are_those_of_this_node_alone() -> None:
    assert list(own_loads(VIEW)) == [FRIDGE]


def test_rack_state_names_the_suspects() -> None:
    named = [{"id": "00000000000000bb", "fault": "cloned", "detail": "two machines"}]
    assert rack_state(VIEW)["suspects"] == named


def test_supply_and_clock_are_null_until_they_are_known() -> None:
    state = rack_state(VIEW)
    assert (state["supply"], state["clock"]) == (None, None)
    told = SupplyView(SupplyFlags(True, False, True, None), None)
    known = replace(VIEW, supply=told, clock=ClockView(1_700_000_000_123, False))
    assert json.loads(encode(rack_state(known)))["supply"] == {
        "under_voltage": True,
        "capped": False,
        "throttled": True,
        "hot": None,
        "since_boot": None,
    }
    assert rack_state(known)["clock"] == {"unix_ms": 1_700_000_000_123, "vouched": False}
    since = replace(known, supply=SupplyView(told.now, told.now))
    assert json.loads(encode(node_state(since)))["supply"]["since_boot"]["throttled"] is True
