"""Events as JSON: what `/api/events` tells, what the record keeps, what `rackgrid why` shows.

Integers with their units in the key, and not the floats of `/api/state`: an event carries what was
decided by, to the last unit, so that whoever doubts a decision can make it again from its line
(`rackgrid replay --verify`). Keys are added, never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime

from rackgrid.adapters.view_json import Json
from rackgrid.core.action import (
    Action,
    Left,
    LoadDecided,
    NodeJudged,
    Noted,
    PriceApplied,
    PriceLost,
    RoleChanged,
    RoundCleared,
)
from rackgrid.core.reason import Decision, sentence
from rackgrid.identity import NodeId, Pair


def event(action: Action) -> tuple[str, Json] | None:
    """Name the event that an action is, and give its fields; None if it is none for people."""
    match action:
        case RoleChanged():
            role = action.role.name.lower()
            return "role", {"role": role, **_pair(action.pair), "cause": action.cause}
        case PriceApplied():
            price: Json = {"price_uc": action.price_uc, **_pair(action.pair)}
            valid_ms = action.valid_for_ns // 1_000_000
            scarce = action.scarce
            return "price", {**price, "round": action.round, "valid_ms": valid_ms, "scarce": scarce}
        case PriceLost():
            return "price", {"price_uc": None}
        case RoundCleared():
            return "round", _round(action)
        case NodeJudged():
            return "trust", _trust(action)
        case LoadDecided():
            return "load", decision(action.decision)
        case Noted():
            return "note", {"text": action.text}
        case Left():
            return "left", {}
        case _:
            return None


def decision(made: Decision) -> Json:
    """Write down a decision with all its inputs."""
    why = sentence(made.why, made.price_uc, made.worth_uc, made.grant_mw)
    return {
        "load": made.load,
        "from": made.was_on,
        "to": made.on,
        "wanted": made.wanted,
        "why": made.why.name.lower(),
        "reason": why,
        **inputs(made),
    }


def inputs(made: Decision) -> Json:
    """Write down what a decision rests on."""
    grounds = made.grounds
    grant: Json | None = None
    if grounds.grant_ms:
        grant = {
            "mw": made.grant_mw,
            "ms": grounds.grant_ms,
            **_pair(grounds.grant_pair),
            "round": grounds.grant_round,
            "serves": grounds.is_served,
        }
    return {
        "price_uc": made.price_uc,
        **_pair(made.pair),
        "round": made.round,
        "worth_uc": made.worth_uc,
        "bid_uc": grounds.bid_uc,
        "grant": grant,
        "needs_mw": grounds.needs_mw,
        "nominal_mw": grounds.nominal_mw,
        "learned_mw": grounds.learned_mw,
        "metered_mw": grounds.metered_mw,
        "guard_ms": grounds.guard_ms,
        "fault": grounds.fault,
        "cause": grounds.cause,
        "since_ns": grounds.since_ns,
        "known": grounds.is_known,
        "required": grounds.is_required,
        "planned": grounds.is_planned,
        "leaving": grounds.is_leaving,
        "stopping": grounds.is_stopping,
        "barred": grounds.is_barred,
        "held": grounds.is_held,
        "refused": grounds.is_refused,
    }


def verdict(judged: NodeJudged) -> str:
    """Say in words what is held against a node."""
    if not judged.lies:
        return f"{judged.name} has kept to its grants for long: nothing is held against it"
    drew = f"{judged.drawn_mw / 1000:.1f} W"
    said = f"{judged.name} drew {drew} of {judged.granted_mw / 1000:.1f} W granted"
    if not judged.is_flagged:
        return said
    return f"{said}, again: its bids count {judged.share_permille / 1000:.2f} times"


def round_shape(cleared: RoundCleared) -> Hashable:
    """Say what a round is apart from what its meters tremble by.

    Two rounds of one shape tell the same story: who bid what worth and ran, who offered at what
    price, and what came of it. Metered power differs from round to round, twice a second; a record
    of that would be a record of noise.
    """
    clearing = cleared.clearing
    return (
        cleared.pair,
        cleared.granting,
        cleared.floors_mw,
        cleared.capacity_mw,
        cleared.price_cap_uc,
        tuple((b.bidder, tuple((s.worth_uc, s.running) for s in b.steps)) for b in cleared.bids),
        tuple((offer.source, offer.price_uc) for offer in cleared.offers),
        (clearing.price_uc, clearing.scarce, clearing.overcommitted, clearing.marginal),
        tuple(sorted(clearing.served.items())),
        tuple(sorted(clearing.unfit.items())),
        tuple((each.node, each.accepted) for each in cleared.allotments),
    )


def rfc3339(wall_ns: int) -> str:
    """Write Unix time, ns, as people and programs read it, to the millisecond."""
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns // 1_000_000:03d}Z"


def _round(cleared: RoundCleared) -> Json:
    clearing = cleared.clearing
    return {
        **_pair(cleared.pair),
        "round": cleared.round,
        "granting": cleared.granting,
        "floors_mw": cleared.floors_mw,
        "capacity_mw": cleared.capacity_mw,
        "room_mw": cleared.room_mw,
        "price_cap_uc": cleared.price_cap_uc,
        "bids": [
            {
                "node": _node(bid.bidder),
                "received_mj": bid.received_mj,
                "steps": [
                    [step.worth_uc, step.power_mw, step.reserve_mw, step.running]
                    for step in bid.steps
                ],
            }
            for bid in cleared.bids
        ],
        "offers": [[offer.source, offer.price_uc, offer.power_mw] for offer in cleared.offers],
        "price_uc": clearing.price_uc,
        "scarce": clearing.scarce,
        "overcommitted": clearing.overcommitted,
        "served": _numbers(clearing.served),
        "unfit": _numbers(clearing.unfit),
        "allotted_mw": _numbers(clearing.allotted_mw),
        "served_mw": clearing.served_mw,
        "reserved_mw": clearing.reserved_mw,
        "marginal": clearing.marginal,
        "welfare": clearing.welfare,
        "exact": clearing.exact,
        "shares": _numbers(cleared.shares),
        "grants": [
            {
                "node": _node(each.node),
                "bid_seq": each.bid_seq,
                "mw": each.grant_mw,
                "served": each.accepted,
            }
            for each in cleared.allotments
        ],
    }


def _trust(judged: NodeJudged) -> Json:
    return {
        "of": _node(judged.node),
        "name": judged.name,
        "granted_mw": judged.granted_mw,
        "drawn_mw": judged.drawn_mw,
        "lies": judged.lies,
        "share_permille": judged.share_permille,
        "flagged": judged.is_flagged,
        "reason": verdict(judged),
    }


def _numbers(numbers: Mapping[NodeId, int]) -> Json:
    """Name what is not 0 by its node."""
    return {_node(node): number for node, number in numbers.items() if number}


def _pair(pair: Pair) -> Json:
    return {"term": pair.term, "broker": _node(pair.node) if pair.node else ""}


def _node(node: NodeId) -> str:
    return f"{node:016x}"
