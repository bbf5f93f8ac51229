"""The rack as one node sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.controller.core.ballot import heartbeat
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    RACK,
    SPECS,
    Player,
    attached,
    line,
    output,
    pair,
    reading,
    roster,
    settings,
)

from rackgrid.core import board as boards
from rackgrid.core import picture
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.view import MeterView, SourceView, View
from rackgrid.identity import Round
from rackgrid.market.honesty import LIES_MAX, Record
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Allotment, Beacon, LoadStatus, Price
from rackgrid.wire.vocabulary import LoadKind, Role, Why
from rackgrid_firmware.device import Accuracy, Quality, Verdict
from rackgrid_firmware.link import Switched, Telemetry

BERT = 9
OF = pair(4, BERT)


def seen(player: Player) -> View:
    return picture.view(player.node.state, "bench", "EUR", {}, player.now_ns)


def playing() -> Player:
    """A member under Bert's price of 0.25, with a grant for its lamp, which is on and metered."""
    bert = replace(line(BERT, 7000, 0, priority=9), name="bert")
    player = Player(settings(), remembered=pair(1), keeps=roster(ME, bert))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    pump = LoadStatus("kettle", LoadKind.FLEXIBLE, 100, 1500, 600_000, 2000, Why.WORTH_IT)
    has = player.node.state.roster.stamp
    said = Beacon("bert", 9, Role.BROKER, OF, RACK, has, 7000, 8500, 8080, (pump,))
    player.hears(BERT, said, unicast=False)
    lot = Allotment(ME, BOOT, player.node.state.agent.bid_seq, 9000, 1)
    price = Price(OF, Round(3), 250_000, 2000, 60_000, 12_000, 11_000, 14_300, True, (lot,))
    player.hears(BERT, price, unicast=False)
    now_ns = player.now_ns
    lamp = output("lamp", on=True, since_ns=now_ns, deadline_ns=now_ns + SECOND_NS)
    player.hears_firmware(Switched(now_ns, lamp, 9))
    player.hears_firmware(
        Telemetry(now_ns, (reading("m-lamp", 5.8, now_ns, energy_mj=9000),), (), 9)
    )
    return player


def test_view_of_a_node_that_has_just_started_knows_nothing() -> None:
    view = seen(Player(settings(), with_firmware=False))
    assert (view.role, view.broker, view.broker_id, view.authority) == ("joining", "", "", False)
    assert view.price.value is None
    assert (view.feed.capacity_w, view.feed.floors_w) == (60, 0)
    assert not view.firmware
    assert view.members[0].draw_w == 0
    assert [load.reason for load in view.loads] == ["the firmware does not answer"] * 3
    assert view.meters == ()


def test_view_names_the_broker_the_members_and_the_roster() -> None:
    view = seen(playing())
    assert (view.role, view.term, view.broker) == ("member", 4, "bert")
    assert view.broker_id == "0000000000000009"
    assert [(m.name, m.role, m.floor_w, m.api_port) for m in view.members] == [
        ("bert", "broker", 7.0, 8080),
        ("n5", "member", 5.0, 0),
    ]
    assert [(r.name, r.floor_w, r.votes) for r in view.roster] == [("n5", 5.0, 1), ("bert", 7.0, 0)]


def test_view_price_and_feed_are_the_brokers_word() -> None:
    view = seen(playing())
    assert (view.price.value, view.price.currency, view.price.round) == (0.25, "EUR", 3)
    assert (view.price.valid_for_s, view.price.scarce) == (2.0, True)
    assert (view.feed.capacity_w, view.feed.drawn_w) == (60.0, 14.3)
    assert (view.feed.granted_w, view.feed.floors_w) == (11.0, 12.0)


def test_view_price_expired_is_unknown_even_before_anybody_noticed() -> None:
    player = playing()
    player.now_ns += 2 * SECOND_NS
    assert seen(player).price.value is None


def test_view_feed_of_a_broker_no_longer_followed_is_not_shown() -> None:
    player = playing()
    player.hears(BERT, heartbeat(pair(5, BERT)), unicast=False)
    assert (seen(player).feed.drawn_w, seen(player).feed.floors_w) == (None, 12.0)
    assert seen(player).feed.granted_w is None, "unknown is not nothing"


