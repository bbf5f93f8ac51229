"""Actions to be told of: decisions, prices and rounds as a node makes them."""

from __future__ import annotations

from dataclasses import replace

from rackgrid.core.action import LoadDecided, NodeJudged, PriceApplied, RoundCleared
from rackgrid.core.grant import Claim
from rackgrid.core.look import Look, Window
from rackgrid.core.reason import Decision, Grounds
from rackgrid.identity import BootId, NodeId, Pair, Term
from rackgrid.market.clearing import clear
from rackgrid.market.curve import Bid, Step
from rackgrid.market.honesty import LIES_MAX
from rackgrid.market.offer import Offer
from rackgrid.wire.message import Allotment
from rackgrid.wire.vocabulary import Why

PAIR = Pair(Term(7), NodeId(0xBB), BootId(1))
SECOND = 1_000_000_000

STARTING = Decision(
    load="lamp",
    was_on=False,
    on=False,
    why=Why.STARTING,
    price_uc=250_000,
    worth_uc=400_000,
    grant_mw=9000,
    pair=PAIR,
    round=3,
    wanted=True,
    grounds=Grounds(
        is_known=True,
        cause="released",
        bid_uc=400_000,
        nominal_mw=6000,
        metered_mw=12,
        grant_ms=2100,
        grant_pair=PAIR,
        grant_round=3,
        is_served=True,
        needs_mw=9000,
    ),
)


def decided(load: str = "lamp", why: Why = Why.STARTING) -> LoadDecided:
    """A decision about a load."""
    return LoadDecided(replace(STARTING, load=load, why=why))


def priced(price_uc: int = 250_000, round_: int = 3) -> PriceApplied:
    """A price in force."""
    return PriceApplied(PAIR, round_, price_uc, 2 * SECOND, scarce=False)


def cleared(*steps: Step, round_: int = 3, received_mj: int = 0) -> RoundCleared:
    """A round of one bidder, whose every served step is granted."""
    bids = (Bid(NodeId(0xAA), steps, received_mj),)
    offers = (Offer("grid", 250_000, 60_000),)
    result = clear(bids, offers, 15_000, 60_000, 45_000)
    mask = result.served[NodeId(0xAA)]
    grant_mw = result.allotted_mw[NodeId(0xAA)]
    return RoundCleared(
        pair=PAIR,
        round=round_,
        bids=bids,
        offers=offers,
        floors_mw=15_000,
        capacity_mw=60_000,
        room_mw=45_000,
        price_cap_uc=10_000_000,
        clearing=result,
        granting=True,
        allotments=(Allotment(NodeId(0xAA), BootId(1), 5, grant_mw, mask),),
    )


def judged(
    lies: int = 3,
    share_permille: int = 1500,
    *,
    drawn_mw: int = 9000,
    number: int = 3,
    is_news: bool = True,
    pair: Pair = PAIR,
) -> NodeJudged:
    """A window of pi-2 under a grant of 6 W; without a look where it draws nothing."""
    look = Look(90 * SECOND, 2, drawn_mw + 1000, 1000, 0, Claim(6000, 95 * SECOND, 1))
    window = Window(number, 100 * SECOND, 3, look if drawn_mw else None)
    return NodeJudged(
        pair, NodeId(2), "pi-2", window, lies, share_permille, lies >= LIES_MAX, is_news
    )
