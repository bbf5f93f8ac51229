"""Who is who, which authority is higher, and which word is later.

A broker's time in office is named by a `Pair`: (term, node) and the boot in which that node took
office. Bully elections over a lossy network can give one term to two brokers, so a term alone
names nothing; the pair does, and pairs are ordered. Terms never repeat at a node, so two boots can
never share (term, node).

Pairs and stamps go over the wire as they are, a few with every message: their annotations are their
encoding (`wire.message`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NewType

NodeId = NewType("NodeId", int)
"""A node's stable identity: 64 bits of a hash of its Ed25519 public key."""

BootId = NewType("BootId", int)
"""64 random bits that a controller draws when it starts."""

NO_BOOT = BootId(0)
"""Of nobody: a boot draws its id at random from all others."""

RackId = NewType("RackId", int)
"""64 random bits that a rack draws when it is founded."""

NO_RACK = RackId(0)
"""Of a node that belongs to no rack (yet)."""

Term = NewType("Term", int)
Round = NewType("Round", int)


@dataclass(frozen=True, slots=True, order=True)
class Pair:
    """A broker's authority: the term, who holds it, and in which boot."""

    term: Annotated[Term, "u32"]
    node: Annotated[NodeId, "u64"]
    boot: Annotated[BootId, "u64"]

    def __str__(self) -> str:
        return f"{self.term}/{self.node:016x}"


NO_PAIR = Pair(Term(0), NodeId(0), BootId(0))
"""Lower than every real pair: no broker has been followed yet."""


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """Which roster: the broker that announced it, and its version. Stamps are ordered."""

    pair: Pair
    version: Annotated[int, "u32"]

    def __str__(self) -> str:
        return f"version {self.version} of {self.pair}"


NO_STAMP = Stamp(NO_PAIR, 0)
"""Older than every roster: none is known."""


@dataclass(frozen=True, slots=True)
class Limit:
    """An operator's word on what the feed gives: the later one counts, of two as late the lower."""

    version: Annotated[int, "u32"]
    power_mw: Annotated[int, "u32"]

    def yields_to(self, other: Limit) -> bool:
        """Whether the other word counts instead of this one."""
        if self.version != other.version:
            return self.version < other.version
        return other.power_mw < self.power_mw


NO_LIMIT = Limit(0, 0)
"""Older than every word: no operator has said anything."""


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """The bully's order: the higher priority wins, ties go to the higher id."""

    priority: int
    node: NodeId
