"""Pledges: what a node that restarts goes on holding, counted like a floor until it is back.

A grant is too short for the restart of a daemon, and a longer one would be unsafe: a new broker
waits only until every predecessor's grants have ended (P6), and knows nothing of an exception. So
the exception stands where every broker looks: in the roster. What is agreed there is known to each
later broker that may grant (P7).

The node that stops asks for a pledge of what it holds. The broker counts it from its proposal on,
and proposes it only where it adds nothing: it must not exceed what the node is counted with anyway.
The node uses it only once it is agreed, for a span that began when it first asked. So whoever
counts the span from its own first sight of the pledge, stretched by the clock bound, ends later
than the outputs do.

A pledge ends by another change of the roster: when its time is up, or on the word of a *later* boot
whose outputs no longer hold beyond a grant's time. By then its own reports count them, and a
takeover's waits cover them, as any others.

The count is the larger of pledge and account, not their sum: both speak of the same outputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from rackgrid.core.book import Book
from rackgrid.core.grant import Account
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS, Timing
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import PLEDGES_MAX, Pledge, PledgeLine

SPAN_MAX_NS = 60 * SECOND_NS
"""No pledge is longer: while it lasts, nothing can shed its node."""


def beside_mw(pledges: Iterable[PledgeLine], book: Book, now_ns: int) -> int:
    """What is pledged beyond what the book counts of the same nodes, mW."""
    return sum(max(0, p.power_mw - book.counted_of_mw(p.node, now_ns)) for p in pledges)


def title_mw(pledges: Iterable[PledgeLine], account: Account, now_ns: int) -> int:
    """What a node that is back may be granted again under its pledge, mW.

    Its old boot's claims have run out, and its own report is no title; but these watts were
    counted without a gap. Only where all that is counted fits: then granting it again adds nothing.
    """
    pledged_mw = sum(
        p.power_mw for p in pledges if p.node == account.node and p.boot != account.boot
    )
    return min(pledged_mw, account.running_mw(now_ns))


def lasts_ns(pledge: PledgeLine, timing: Timing) -> int:
    """How long a broker counts a pledge that it has just seen for the first time."""
    return timing.stretched(pledge.span_ms * MS_NS) + timing.margin_ns


def refusal(
    roster: Roster, node: NodeId, asked: Pledge, account: Account, limit_mw: int | None, now_ns: int
) -> str | None:
    """Say why a node gets no pledge, or None if it does.

    Args:
        roster: all that is reserved, by the agreed roster and by one that is being agreed.
        account: of the boot that asks.
        limit_mw: the takeover's, while the book is closed.
    """
    if roster.line(node) is None:
        return "it is not on the roster"
    if roster.pledge(node) is not None:
        return "its last one has not ended"
    if len(roster.pledges) >= PLEDGES_MAX:
        return f"{PLEDGES_MAX} nodes restart already"
    if not 0 < asked.span_ms * MS_NS <= SPAN_MAX_NS:
        return "it asks for too long"
    most_mw = account.renewable_mw(now_ns)
    if limit_mw is not None:
        most_mw = min(most_mw, limit_mw)
    return "it asks for more than it may hold" if asked.power_mw > most_mw else None


def is_given_back(pledge: PledgeLine, asked: Pledge, boot: BootId) -> bool:
    """Whether the word of this boot ends this pledge: it names it, and is not the one that stopped.

    Whoever can name it was there after it was asked for: so it is a later boot. A late word of an
    earlier one names another pledge. The caller has made sure that this boot's report is counted.
    """
    return asked.power_mw == 0 and asked.boot == pledge.boot != boot
