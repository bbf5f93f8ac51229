"""The rack as this node sees it: its own loads for the beacon, and the whole view for people."""

from __future__ import annotations

from collections.abc import Mapping

from rackgrid.core import board as boards
from rackgrid.core import limit as limits
from rackgrid.core.agent import Agent, worth_of
from rackgrid.core.reason import UC, sentence
from rackgrid.core.settings import MS_NS, SECOND_NS, LoadSettings
from rackgrid.core.state import State
from rackgrid.core.view import (
    FeedView,
    LoadView,
    MemberView,
    MeterView,
    NodeView,
    PriceView,
    RosterView,
    SourceView,
    SuspectView,
    View,
)
from rackgrid.identity import NO_RACK, NodeId
from rackgrid.market.honesty import WHOLE
from rackgrid.market.offer import Offer
from rackgrid.value import replace
from rackgrid.wire.message import LoadStatus, OfferReport
from rackgrid.wire.vocabulary import LoadKind, Why
from rackgrid_firmware.device import LEVEL_FULL, Accuracy, Quality, Reading
from rackgrid_firmware.link import OutputSpec, OutputState


def load_statuses(node: State, now_ns: int) -> tuple[LoadStatus, ...]:
    """This node's loads, as a beacon carries them."""
    return tuple(_status(node, load, now_ns) for load in node.settings.loads)


def view(
    node: State,
    rack: str,
    currency: str,
    rejected: dict[str, int],
    now_ns: int,
    charges: Mapping[str, float] | None = None,
    suspects: tuple[SuspectView, ...] = (),
    counted_mj: Mapping[str, int] | None = None,
) -> View:
    """Draw the whole picture.

    Args:
        rejected: datagrams dropped by reason, counted by the transport.
        charges: how full each of this node's batteries is at least, 0 to 1.
        suspects: senders with which the transport finds something wrong.
        counted_mj: what each meter has counted in all, mJ; nothing is shown of others. None: what
            its own counter says, which a restart of the firmware may set back.
    """
    followed = node.followed
    settings = node.settings
    return View(
        rack=rack,
        node=NodeView(_id(node.me), settings.name, _priority(node, node.me, settings.priority)),
        role=node.role.name.lower(),
        term=followed.term,
        broker=_name(node, followed.node) if followed.node else "",
        broker_id=_id(followed.node) if followed.node else "",
        authority=node.has_authority(now_ns),
        rack_id="" if node.roster.rack == NO_RACK else f"{node.roster.rack:016x}",
        roster_version=node.roster.version,
        roster=_roster(node, now_ns),
        members=_members(node, now_ns),
        price=_price(node.agent, currency, now_ns),
        feed=_feed(node),
        loads=_loads(node, now_ns),
        meters=_meters(node.agent, counted_mj),
        firmware=node.agent.board is not None,
        rejected=rejected,
        sources=_sources(node, charges or {}, now_ns),
        suspects=suspects,
    )


