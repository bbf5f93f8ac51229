"""The rack's view as JSON: what the API answers and what the bridge publishes.

The keys are a contract with people's scripts: keys are added, never renamed or removed. They are
written out rather than taken from the dataclasses, so that renaming a field inside changes nothing
outside; and because a rack is rendered in the control loop's own thread, where a recursive `asdict`
would take three times as long (forty nodes and loads: 0.27 ms against 0.95).

JSON has no infinity and no NaN: such a number is `null`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite

from rackgrid.core.view import (
    LoadView,
    MemberView,
    MeterView,
    RosterView,
    SourceView,
    SupplyFlags,
    SupplyView,
    View,
)

Json = dict[str, object]


def encode(value: Json) -> bytes:
    """Write JSON for the wire.

    Args:
        value: made by one of the functions here: finite numbers, strings, lists and objects.
    """
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def rack_state(view: View) -> Json:
    """Make the answer of `GET /api/state`: the whole rack, as this node sees it."""
    return {
        "rack": view.rack,
        **_standing(view),
        "rack_id": view.rack_id,
        "roster_version": view.roster_version,
        "roster": [_roster_line(line) for line in view.roster],
        "members": [_member(member) for member in view.members],
        "price": price(view),
        "feed": {
            "capacity_w": _number(view.feed.capacity_w),
            "drawn_w": _number(view.feed.drawn_w),
            "granted_w": _number(view.feed.granted_w),
            "floors_w": _number(view.feed.floors_w),
            "limit_w": _number(view.feed.limit_w),
        },
        "loads": [load_state(load) for load in view.loads],
        "sources": [source_state(source) for source in view.sources],
        "meters": [meter_state(meter) for meter in view.meters],
        "firmware": view.firmware,
        "rejected": dict(view.rejected),
        "suspects": [
            {"id": one.id, "fault": one.fault, "detail": one.detail} for one in view.suspects
        ],
        "supply": supply_state(view.supply),
        "clock": None
        if view.clock is None
        else {"unix_ms": view.clock.unix_ms, "vouched": view.clock.vouched},
    }


def node_state(view: View) -> Json:
    """Make the state of this node alone, as the bridge publishes it."""
    own = next((member for member in view.members if member.id == view.node.id), None)
    return {
        **_standing(view),
        "draw_w": None if own is None else _number(own.draw_w),
        "floor_w": None if own is None else _number(own.floor_w),
        "price": price(view),
        "meters": [meter_state(meter) for meter in view.meters],
        "firmware": view.firmware,
        "supply": supply_state(view.supply),
    }


def own_loads(view: View) -> Iterator[LoadView]:
    """Go through the loads of this node, as the bridge publishes them one by one."""
    return (load for load in view.loads if load.node == view.node.name)


def load_state(load: LoadView) -> Json:
    """Make the state of one load, with the reason for it."""
    return {
        "name": load.name,
        "node": load.node,
        "kind": load.kind,
        "on": load.on,
        "level": _number(load.level),
        "watts": _number(load.watts),
        "worth": _number(load.worth),
        "grant_w": _number(load.grant_w),
        "reason": load.reason,
        "fault": load.fault,
        "verdict": load.verdict,
        "notice": load.notice,
        "switches": load.switches,
        "life_percent": _number(load.life_percent),
    }


def source_state(source: SourceView) -> Json:
    """Make what a node says of a source."""
    return {
        "name": source.name,
        "node": source.node,
        "price": _number(source.price),
        "power_w": _number(source.power_w),
        "charge": _number(source.charge),
    }


def price(view: View) -> Json:
    """Make the price in force; its value is null while it is unknown."""
    return {
        "value": _number(view.price.value),
        "currency": view.price.currency,
        "term": view.price.term,
        "round": view.price.round,
        "valid_for_s": _number(view.price.valid_for_s),
        "scarce": view.price.scarce,
    }


def supply_state(supply: SupplyView | None) -> Json | None:
    """Make the state of the Pi's own supply; null on a machine that does not say."""
    if supply is None:
        return None
    since = supply.since_boot
    return {**_flags(supply.now), "since_boot": None if since is None else _flags(since)}


def _flags(flags: SupplyFlags) -> Json:
    return {
        "under_voltage": flags.under_voltage,
        "capped": flags.capped,
        "throttled": flags.throttled,
        "hot": flags.hot,
    }


def _standing(view: View) -> Json:
    """Say who this node is, what it is at this moment, and whom it follows."""
    return {
        "node": {"id": view.node.id, "name": view.node.name, "priority": view.node.priority},
        "role": view.role,
        "term": view.term,
        "broker": view.broker,
        "broker_id": view.broker_id,
        "authority": view.authority,
    }


def _roster_line(line: RosterView) -> Json:
    return {
        "id": line.id,
        "name": line.name,
        "priority": line.priority,
        "floor_w": _number(line.floor_w),
        "floor_max_w": _number(line.floor_max_w),
        "votes": line.votes,
        "meters_feed": line.meters_feed,
        "absent": line.absent,
        "pledged_w": _number(line.pledged_w),
        "expelled": line.expelled,
    }


def _member(member: MemberView) -> Json:
    return {
        "id": member.id,
        "name": member.name,
        "role": member.role,
        "priority": member.priority,
        "draw_w": _number(member.draw_w),
        "floor_w": _number(member.floor_w),
        "heard_ms": member.heard_ms,
        "api_port": member.api_port,
        "excess_w": _number(member.excess_w),
        "share": _number(member.share),
        "flagged": member.flagged,
    }


def meter_state(meter: MeterView) -> Json:
    """Make the state of one meter."""
    return {
        "name": meter.name,
        "volts": _number(meter.volts),
        "amps": _number(meter.amps),
        "watts": _number(meter.watts),
        "energy_j": _number(meter.energy_j),
        "quality": meter.quality,
        "uncertainty_a": _number(meter.uncertainty_a),
        "uncertainty_w": _number(meter.uncertainty_w),
        "accuracy_percent": _number(meter.accuracy_percent),
        "calibrated": meter.calibrated or None,
    }


def _number(value: float | None) -> float | None:
    """Round to a millionth: binary fractions are nobody's reading."""
    return None if value is None or not isfinite(value) else round(value, 6)
