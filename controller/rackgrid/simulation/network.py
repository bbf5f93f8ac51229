"""A hostile network: datagrams are lost, late, doubled, overtaken, or cut off between two nodes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Message

JITTER_NS = 200_000
"""On a quiet day."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """What one node has sent, on its way to one place."""

    sender: NodeId
    boot: BootId
    to: NodeId
    message: Message
    unicast: bool


@dataclass(slots=True)
class Network:
    """How datagrams travel.

    Attributes:
        loss: fraction of deliveries that never arrive.
        duplicates: fraction of deliveries that arrive twice.
        delay_ns: least delay; jitter_ns: mean of the exponential part on top.
        cut: ordered pairs (from, to) between which nothing passes.
        deaf: nodes that no multicast reaches: a switch has forgotten that they are in the group.
        slow: what a sender's datagrams take on top, ns.
    """

    loss: float = 0.0
    duplicates: float = 0.0
    delay_ns: int = 300_000
    jitter_ns: int = JITTER_NS
    cut: set[tuple[NodeId, NodeId]] = field(default_factory=set[tuple[NodeId, NodeId]])
    deaf: set[NodeId] = field(default_factory=set[NodeId])
    slow: dict[NodeId, int] = field(default_factory=dict[NodeId, int])

    def arrivals(
        self, chance: random.Random, sender: NodeId, to: NodeId, *, unicast: bool = False
    ) -> list[int]:
        """After how long a datagram arrives, ns: no entry if it is lost, two if it is doubled."""
        if (sender, to) in self.cut or (to in self.deaf and not unicast):
            return []
        if chance.random() < self.loss:
            return []
        copies = 2 if chance.random() < self.duplicates else 1
        least_ns = self.delay_ns + self.slow.get(sender, 0)
        return [least_ns + int(chance.expovariate(1) * self.jitter_ns) for _ in range(copies)]

    def isolate(self, nodes: set[NodeId], rest: set[NodeId]) -> None:
        """Cut two sets from each other, both ways."""
        self.cut |= {(a, b) for a in nodes for b in rest}
        self.cut |= {(b, a) for a in nodes for b in rest}

    def heal(self) -> None:
        """Let everything pass again."""
        self.cut.clear()
        self.deaf.clear()

    def calm(self) -> None:
        """Let everything pass, once and soon."""
        self.heal()
        self.slow.clear()
        self.loss = self.duplicates = 0.0
        self.jitter_ns = JITTER_NS