def _status(node: State, load: LoadSettings, now_ns: int) -> LoadStatus:
    agent = node.agent
    board = agent.board
    is_on, why = agent.judged.get(load.name, (False, Why.FIRMWARE_LOST))
    known = board is not None and load.output in board.outputs
    watts = boards.draw_mw(board, load.output, now_ns) if board and known else 0
    granted = agent.grant if agent.grant and load.name in agent.grant.loads else None
    reserve = boards.reserve_mw(board, load.output, now_ns) if board and known and granted else 0
    worth_uc = worth_of(agent, load, node.settings.price_cap_uc) or 0
    kind = LoadKind.REQUIRED if load.required else load.kind
    level = board.outputs[load.output].level if board and known else LEVEL_FULL
    percent = max(1, 100 * level // LEVEL_FULL) if is_on else 0
    return LoadStatus(load.name, kind, percent, watts, worth_uc, reserve, why)


def _roster(node: State, now_ns: int) -> tuple[RosterView, ...]:
    heard = {node.me, *(peer.node for peer in node.live(now_ns))}
    pledged_mw = {pledge.node: pledge.power_mw for pledge in node.roster.pledges}
    return tuple(
        RosterView(
            id=_id(line.node),
            name=line.name,
            priority=line.priority,
            floor_w=line.floor_mw / 1000,
            floor_max_w=line.floor_max_mw / 1000,
            votes=line.votes,
            meters_feed=line.meters_feed,
            absent=line.node not in heard,
            pledged_w=pledged_mw.get(line.node, 0) / 1000,
            expelled=node.roster.has_expelled(line.node),
        )
        for line in node.roster.lines
    )


def _members(node: State, now_ns: int) -> tuple[MemberView, ...]:
    board = node.agent.board
    mine = MemberView(
        id=_id(node.me),
        name=node.settings.name,
        role=node.role.name.lower(),
        priority=_priority(node, node.me, node.settings.priority),
        draw_w=boards.total_mw(board, now_ns, required_only=False) / 1000 if board else 0.0,
        floor_w=board.floor_mw / 1000 if board else 0.0,
        heard_ms=0,
        api_port=node.settings.api_port,
        excess_w=board.excess_mw / 1000 if board else None,
        share=_share(node, node.me),
        flagged=_is_flagged(node, node.me),
    )
    others = [
        MemberView(
            id=_id(p.node),
            name=p.name or _id(p.node),
            role=p.role.name.lower(),
            priority=_priority(node, p.node, p.priority),
            draw_w=p.draw_mw / 1000,
            floor_w=p.floor_mw / 1000,
            heard_ms=(now_ns - p.heard_ns) // MS_NS,
            api_port=p.api_port,
            excess_w=_reported_excess_w(node, p.node),
            share=_share(node, p.node),
            flagged=_is_flagged(node, p.node),
        )
        for p in node.live(now_ns)
    ]
    return tuple(sorted([mine, *others], key=lambda m: m.name))


def _priority(node: State, who: NodeId, claimed: int) -> int:
    """By which a node ranks: its line's, and without one what it says."""
    line = node.roster.line(who)
    return line.priority if line else claimed


def _reported_excess_w(node: State, who: NodeId) -> float | None:
    """What a member has told this broker that it draws too much."""
    account = node.office.book.accounts.get(who) if node.office else None
    return account.report.excess_mw / 1000 if account else None


def _share(node: State, who: NodeId) -> float | None:
    trust = node.office.trusts.get(who) if node.office else None
    return trust.record.share_permille / WHOLE if trust else None


def _is_flagged(node: State, who: NodeId) -> bool:
    trust = node.office.trusts.get(who) if node.office else None
    return trust is not None and trust.record.is_flagged


def _price(agent: Agent, currency: str, now_ns: int) -> PriceView:
    price = agent.price
    if price is None or price.until_ns <= now_ns:
        return PriceView(None, currency, 0, 0, 0.0, scarce=False)
    left_s = (price.until_ns - now_ns) / SECOND_NS
    return PriceView(
        price.price_uc / UC, currency, price.pair.term, price.round, left_s, scarce=price.scarce
    )


def _feed(node: State) -> FeedView:
    price, agreed = node.last_price, node.roster.limit
    limit_w = agreed.power_mw / 1000 if agreed.version else None
    if price is None or price.pair != node.followed:
        floors_w = node.roster.floors_mw / 1000
        capacity_mw = limits.bounded_mw(node.settings.capacity_mw, [node.agent.limit])
        return FeedView(capacity_mw / 1000, None, None, floors_w, limit_w)
    return FeedView(
        price.capacity_mw / 1000,
        price.drawn_mw / 1000,
        price.granted_mw / 1000,
        price.floors_mw / 1000,
        limit_w,
    )


def _loads(node: State, now_ns: int) -> tuple[LoadView, ...]:
    price = node.agent.price
    price_uc = price.price_uc if price and price.until_ns > now_ns else None
    name, board = node.settings.name, node.agent.board
    outputs = {load.name: load.output for load in node.settings.loads}
    views: list[LoadView] = []
    for status in load_statuses(node, now_ns):
        output = outputs.get(status.name, "")
        state = None if board is None else board.outputs.get(output)
        if board is None or state is None:
            views.append(_load(status, name, price_uc))
        else:
            views.append(_own_load(status, name, price_uc, board.specs[output], state))
    for peer in node.live(now_ns):
        name = peer.name or _id(peer.node)
        views.extend(_load(status, name, price_uc) for status in peer.loads)
    return tuple(sorted(views, key=lambda v: (v.node, v.name)))


def _own_load(
    status: LoadStatus, name: str, price_uc: int | None, spec: OutputSpec, state: OutputState
) -> LoadView:
    """Add what only this node knows of its own load; a beacon tells others that it has a fault."""
    life = boards.life_of(spec, state)
    return replace(
        _load(status, name, price_uc, boards.fault_of(state) or None),
        verdict=state.verdict.value,
        notice=boards.notice_of(state) or None,
        switches=state.switches,
        life_percent=None if life is None else 100 * life,
    )


def _load(
    status: LoadStatus, node_name: str, price_uc: int | None, fault: str | None = None
) -> LoadView:
    worth_uc = None if status.kind is LoadKind.REQUIRED else status.worth_uc
    is_barred = status.why is Why.FAULT
    why = sentence(status.why, price_uc, worth_uc, status.grant_mw)
    return LoadView(
        name=status.name,
        node=node_name,
        kind=status.kind.name.lower(),
        on=status.on,
        watts=status.watts_mw / 1000,
        worth=None if worth_uc is None else worth_uc / UC,
        grant_w=status.grant_mw / 1000,
        level=status.level / 100 if status.kind is LoadKind.MODULATING and status.on else None,
        reason=f"off: {fault}" if is_barred and fault else why,
        fault=fault or ("latched" if is_barred else None),
    )


def _sources(node: State, charges: Mapping[str, float], now_ns: int) -> tuple[SourceView, ...]:
    """This node's own sources and, of a broker, those that living members report."""

    def shown(who: str, said: Offer | OfferReport, charge: float | None = None) -> SourceView:
        return SourceView(said.source, who, said.price_uc / UC, said.power_mw / 1000, charge)

    own = node.agent.offers
    views = [shown(node.settings.name, said, charges.get(said.source)) for said in own]
    reported = (
        {n: a.report.offers for n, a in node.office.book.accounts.items()} if node.office else {}
    )
    for peer in node.live(now_ns):
        views += (shown(peer.name or _id(peer.node), said) for said in reported.get(peer.node, ()))
    return tuple(sorted(views, key=lambda view: (view.name, view.node)))


def _meters(agent: Agent, counted_mj: Mapping[str, int] | None) -> tuple[MeterView, ...]:
    board = agent.board
    readings = sorted(board.readings.values(), key=lambda r: r.meter) if board else ()
    views = (meter_view(r, board.accuracy.get(r.meter) if board else None) for r in readings)
    if counted_mj is None:
        return tuple(views)
    return tuple(replace(each, energy_j=_joules(counted_mj.get(each.name))) for each in views)


def _joules(energy_mj: int | None) -> float | None:
    return None if energy_mj is None else energy_mj / 1000


def meter_view(reading: Reading, accuracy: Accuracy | None) -> MeterView:
    """Show a reading, with how far it may be believed."""
    watts, quality = reading.watts, reading.quality
    plain = MeterView(
        name=reading.meter,
        volts=reading.volts,
        amps=reading.amps,
        watts=watts,
        energy_j=reading.energy_mj / 1000,
        quality=quality.value,
        calibrated=accuracy.calibrated if accuracy else "",
    )
    if accuracy is None or quality is Quality.SATURATED:
        return plain
    doubt_w = accuracy.of_watts(reading.volts, reading.amps)
    return replace(
        plain,
        uncertainty_a=accuracy.of_amps(reading.amps),
        uncertainty_w=doubt_w,
        accuracy_percent=100 * doubt_w / abs(watts) if watts else None,
    )


def _name(node: State, who: NodeId) -> str:
    if who == node.me:
        return node.settings.name
    peer = node.peers.get(who)
    line = node.roster.line(who)
    return (peer.name if peer else "") or (line.name if line else "") or _id(who)


def _id(node: NodeId) -> str:
    return f"{node:016x}"
