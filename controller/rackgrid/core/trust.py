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
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rackgrid.core.grant import Account, Claim
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.identity import NodeId
from rackgrid.market.curve import Step
from rackgrid.market.honesty import HONEST, Record, counted, judged
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
        worst: what it was granted and what it drew in that, mW, where it drew most beyond.
    """

    begins_ns: int
    ends_ns: int
    record: Record = HONEST
    granted: tuple[Claim, ...] = ()
    worst: tuple[int, int] = (0, 0)


Trusts = Mapping[NodeId, Trust]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Something that was held against a node, or is so no longer."""

    node: NodeId
    granted_mw: int
    drawn_mw: int
    record: Record


def looked(
    trusts: Trusts,
    accounts: Iterable[Account],
    pledges: Iterable[PledgeLine],
    now_ns: int,
    timing: Timing,
) -> tuple[Trusts, tuple[Judgement, ...]]:
    """Look at every node that has reported lately; say what has changed.

    Args:
        accounts: of living nodes.
    """
    pledged_mw = {each.node: each.power_mw for each in pledges}
    found, said = dict(trusts), list[Judgement]()
    for account in accounts:
        node = account.node
        before = trusts.get(node) or _fresh(now_ns, timing)
        after = _seen(before, account, pledged_mw.get(node, 0), now_ns)
        if now_ns >= after.ends_ns:
            after, told = _ended(after, node, now_ns)
            said += told
        found[node] = after
    return found, tuple(said)


def granted(trusts: Trusts, account: Account, power_mw: int) -> Trusts:
    """Note a grant that is about to be sent; `account` counts it already."""
    trust = trusts.get(account.node)
    if trust is None:
        return trusts
    until_ns = max(claim.until_ns for claim in account.issued)
    kept = [each for each in trust.granted if each.power_mw > power_mw]
    claims = (*kept, Claim(power_mw, until_ns))
    if len(claims) > CLAIMS_MAX:
        first, second, *rest = claims
        claims = (Claim(first.power_mw, second.until_ns), *rest)
    return {**trusts, account.node: replace(trust, granted=claims)}


def share_permille(trusts: Trusts, node: NodeId) -> int:
    """With how much of a thousand a node's bids count: a thousand, unless it is flagged."""
    trust = trusts.get(node)
    return (
        trust.record.share_permille if trust and trust.record.is_flagged else HONEST.share_permille
    )


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


def _seen(trust: Trust, account: Account, pledged_mw: int, now_ns: int) -> Trust:
    """Compare its newest report with what it was granted."""
    claims = trust.granted
    if claims and claims[0].until_ns <= now_ns:
        claims = tuple(each for each in claims if each.until_ns > now_ns)
        trust = replace(trust, granted=claims)
    if now_ns < trust.begins_ns:
        return trust
    report = account.report
    most_mw = max((each.power_mw for each in claims), default=0)
    allowed_mw = max(most_mw, pledged_mw) + account.old_mw(now_ns)
    drawn_mw = max(0, report.draw_mw - report.required_mw - report.excess_mw)
    if drawn_mw - allowed_mw <= trust.worst[1] - trust.worst[0]:
        return trust
    return replace(trust, worst=(allowed_mw, drawn_mw))


def _ended(trust: Trust, node: NodeId, now_ns: int) -> tuple[Trust, list[Judgement]]:
    """Judge a window, and begin the next."""
    before, (granted_mw, drawn_mw) = trust.record, trust.worst
    record = judged(before, granted_mw, drawn_mw)
    following = Trust(now_ns, now_ns + WINDOW_NS, record, trust.granted)
    is_news = record.share_permille > before.share_permille or record.lies != before.lies
    return following, [Judgement(node, granted_mw, drawn_mw, record)] if is_news else []


def _counted(record: Record, step: StepReport) -> StepReport:
    scaled = counted(record, Step(step.worth_uc, step.power_mw, step.reserve_mw, step.running))
    return StepReport(scaled.worth_uc, scaled.power_mw, scaled.reserve_mw, scaled.running)
