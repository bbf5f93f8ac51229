"""The market's side of a round: what is bid and offered, the clearing, and how good it was.

The market is the real one, and so is what it is told: reserves with inrush, guards, metered powers,
learned nameplates, and the excess of who takes what it was refused (promise P8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rackgrid.identity import NodeId
from rackgrid.market.battery import NO_TRADE, Trade, traded
from rackgrid.market.choice import burned
from rackgrid.market.clearing import Clearing, clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.honesty import HONEST, counted
from rackgrid.market.knapsack import Settled, best_set
from rackgrid.market.modulating import served
from rackgrid.market.offer import Offer
from rackgrid.market.supply import supply_above
from rackgrid.simulation.scenario import sky
from rackgrid.simulation.scenario.library import EPOCH_NS, NODES, SUN_UC, Node
from rackgrid.simulation.scenario.run import Run
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_NS, PRICE_CAP_UC, Moment

BATTERY = "battery"
BANK = NodeId(NODES + 1)
"""Who bids for the battery."""
WELFARE_EVERY = 15
"""The optimum is looked for in every so many rounds: it takes longer than the clearing."""
WELFARE_WORK = 200_000


@dataclass(frozen=True, slots=True)
class Grant:
    """What a load was granted.

    Attributes:
        stages: how many of its steps are served; counted_mw: their reserve, as the market counts.
    """

    stages: int
    counted_mw: int


@dataclass(frozen=True, slots=True)
class Round:
    """A cleared round.

    Attributes:
        clearing: None while there is no feed.
        offers: of all sources; none while there is no feed.
        asked: whose each step is, as the bids number them.
    """

    moment: Moment
    clearing: Clearing | None
    offers: tuple[Offer, ...]
    bids: tuple[Bid, ...]
    asked: dict[NodeId, tuple[str, ...]]
    trade: Trade
    sun_mw: int

    @property
    def price_uc(self) -> int | None:
        """The price in force; None while there is no feed."""
        return self.clearing.price_uc if self.clearing else None

    @property
    def bought_mw(self) -> int:
        """What the battery takes."""
        served = self.clearing is not None and self.clearing.served.get(BANK, 0)
        return self.trade.buys_mw if served else 0

    def grants(self) -> dict[str, Grant]:
        """What each load was granted, by its name; nothing of those that were refused."""
        found: dict[str, Grant] = {}
        for bid in self.bids:
            mask = self.clearing.served.get(bid.bidder, 0) if self.clearing else 0
            names = self.asked.get(bid.bidder, ())
            for name, stages in served(names, mask).items():
                reserves = (
                    s.reserve_mw for s, of in zip(bid.steps, names, strict=True) if of == name
                )
                found[name] = Grant(stages, sum(list(reserves)[:stages]))
        return found

    def worths_uc(self) -> dict[str, int]:
        """What each load bid for its first step."""
        found: dict[str, int] = {}
        for bid in self.bids:
            for place, name in enumerate(self.asked.get(bid.bidder, ())):
                found.setdefault(name, bid.steps[place].worth_uc)
        return found


def cleared(run: Run, minute: int) -> Round:
    """Ask every load and source, and clear."""
    moment = _moment(run, minute)
    is_lost = minute % DAY_MINUTES in run.scenario.lost
    trade = _trade(run, moment)
    sun_mw = sky.sun_mw(run.scenario.sun_mw, minute, run.shades[minute])
    offers = () if is_lost else _offers(run, minute, sun_mw, trade)
    bids: list[Bid] = []
    asked: dict[NodeId, tuple[str, ...]] = {}
    for node in run.nodes:
        bid, owners = _bid(run, node, moment)
        bids.append(bid)
        asked[bid.bidder] = owners
    if trade.buys_mw:
        step = Step(trade.buys_uc, trade.buys_mw, trade.buys_mw, running=False)
        bids.append(Bid(BANK, (step,), 0))
    clearing = None
    if not is_lost:
        floors_mw, capacity_mw = limits(run)
        clearing = clear(bids, offers, floors_mw, capacity_mw, price_cap_uc=PRICE_CAP_UC)
        run.seen_uc.append(clearing.price_uc)
        if minute % WELFARE_EVERY == 0:
            _weigh(run, bids, offers, clearing)
    return Round(moment, clearing, offers, tuple(bids), asked, trade, sun_mw)


def limits(run: Run) -> tuple[int, int]:
    """The floors, and what the market may give; an excess counts like a floor (P8)."""
    floors_mw = sum(node.floor_mw for node in run.nodes) + run.excess_mw
    return floors_mw, run.scenario.capacity_mw - run.scenario.reserve_mw


def _moment(run: Run, minute: int) -> Moment:
    """Look ahead anew at the start of every slot."""
    if minute % sky.SLOT == 0:
        slot = minute % DAY_MINUTES // sky.SLOT
        if run.seen_uc:
            run.slot_uc[slot - 1] = sum(run.seen_uc) // len(run.seen_uc)
        run.seen_uc = []
        run.known = sky.expected(run.scenario.tariff, EPOCH_NS, minute, run.slot_uc)
    return Moment(minute, run.known)


def _trade(run: Run, moment: Moment) -> Trade:
    battery = run.scenario.battery
    if battery is None:
        return NO_TRADE
    return traded(battery, run.stored_mj, MINUTE_NS, moment.known)


def _offers(run: Run, minute: int, sun_mw: int, trade: Trade) -> tuple[Offer, ...]:
    offers: list[Offer] = []
    price_uc = run.scenario.tariff.price_at(EPOCH_NS + minute * MINUTE_NS)
    if price_uc is not None:
        offers.append(Offer("grid", price_uc, run.scenario.capacity_mw))
    if sun_mw:
        offers.append(Offer("sun", SUN_UC, sun_mw))
    if trade.sells_mw:
        offers.append(Offer(BATTERY, trade.sells_uc, trade.sells_mw))
    return tuple(offers)


def _bid(run: Run, node: Node, moment: Moment) -> tuple[Bid, tuple[str, ...]]:
    """Make a node's bid; what is on against the market's will is no bid but an excess."""
    record = run.records.get(node.number, HONEST)
    said = {load.name: load.steps(moment) for load in node.loads}
    kept = burned(
        {name: steps[0].worth_uc if steps else None for name, steps in said.items()},
        {load.name: load.nominal_mw for load in node.loads},
        run.scenario.burn_max_mw,
    )
    pairs = [
        (load, step)
        for load in node.loads
        if kept[load.name] is not None and load is not run.defiant
        for step in said[load.name]
    ]
    steps = tuple(counted(record, step) for _, step in pairs)
    bid = Bid(NodeId(node.number), steps, sum(load.counter_mj for load in node.loads))
    return bid, tuple(load.name for load, _ in pairs)


def _weigh(run: Run, bids: Sequence[Bid], offers: Sequence[Offer], clearing: Clearing) -> None:
    """Hold the clearing against the best set of steps, where that can be found."""
    floors_mw, capacity_mw = limits(run)
    steps = sorted((s for bid in bids for s in bid.steps), key=lambda s: -s.worth_uc)
    supply = supply_above(floors_mw, offers, capacity_mw)
    room_mw = max(0, capacity_mw - floors_mw)
    best = best_set(steps, Settled(0, 0, 0, None), supply, room_mw, 0, WELFARE_WORK)
    if best.exact:
        run.welfare += clearing.welfare
        run.optimum += best.welfare
        run.judged_rounds += 1
