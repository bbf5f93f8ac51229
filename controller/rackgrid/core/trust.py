"""Trust: how a broker holds what each node draws against what it was granted (`market.honesty`).

What a node draws beyond its grants counts at once, whoever is to blame (P8). Beside that it is held
against the node, once in a while at most: so a load that starts with a wrong nameplate, which its
node learns within a second, is one lie, and a node that goes on or does it again and again is
flagged. Its bids then count with the share by which it exceeded its grants, and it is granted that
much for each step: fewer steps of the same watts fit, and what it really takes of them is granted.

Compared is what flexible loads draw with the largest grant that may still be in force, and with
what else is known to be held: an earlier boot's claims, a pledge. What the node itself says to be
excess counts as floor already and is no lie. Required loads are left out: they always get their
power.

Nothing is held against a node whose grants of a predecessor may still run; a successor begins with
a clean sheet.

Every window of a node that is not above suspicion is told with what it was judged by, also where
nothing has changed: the record is to show how each verdict follows from the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rackgrid.core.grant import Account, Claim, holding_ms
from rackgrid.core.look import NO_CLAIM, Look, Window
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.identity import NodeId
from rackgrid.market.curve import Step
from rackgrid.market.honesty import HONEST, WHOLE, Record, counted, is_beyond, judged
from rackgrid.value import replace
from rackgrid.wire.message import PledgeLine, StepReport

WINDOW_NS = 10 * SECOND_NS
"""A node is judged once in so long, by the worst of it."""
CLAIMS_MAX = 16
"""Grants remembered one by one; beyond it two are merged into their generous union."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What a broker has seen of a node.

    Attributes:
        granted: grants that may still be in force, the largest first; each next one lasts longer.
        begins_ns, ends_ns: of the running window.
        worst: the look of that in which it drew most beyond; None while it has not.
        is_suspect: whether any look of that was a lie by itself; the worst one is what counts.
        number: of windows judged since nothing was held against it.
    """

    begins_ns: int
    ends_ns: int
    record: Record = HONEST
    granted: tuple[Claim, ...] = ()
    worst: Look | None = None
    is_suspect: bool = False
    number: int = 0


Trusts = Mapping[NodeId, Trust]
Looks = Mapping[NodeId, Look]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A window of a node that is not above suspicion.

    Attributes:
        record: what is held against it from now on.
        is_news: something more was held against it, or nothing is any longer.
    """

    node: NodeId
    window: Window
    record: Record
    is_news: bool


def looked(
    trusts: Trusts,
    accounts: Iterable[Account],
    pledges: Iterable[PledgeLine],
    round_: int,
    now_ns: int,
    timing: Timing,
) -> tuple[Trusts, tuple[Judgement, ...], Looks]:
    """Look at every node that has reported lately.

    Args:
        accounts: of living nodes.
        round_: that is about to be cleared.

    Returns:
        What is known now, what was judged, and what was seen.
    """
    pledged_mw = {each.node: each.power_mw for each in pledges}
    found, said, looks = dict(trusts), list[Judgement](), dict[NodeId, Look]()
    for account in accounts:
        node = account.node
        after = _current(trusts.get(node) or _fresh(now_ns, timing), now_ns)
        if now_ns >= after.begins_ns:
            look = _look(after, account, pledged_mw.get(node, 0), round_, now_ns)
            looks[node], after = look, _seen(after, look)
        if now_ns >= after.ends_ns:
            after, told = _ended(after, node, round_, now_ns)
            said += told
        found[node] = after
    return found, tuple(said), looks


def granted(trusts: Trusts, account: Account, power_mw: int) -> Trusts:
    """Note a grant that is about to be sent; `account` counts it already."""
    trust = trusts.get(account.node)
    if trust is None:
        return trusts
    until_ns = max(claim.until_ns for claim in account.issued)
    kept = [each for each in trust.granted if each.power_mw > power_mw]
    claims = (*kept, Claim(power_mw, until_ns, account.issued[-1].round))
    if len(claims) > CLAIMS_MAX:
        first, second, *rest = claims
        claims = (replace(first, until_ns=second.until_ns), *rest)
    return {**trusts, account.node: replace(trust, granted=claims)}