def test_view_says_of_another_nodes_load_what_it_is_and_its_level() -> None:
    player = playing()
    bright = LoadStatus("panel", LoadKind.MODULATING, 40, 900, 600_000, 2000, Why.WORTH_IT)
    dark = replace(bright, name="lantern", level=0)
    has = player.node.state.roster.stamp
    said = Beacon("bert", 9, Role.BROKER, OF, RACK, has, 7000, 8500, 8080, (bright, dark))
    player.hears(BERT, said, unicast=False)
    loads = {load.name: load for load in seen(player).loads}
    panel, lantern = loads["panel"], loads["lantern"]
    assert (panel.kind, panel.on, panel.level) == ("modulating", True, 0.4)
    assert (lantern.kind, lantern.on, lantern.level) == ("modulating", False, None)


def test_view_says_the_level_of_an_own_load_that_is_dimmed() -> None:
    """Fails if the least level, or half of a percent, is told as off."""
    player = playing()
    board = player.node.state.agent.board
    assert board is not None
    for level, percent in ((1000, 100), (437, 43), (4, 1)):
        dimmed = replace(board.outputs["lamp"], level=level)
        outputs = {**board.outputs, "lamp": dimmed}
        player.node.state.agent = replace(
            player.node.state.agent, board=replace(board, outputs=outputs)
        )
        said = picture.load_statuses(player.node.state, player.now_ns)
        assert [x.level for x in said if x.name == "lamp"] == [percent]


def test_view_loads_of_all_nodes_with_their_reasons() -> None:
    loads = {load.name: load for load in seen(playing()).loads}
    lamp, fan, kettle = loads["lamp"], loads["fan"], loads["kettle"]
    assert (lamp.on, lamp.watts, lamp.worth, lamp.kind) == (True, 5.8, 0.4, "flexible")
    assert lamp.reason == "worth 0.400 at price 0.250, granted 9.0 W"
    assert (fan.kind, fan.worth, fan.reason) == ("required", None, "required: always on")
    assert (kettle.node, kettle.watts, kettle.grant_w) == ("bert", 1.5, 2.0)
    assert lamp.fault is None


def test_view_latched_fault_is_shown_with_its_load() -> None:
    player = playing()
    welded = output("lamp", verdict=Verdict.WELDED)
    player.hears_firmware(Switched(player.now_ns, welded, 9))
    lamp = next(load for load in seen(player).loads if load.name == "lamp")
    assert lamp.fault == "welded"


@pytest.mark.parametrize(
    ("bar", "fault"),
    [
        ({"fault": "overcurrent: 3.1 A"}, "overcurrent: 3.1 A"),
        ({"is_locked": True, "fault": "overcurrent: 3.1 A"}, "locked out"),
        ({"cause": "unavailable"}, "unavailable"),
    ],
)
def test_view_says_what_bars_a_load(bar: dict[str, Any], fault: str) -> None:
    player = playing()
    player.hears_firmware(Switched(player.now_ns, replace(output("fan"), **bar), 9))
    fan = next(load for load in seen(player).loads if load.name == "fan")
    assert (fan.kind, fan.on, fan.fault) == ("required", False, fault)
    assert fan.reason == f"off: {fault}"


def test_view_says_what_is_known_of_a_contact_and_of_a_load_that_is_missing() -> None:
    """Fails if wear or a load that draws nothing reaches nobody, or passes for a fault."""
    player = playing()
    worn = tuple(replace(each, contact_life=50 * (each.name == "lamp")) for each in SPECS)
    player.hears_firmware(attached(specs=worn))
    missing = replace(output("lamp", verdict=Verdict.NO_LOAD), switches=40)
    player.hears_firmware(Switched(player.now_ns, missing, 9))
    loads = {load.name: load for load in seen(player).loads if load.node == "n5"}
    lamp, fan = loads["lamp"], loads["fan"]
    assert (lamp.verdict, lamp.switches, lamp.fault) == ("no_load", 40, None)
    assert (lamp.notice or "").startswith("it draws nothing")
    assert lamp.life_percent == 80.0, "of the 50 of its profile"
    assert (fan.notice, fan.life_percent) == (None, None)
    others = [load for load in seen(player).loads if load.node != "n5"]
    assert others
    assert {(each.verdict, each.switches) for each in others} == {(None, None)}


def test_view_meters_are_what_the_firmware_read() -> None:
    (meter,) = seen(playing()).meters
    assert (meter.name, meter.volts, meter.energy_j, meter.quality) == (
        "m-lamp",
        12.0,
        9.0,
        "fresh",
    )


