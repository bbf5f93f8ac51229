"""Single rules of the core taken away that it takes a directed scenario to notice.

Like `tests.simulation.weakening`: each patches one rule, and its docstring says what then holds no
more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from rackgrid.core import admission, broker, candidate, election, grant, incumbent, registrar
from rackgrid.core import agent as agents
from rackgrid.core.action import Action
from rackgrid.core.agent import Agent
from rackgrid.core.agreement import Agreement
from rackgrid.core.authority import Authority
from rackgrid.core.board import Board
from rackgrid.core.election import Listening, Standing
from rackgrid.core.event import DatagramReceived, Event
from rackgrid.core.grant import Account, Claim
from rackgrid.core.node import Node
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, NodeSettings, Timing
from rackgrid.core.state import State
from rackgrid.identity import BootId, NodeId, Pair, Stamp
from rackgrid.wire.message import Ack, Join, Price, Report
from rackgrid.wire.vocabulary import Stance

Patch = pytest.MonkeyPatch


def anybodys_prices(patch: Patch) -> None:
    """P2, P5: a node takes prices and grants from whoever sends them."""
    apply = incumbent.apply

    def applied(node: State, price: Price, now_ns: int) -> None:
        apply(node, replace(price, pair=node.followed), now_ns)

    def is_stale(_node: State, _pair: Pair, _sender: NodeId) -> bool:
        return False

    patch.setattr(incumbent, "apply", applied)
    patch.setattr(candidate, "is_stale", is_stale)


def nobody_objects(patch: Patch) -> None:
    """Bully, with Raft's pre-vote: a candidate is supported though its voters hear the broker."""

    def stance(**_: object) -> Stance:
        return Stance.SUPPORT

    patch.setattr(election, "stance", stance)


def clocks_are_exact(patch: Patch) -> None:
    """P2, P3: all clocks run at the same rate."""

    def stretched(_self: Timing, span_ns: int) -> int:
        return span_ns

    patch.setattr(Timing, "stretched", stretched)


def no_back_off(patch: Patch) -> None:
    """Election: whoever has lost a candidature stands again at once."""

    def backed_off(state: Standing, now_ns: int, _jitter_ns: int) -> Listening:
        return Listening(now_ns + MS_NS, state.attempt + 1)

    def patient(state: election.State, _until_ns: int) -> election.State:
        return state

    patch.setattr(election, "backed_off", backed_off)
    patch.setattr(election, "patient", patient)


def votes_are_acks(patch: Patch) -> None:
    """P4: the votes that made a broker are its first authority."""
    take = broker.taken

    def taken(pair: Pair, roster: Roster, supports: Mapping[NodeId, Report], now_ns: int) -> Office:
        office = take(pair, roster, supports, now_ns)
        return replace(office, authority=Authority({}, dict.fromkeys(supports, now_ns)))

    patch.setattr(broker, "taken", taken)


def leave_of_any_boot(patch: Patch) -> None:
    """P1: whoever once said that it goes is gone, though it has started again."""
    left = registrar.left

    def heard(node: State, sender: NodeId, _boot: BootId, now_ns: int) -> None:
        account = node.office.book.accounts.get(sender) if node.office else None
        if account is not None:
            left(node, sender, account.boot, now_ns)

    patch.setattr(registrar, "left", heard)


def acks_of_any_pair(patch: Patch) -> None:
    """P4: an ack is an ack, to whichever broker it was given."""
    handle = Node.handle

    def handled(self: Node, event: Event) -> list[Action]:
        if isinstance(event, DatagramReceived) and isinstance(event.message, Ack):
            event = replace(event, message=replace(event.message, pair=self.state.followed))
        return handle(self, event)

    patch.setattr(Node, "handle", handled)


def one_part_a_round(patch: Patch) -> None:
    """Wire: a price is in one message, and what comes of the same round is a repeat."""
    apply = incumbent.apply

    def applied(node: State, price: Price, now_ns: int) -> None:
        known = node.agent.price
        if known is None or (known.pair, known.round) != (price.pair, price.round):
            apply(node, price, now_ns)

    patch.setattr(incumbent, "apply", applied)


def dead_boot_is_forgotten(patch: Patch) -> None:
    """P3: what a node's boot reports takes the place of all that an earlier boot may hold."""

    def with_dead_boot(_account: Account, _now_ns: int) -> tuple[Claim, ...]:
        return ()

    patch.setattr(grant, "_with_dead_boot", with_dead_boot)


def own_capacity_only(patch: Patch) -> None:
    """P8: a broker believes its own word for the feed's capacity, and nobody else's."""

    def capacity_mw(_office: Office, settings: NodeSettings) -> int:
        return settings.capacity_mw

    patch.setattr(broker, "capacity_mw", capacity_mw)


def preempts_at_once(patch: Patch) -> None:
    """Bully: whoever ranks higher gets the office as soon as it is back."""
    patch.setattr(Timing, "preempt_after_ns", 0)


def nothing_is_adopted(patch: Patch) -> None:
    """Restart: a new controller holds nothing that it has no grant for."""

    def attached(agent: Agent, board: Board, _settings: NodeSettings, _now_ns: int) -> Agent:
        return replace(agent, board=board, commanded=MappingProxyType({}))

    patch.setattr(agents, "attached", attached)


def floors_always_fit(patch: Patch) -> None:
    """P1: whoever speaks the rack's protocol is admitted."""

    def refusal(
        _office: Office, _node: NodeId, join: Join, _settings: NodeSettings, _now_ns: int
    ) -> str | None:
        return admission.misfit(join)

    patch.setattr(admission, "refusal", refusal)


def each_boot_has_copper_of_its_own(patch: Patch) -> None:
    """The market takes each dead boot of a node for as many loads beside all the others."""
    patch.setattr(Account, "copper_mw", Account.counted_mw)


def later_rosters_are_ignored(patch: Patch) -> None:
    """P7: a broker goes on though a member has stored what a higher pair made: a second fence."""

    def is_newer(agreement: Agreement, stamp: Stamp, mine: Pair) -> bool:
        return stamp.pair != mine and not agreement.agreed_version and stamp > agreement.base.stamp

    patch.setattr(Agreement, "is_newer", is_newer)
