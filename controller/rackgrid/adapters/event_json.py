"""Events as JSON: what `/api/events` tells, what the record keeps, what `rackgrid why` shows.

Integers with their units in the key, and not the floats of `/api/state`: an event carries what was
decided by, to the last unit, so that whoever doubts a decision can make it again from its line
(`rackgrid replay --verify`). Keys are added, never renamed or removed.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
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
from rackgrid.core.grant import holding_ms
from rackgrid.core.look import Look, Window
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
            return "trust", trust((action,), action.window.round)
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


def trust(windows: Sequence[NodeJudged], round_: int) -> Json:
    """Write down what became of a node in a row of windows, and by what.

    Args:
        windows: of one node, none between them left out; the last one's verdict is the line's.
        round_: which is written down next: from there on the verdict counts.
    """
    last = windows[-1]
    granted_mw, drawn_mw = last.window.proof
    return {
        **_pair(last.pair),
        "round": round_,
        "of": _node(last.node),
        "name": last.name,
        "granted_mw": granted_mw,
        "drawn_mw": drawn_mw,
        "lies": last.lies,
        "share_permille": last.share_permille,
        "flagged": last.is_flagged,
        "reason": verdict(last),
        "windows": [_window(each.window) for each in windows],
    }


def verdict(judged: NodeJudged) -> str:
    """Say in words what is held against a node."""
    if not judged.lies:
        return f"{judged.name} has kept to its grants for long: nothing is held against it"
    granted_mw, drawn_mw = judged.window.proof
    said = f"{judged.name} drew {drawn_mw / 1000:.1f} W of {granted_mw / 1000:.1f} W granted"
    if not judged.is_news:
        said = f"{judged.name} is watched"
    if not judged.is_flagged:
        return said
    again = ", again" if judged.is_news else ""
    return f"{said}{again}: its bids count {judged.share_permille / 1000:.2f} times"


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
        "said": {
            _node(node): [[step.power_mw, step.reserve_mw] for step in steps]
            for node, steps in cleared.said.items()
        },
        "at_ns": cleared.at_ns,
        "looks": {_node(node): _look(look) for node, look in cleared.looks.items()},
        "grants": [
            {
                "node": _node(each.node),
                "bid_seq": each.bid_seq,
                "mw": each.grant_mw,
                "served": each.accepted,
                "ms": cleared.lasts_ms.get(each.node, 0),
            }
            for each in cleared.allotments
        ],
    }


def _window(window: Window) -> list[object]:
    """Write down a window: its number, its end, its round, and the worst look or null."""
    worst = window.worst
    seen = None if worst is None else [worst.at_ns, worst.round, *_look(worst)]
    return [window.number, window.ended_ns, window.round, seen]


def _look(look: Look) -> list[int]:
    """Write down a look: draw, required, excess, pledged, old, and the grant: round, mW, ms."""
    grant = look.grant
    seen = [look.draw_mw, look.required_mw, look.excess_mw, look.pledged_mw, look.old_mw]
    return [*seen, grant.round, grant.power_mw, holding_ms(grant.until_ns, look.at_ns)]


def _numbers(numbers: Mapping[NodeId, int]) -> Json:
    """Name what is not 0 by its node."""
    return {_node(node): number for node, number in numbers.items() if number}


def _pair(pair: Pair) -> Json:
    return {"term": pair.term, "broker": _node(pair.node) if pair.node else ""}


def _node(node: NodeId) -> str:
    return f"{node:016x}"
