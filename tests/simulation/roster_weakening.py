"""Single rules of the roster (P7) taken away, and of the pledges in it: as in `weakening`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from rackgrid.core import agreement as agreements
from rackgrid.core import broker, candidate, member, restart
from rackgrid.core import pledge as pledges
from rackgrid.core.agreement import Agreement
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import Timing
from rackgrid.core.state import State
from rackgrid.identity import NO_LIMIT, NodeId, Pair, Stamp
from rackgrid.wire.message import (
    Election,
    Pledge,
    PledgeLine,
    Report,
    RosterUpdate,
)

Patch = pytest.MonkeyPatch


def change_counts_at_once(patch: Patch) -> None:
    """P7: a change of the roster is in force when its broker announces it."""
    announce = agreements.proposed

    def proposed(agreement: Agreement, roster: Roster) -> Agreement:
        if roster.founding:
            return announce(agreement, roster)
        return replace(
            agreement,
            base=roster,
            proposed=None,
            agreed_version=max(1, roster.version),
            reserved=roster,
        )

    patch.setattr(agreements, "proposed", proposed)


def newer_roster_is_ignored(patch: Patch) -> None:
    """P7: nobody minds that a broker, or one who would be, has missed a change."""

    def is_newer(_self: Agreement, _stamp: Stamp, _mine: Pair) -> bool:
        return False

    called = candidate.called

    def answered(node: State, sender: NodeId, message: Election, now_ns: int) -> None:
        called(node, sender, replace(message, roster=node.roster.stamp), now_ns)

    patch.setattr(Agreement, "is_newer", is_newer)
    patch.setattr(candidate, "called", answered)


def lost_roster_votes(patch: Patch) -> None:
    """P7: a node that has lost its roster votes like any other."""

    def votes(self: State, now_ns: int, *, founding: bool) -> bool:
        assert isinstance(founding, bool), "the same words as the rule that it stands for"
        return self.may_vote(now_ns)

    patch.setattr(State, "votes", votes)


# --- pledges --------------------------------------------------------------------------------------


def limit_is_not_kept(patch: Patch) -> None:
    """P7: an operator's word on the feed is not stored with the roster that brings it."""
    read = member.announced

    def announced(update: RosterUpdate) -> Roster:
        return replace(read(update), limit=NO_LIMIT)

    patch.setattr(member, "announced", announced)


def pledge_before_it_is_agreed(patch: Patch) -> None:
    """Pledge: a node that stops uses what it has asked for, whoever knows of it."""
    ask = restart._ask

    def asked(node: State, pledge: Pledge, now_ns: int) -> None:
        ask(node, pledge, now_ns)
        if pledge.power_mw:
            line = PledgeLine(node.me, node.boot, pledge.power_mw, pledge.span_ms)
            node.roster = replace(node.roster, pledges=(line,))

    def agreed(node: State) -> PledgeLine | None:
        found = node.roster.pledge(node.me)
        return found if found is not None and found.boot == node.boot else None

    patch.setattr(restart, "_ask", asked)
    patch.setattr(restart, "_agreed", agreed)


def pledge_ends_with_the_term(patch: Patch) -> None:
    """Pledge: a new broker does not know the pledges of the one before it."""
    take = broker.taken

    def taken(pair: Pair, roster: Roster, supports: Mapping[NodeId, Report], now_ns: int) -> Office:
        return take(pair, replace(roster, pledges=()), supports, now_ns)

    patch.setattr(broker, "taken", taken)


def pledge_is_not_counted(patch: Patch) -> None:
    """Pledge: what stands on the roster is nothing that anybody draws."""

    def beside_mw(*_: object) -> int:
        return 0

    patch.setattr(pledges, "beside_mw", beside_mw)


def pledge_ends_too_soon(patch: Patch) -> None:
    """Pledge: its broker counts it for no longer than a grant."""

    def lasts_ns(_pledge: PledgeLine, timing: Timing) -> int:
        return timing.stretched(timing.grant_ns) + timing.margin_ns

    patch.setattr(pledges, "lasts_ns", lasts_ns)


def pledge_given_back_at_once(patch: Patch) -> None:
    """Pledge: a node that is back gives it up while its outputs still hold beyond a grant."""

    def give_back(node: State, now_ns: int) -> None:
        pledge = node.roster.pledge(node.me)
        if pledge is not None and pledge.boot != node.boot:
            restart._ask(node, Pledge(pledge.boot, 0, 0), now_ns)

    patch.setattr(restart, "give_back", give_back)
