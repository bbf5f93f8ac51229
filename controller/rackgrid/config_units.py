"""From what people write to what the deciding rooms count in: W to mW, currency to uc, s to ns.

The core computes in integers, so that sums are exact and every node computes the same result. This
is where floats end. Rounding never creates power: what the feed gives is rounded down.
"""

from __future__ import annotations

import math

from rackgrid.config import Config, LoadConfig, RackConfig
from rackgrid.config_check import ELECTION_S, absent_s
from rackgrid.core.settings import MS_NS, SECOND_NS, LoadSettings, NodeSettings, Timing
from rackgrid.market.offer import Offer
from rackgrid.wire.vocabulary import LoadKind

UC = 1_000_000
"""Micro-currency in one unit of currency."""
_NOISE = 1e-6
"""What a decimal fraction loses in binary: 0.3 W is 300 mW, and not 299."""


def milliwatts(power_w: float) -> int:
    """Convert supplied power, rounding down."""
    return math.floor(power_w * 1000 + _NOISE)


def microcurrency(amount: float) -> int:
    """Convert a price or a worth per kWh, to the nearest."""
    return round(amount * UC)


def nanoseconds(span_s: float) -> int:
    """Convert a span of time, to the nearest."""
    return round(span_s * SECOND_NS)


def timing(rack: RackConfig) -> Timing:
    """Return every timer of the group; those that no key sets follow the ones that are set.

    The skew by rank is 15 % of a heartbeat, so that a faster rack also elects faster; a member is
    absent after ten heartbeats, and never sooner than a second, because REMOVE is for people and
    frees nothing; a price outlives four rounds and two failovers.
    """
    heartbeat_ns = nanoseconds(rack.heartbeat_s)
    failover_s = rack.suspect * rack.heartbeat_s + ELECTION_S
    skew_ns = min(15 * MS_NS, heartbeat_ns * 15 // 100)
    return Timing(
        heartbeat_ns=heartbeat_ns,
        suspect=rack.suspect,
        skew_ns=skew_ns,
        skew_max_ns=4 * skew_ns,
        beacon_ns=nanoseconds(rack.beacon_s),
        round_ns=nanoseconds(rack.round_s),
        authority_ns=nanoseconds(rack.authority_s),
        grant_ns=nanoseconds(rack.grant_s),
        preempt=rack.preempt,
        preempt_after_ns=nanoseconds(rack.preempt_after_s),
        absent_ns=nanoseconds(absent_s(rack.heartbeat_s, rack.suspect)),
        demote_after_ns=nanoseconds(rack.demote_after_s),
        restart_ns=nanoseconds(rack.restart_s),
        price_valid_ns=max(4 * nanoseconds(rack.round_s), 2 * nanoseconds(failover_s)),
    )


def _newcomer_floor_mw(config: Config) -> int:
    """Return the largest floor that a newcomer gets: half of the feed, if nothing is said."""
    floor_w = config.rack.newcomer_floor_w
    return milliwatts(config.feed.capacity_w / 2 if floor_w is None else floor_w)


def loads(config: Config) -> tuple[LoadSettings, ...]:
    """Return the loads as the market sees them."""
    return tuple(
        LoadSettings(
            name=load.name,
            output=load.output,
            stages_uc=_stages_uc(load),
            worth_uc=0 if load.plan else None if load.worth is None else microcurrency(load.worth),
            is_planned=load.plan is not None,
            start_cost_nc=round(load.guards.start_cost * UC * 1000),
            usual_run_ns=nanoseconds(load.guards.usual_run_s),
            kind=LoadKind[load.kind.upper()],
            is_beyond_board=load.plug is not None,
        )
        for load in config.loads
    )


def _stages_uc(load: LoadConfig) -> tuple[int, ...]:
    """Let the worth of what modulates fall evenly from its first stage to its last."""
    if load.worth is None or load.worth_full is None or load.stages is None:
        return ()
    fall = (load.worth - load.worth_full) / (load.stages - 1)
    return tuple(microcurrency(load.worth - fall * at) for at in range(load.stages))


def offers(config: Config) -> tuple[Offer, ...]:
    """Return what the sources offer before anything was measured: the power that they may give.

    A source that names a meter gives what the meter says, and nothing until it has spoken.
    """
    capacity_mw = milliwatts(config.feed.capacity_w)
    return tuple(
        Offer(
            source=source.name,
            price_uc=microcurrency(source.price),
            power_mw=0 if source.meter else milliwatts(source.power_w) or capacity_mw,
        )
        for source in config.sources
    )


def node_settings(
    config: Config, *, api_port: int, terms_from: int, terms_until: int, seed: int
) -> NodeSettings:
    """Return everything that a node is told at its start.

    Args:
        config: as read.
        api_port: where the API really listens (the kernel may have chosen); 0 if it does not.
        terms_from: the first term that this boot reserved.
        terms_until: one past the last.
        seed: 64 random bits.
    """
    return NodeSettings(
        name=config.node.name,
        priority=config.node.priority,
        expect=config.rack.expect,
        capacity_mw=milliwatts(config.feed.capacity_w),
        reserve_mw=-milliwatts(-config.feed.reserve_w),
        price_cap_uc=microcurrency(config.feed.price_cap),
        loads=loads(config),
        timing=timing(config.rack),
        api_port=api_port,
        terms_from=terms_from,
        terms_until=terms_until,
        seed=seed,
        meters_feed=bool(config.feed.meter),
        voters_max=config.rack.voters_max,
        newcomer_priority=config.rack.newcomer_priority,
        newcomer_floor_mw=_newcomer_floor_mw(config),
    )
