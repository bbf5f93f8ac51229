"""The office: all that a broker knows in one term, as a value; what it does is in `broker`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from rackgrid.core.agreement import Agreement
from rackgrid.core.allowance import Allowance
from rackgrid.core.authority import NEVER, Authority
from rackgrid.core.book import Book
from rackgrid.core.trust import Trust
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.wire.message import Join, Report, RosterLine


@dataclass(frozen=True, slots=True)
class Joining:
    """A node that is to be admitted: its floor is kept free since its last JOIN."""

    boot: BootId
    join: Join
    asked_ns: int


@dataclass(frozen=True, slots=True)
class Office:
    """A broker's state in one term.

    Attributes:
        seq, round: of the last heartbeat and the last clearing.
        heartbeat_ns, round_ns: when the next of each is due.
        rounded_ns: when the last clearing was.
        agreement: the roster in this term.
        cleared_version: the agreed version that the market knows of.
        founded_ns: when the rack was founded, if that was in this term.
        announced_ns: when the newest roster was multicast; told_ns: node → when it was told again.
        founders: those who would found a rack with this node.
        join_seqs: admitted node → the boot and the number of its latest JOIN.
        joining: nodes that wait for room, or for their turn.
        allowed: what an operator has told this broker about nodes, and is not on the roster yet.
        expelling: nodes that an operator wants put out.
        leaving: nodes that said that they are off, each with the boot that said so.
        pledged_ns: node → when this broker proposed its pledge; the others are as old as the term.
        left: node → the pair that it left for this one.
        absent: rostered nodes that were announced as silent.
        wanting: a raise waits for watts to come free.
        supports: the reports that came with the votes: the first price is cleared from them, so
            that it is never an old one published again. They are no acks: nothing is granted on
            them.
        trusts: how far each node keeps to what it is granted.
    """

    pair: Pair
    since_ns: int
    seq: int
    round: int
    heartbeat_ns: int
    round_ns: int
    rounded_ns: int = NEVER
    authority: Authority = field(default_factory=Authority)
    book: Book = field(default_factory=Book)
    agreement: Agreement = field(default_factory=Agreement)
    announced_ns: int = NEVER
    cleared_version: int = 0
    founded_ns: int = NEVER
    told_ns: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    founders: Mapping[NodeId, RosterLine] = field(default_factory=lambda: MappingProxyType({}))
    join_seqs: Mapping[NodeId, tuple[BootId, int]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    joining: Mapping[NodeId, Joining] = field(default_factory=lambda: MappingProxyType({}))
    allowed: Mapping[NodeId, Allowance] = field(default_factory=lambda: MappingProxyType({}))
    expelling: frozenset[NodeId] = frozenset()
    leaving: Mapping[NodeId, BootId] = field(default_factory=lambda: MappingProxyType({}))
    pledged_ns: Mapping[NodeId, int] = field(default_factory=lambda: MappingProxyType({}))
    left: Mapping[NodeId, Pair] = field(default_factory=lambda: MappingProxyType({}))
    absent: frozenset[NodeId] = frozenset()
    wanting: bool = False
    supports: Mapping[NodeId, Report] = field(default_factory=lambda: MappingProxyType({}))
    trusts: Mapping[NodeId, Trust] = field(default_factory=lambda: MappingProxyType({}))