def share_permille(trusts: Trusts, node: NodeId) -> int:
    """With how much of a thousand a node's bids count: a thousand, unless it is flagged."""
    trust = trusts.get(node)
    return (
        trust.record.share_permille if trust and trust.record.is_flagged else HONEST.share_permille
    )


def shares(trusts: Trusts, nodes: Iterable[NodeId]) -> dict[NodeId, int]:
    """Name the flagged among these nodes, each with its share."""
    found = ((node, share_permille(trusts, node)) for node in nodes)
    return {node: share for node, share in found if share > WHOLE}


def lasts_ms(trusts: Trusts, nodes: Iterable[NodeId], now_ns: int) -> dict[NodeId, int]:
    """For how long the grants that these nodes have just got count in their favour, ms."""
    known = ((node, trusts.get(node)) for node in nodes)
    return {n: holding_ms(t.granted[-1].until_ns, now_ns) for n, t in known if t and t.granted}


def counting(trusts: Trusts, account: Account) -> Account:
    """Let a flagged node's bid count with its share."""
    trust = trusts.get(account.node)
    if trust is None or not trust.record.is_flagged:
        return account
    steps = tuple(_counted(trust.record, step) for step in account.report.steps)
    return replace(account, report=replace(account.report, steps=steps))


def _fresh(now_ns: int, timing: Timing) -> Trust:
    begins_ns = now_ns + timing.stretched(timing.grant_ns) + timing.margin_ns
    return Trust(begins_ns, begins_ns + WINDOW_NS)


def _current(trust: Trust, now_ns: int) -> Trust:
    """Forget the grants that can be in force no longer."""
    claims = trust.granted
    if claims and claims[0].until_ns <= now_ns:
        return replace(trust, granted=tuple(each for each in claims if each.until_ns > now_ns))
    return trust


def _look(trust: Trust, account: Account, pledged_mw: int, round_: int, now_ns: int) -> Look:
    """Put a node's newest report beside what it was granted."""
    report = account.report
    largest = max(trust.granted, key=lambda claim: claim.power_mw, default=NO_CLAIM)
    return Look(
        at_ns=now_ns,
        round=round_,
        draw_mw=report.draw_mw,
        required_mw=report.required_mw,
        excess_mw=report.excess_mw,
        grant=largest if largest.power_mw else NO_CLAIM,
        pledged_mw=pledged_mw,
        old_mw=account.old_mw(now_ns),
    )


def _seen(trust: Trust, look: Look) -> Trust:
    """Keep the worst that was seen, and that something was."""
    if look.beyond_mw <= 0:
        return trust
    is_suspect = trust.is_suspect or is_beyond(look.allowed_mw, look.drawn_mw)
    worst = trust.worst
    if worst is None or look.beyond_mw > worst.beyond_mw:
        worst = look
    return replace(trust, worst=worst, is_suspect=is_suspect)


def _ended(
    trust: Trust, node: NodeId, round_: int, now_ns: int
) -> tuple[Trust, tuple[Judgement, ...]]:
    """Judge a window, and begin the next."""
    before = trust.record
    window = Window(trust.number + 1, now_ns, round_, trust.worst)
    record = judged(before, *window.proof)
    number = 0 if record == HONEST else window.number
    following = Trust(now_ns, now_ns + WINDOW_NS, record, trust.granted, number=number)
    if before == record == HONEST and not trust.is_suspect:
        return following, ()
    is_news = record.share_permille > before.share_permille or record.lies != before.lies
    return following, (Judgement(node, window, record, is_news),)


def _counted(record: Record, step: StepReport) -> StepReport:
    scaled = counted(record, Step(step.worth_uc, step.power_mw, step.reserve_mw, step.running))
    return StepReport(scaled.worth_uc, scaled.power_mw, scaled.reserve_mw, scaled.running)