@pytest.mark.parametrize(("counted_mj", "energy_j"), [({"m-lamp": 70_500}, 70.5), ({}, None)])
def test_view_shows_what_was_counted_in_all_and_nothing_before_that_is_known(
    counted_mj: dict[str, int], energy_j: float | None
) -> None:
    """Fails if the firmware's own counter, which it may begin anew, is published."""
    player = playing()
    view = picture.view(player.node.state, "bench", "EUR", {}, player.now_ns, counted_mj=counted_mj)
    (meter,) = view.meters
    assert (meter.watts, meter.energy_j) == (seen(player).meters[0].watts, energy_j)


def test_view_of_the_broker_itself_has_authority() -> None:
    player = Player(settings(expect=1), remembered=pair(1))
    player.passes(SECOND_NS)
    view = seen(player)
    assert (view.role, view.broker, view.authority) == ("broker", "n5", True)


def test_view_of_a_member_has_its_own_sources_and_how_full_its_battery_is() -> None:
    player = playing()
    offers = (Offer("pack", 300_000, 30_000), Offer("grid", -10_000, 60_000))
    player.happens_offers(*offers)
    view = picture.view(player.node.state, "bench", "EUR", {}, player.now_ns, {"pack": 0.5})
    assert view.sources == (
        SourceView("grid", "n5", -0.01, 60.0),
        SourceView("pack", "n5", 0.3, 30.0, 0.5),
    )


def test_view_of_the_broker_says_who_is_flagged() -> None:
    player = Player(settings(expect=1), remembered=pair(1))
    player.passes(SECOND_NS)
    office = player.node.state.office
    assert office is not None
    (me,) = seen(player).members
    assert (me.share, me.flagged) == (1.0, False)
    trust = replace(office.trusts[ME], record=Record(LIES_MAX, 1500))
    player.node.state.office = replace(office, trusts={ME: trust})
    (me,) = seen(player).members
    assert (me.share, me.flagged) == (1.5, True)
    assert [member.share for member in seen(playing()).members] == [None, None]


def test_view_broker_without_a_name_is_shown_by_its_id() -> None:
    player = Player(settings(), remembered=pair(1))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert seen(player).broker == "0000000000000009"
    assert "0000000000000009" in [m.name for m in seen(player).members]


def test_status_of_a_load_that_the_board_does_not_have_draws_nothing() -> None:
    player = playing()
    board = player.node.state.agent.board
    assert board is not None
    lost = replace(board, outputs={}, specs={})
    player.node.state.agent = replace(player.node.state.agent, board=lost)
    statuses = picture.load_statuses(player.node.state, player.now_ns + MS_NS)
    assert [s.watts_mw for s in statuses] == [0, 0, 0]


ACCURACY = Accuracy(0.01, 0.002, 0.005, 0.004, "2026-11-26")


def believed(watts: float, quality: Quality, accuracy: dict[str, Accuracy]) -> MeterView:
    """The lamp's meter as the node shows it."""
    player = playing()
    board = player.node.state.agent.board
    assert board is not None
    read = replace(reading("m-lamp", watts, player.now_ns), quality=quality)
    board = replace(boards.read(board, {"m-lamp": read}), accuracy=accuracy)
    player.node.state.agent = replace(player.node.state.agent, board=board)
    (meter,) = seen(player).meters
    return meter


def test_view_of_a_meter_says_how_far_it_may_be_believed() -> None:
    meter = believed(6.0, Quality.FRESH, {"m-lamp": ACCURACY})
    assert meter.uncertainty_a == ACCURACY.of_amps(meter.amps)
    assert meter.uncertainty_w == ACCURACY.of_watts(meter.volts, meter.amps)
    assert meter.accuracy_percent == pytest.approx(100 * (meter.uncertainty_w or 0) / 6.0)
    assert meter.calibrated == "2026-11-26"


def test_view_of_a_meter_that_measures_nothing_has_no_percentage() -> None:
    meter = believed(0.0, Quality.FRESH, {"m-lamp": ACCURACY})
    assert (meter.uncertainty_a, meter.accuracy_percent) == (0.002, None)


@pytest.mark.parametrize(
    ("quality", "accuracy"), [(Quality.SATURATED, {"m-lamp": ACCURACY}), (Quality.FRESH, {})]
)
def test_view_of_a_meter_that_nobody_can_vouch_for_says_so(
    quality: Quality, accuracy: dict[str, Accuracy]
) -> None:
    meter = believed(6.0, quality, accuracy)
    assert (meter.uncertainty_a, meter.uncertainty_w, meter.accuracy_percent) == (None,) * 3
