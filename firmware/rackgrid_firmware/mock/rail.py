"""The rail: where the feed, the nodes and their chips meet, and where the truth is told.

`settle` finds the new state of everything after something changed: the voltage at which the feed
balances all demands, the nodes that a dip takes down (which lets the voltage rise again), the chips
that it resets, and each node's draw. Between two settlings everything is constant, so energy is
counted exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from rackgrid_firmware.mock.demand import Demand
from rackgrid_firmware.mock.feed import Supply
from rackgrid_firmware.mock.memory import Memory, Note
from rackgrid_firmware.mock.node import Draw, Node


@dataclass(frozen=True, slots=True)
class Energy:
    """What was delivered since the beginning, J.

    Attributes:
        feed_j: by the feed; loss_j: of that, lost in its resistance.
        nodes: by node: "" for its electronics, then by output, what was drawn.
        sources: by node and meter, what was given to the rail.
    """

    feed_j: float
    loss_j: float
    nodes: Mapping[str, Mapping[str, float]]
    sources: Mapping[str, Mapping[str, float]]


class Rail:
    """The one rail of a mock rack.

    Args:
        supply: what feeds it.
    """

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self.feed = supply.feed(Demand())
        self.nodes: dict[str, Node] = {}
        self.memory = Memory()
        self._draws: list[Draw] = []
        self._since_ns = 0
        self._feed_j = 0.0
        self._loss_j = 0.0

    def join(self, now_ns: int, node: Node) -> None:
        """Put a node on the rail."""
        self.nodes[node.wiring.node] = node
        self.memory.join(now_ns, node)

    def settle(self, now_ns: int, dirty: Collection[Node]) -> list[Node]:
        """Find the new state of everything.

        Args:
            now_ns: the moment, ns.
            dirty: the nodes in which something changed.

        Returns:
            The nodes that went down.
        """
        self._count(now_ns)
        changed = dict.fromkeys(dirty)  # in their order
        for node in changed:
            node.measure(now_ns)
        before, fallen, lowest_v = self.feed, list[Node](), self.supply.open_v
        while True:
            self.feed = self.supply.feed(self._demand())
            volts = self.feed.volts
            lowest_v = min(lowest_v, volts)
            falling = [n for n in self.nodes.values() if n.is_up and volts <= n.wiring.mock.dead_v]
            if not falling:
                break
            for node in falling:
                node.fall(now_ns)
                node.measure(now_ns)
            changed |= dict.fromkeys(falling)
            fallen += falling
        lit = self._darken(now_ns, changed, lowest_v)
        self._reckon(now_ns, changed, before.volts)
        self._note(now_ns, changed)
        for node in lit:
            self.memory.touch(now_ns, node.wiring.node)
            node.reset_chips(now_ns)
        return fallen

    def take_draws(self) -> list[Draw]:
        """Hand out what changed since the last call, in order of time."""
        draws, self._draws = self._draws, []
        return draws

    def energy(self, now_ns: int) -> Energy:
        """Give what was delivered until now."""
        self._count(now_ns)
        for node in self.nodes.values():
            node.count(now_ns)
        return Energy(
            feed_j=self._feed_j,
            loss_j=self._loss_j,
            nodes={name: dict(node.joules) for name, node in self.nodes.items()},
            sources={name: dict(node.given_j) for name, node in self.nodes.items()},
        )

    def _count(self, now_ns: int) -> None:
        passed_s = (now_ns - self._since_ns) / 1e9
        self._since_ns = now_ns
        loss_w = self.supply.ohms * self.feed.amps * self.feed.amps
        self._loss_j += loss_w * passed_s
        self._feed_j += (self.feed.watts + loss_w) * passed_s

    def _demand(self) -> Demand:
        nodes = self.nodes.values()
        return Demand(sum(n.power_w for n in nodes), sum(n.siemens for n in nodes))

    def _darken(self, now_ns: int, changed: dict[Node, None], lowest_v: float) -> list[Node]:
        """Take the meters' supply where the rail is too low; return the nodes where it is back."""
        lit: list[Node] = []
        for node in self.nodes.values():
            reset_v = node.wiring.mock.reset_v
            is_dark = not node.is_up or self.feed.volts <= reset_v
            if not is_dark and (node.is_dark or lowest_v <= reset_v):
                lit.append(node)
            if is_dark != node.is_dark:
                node.is_dark = is_dark
                node.measure(now_ns)
                changed[node] = None
        return lit

    def _reckon(self, now_ns: int, changed: dict[Node, None], before_v: float) -> None:
        volts, volts_min = self.feed.volts, self.supply.volts_min
        for node in self.nodes.values():
            own = node in changed
            follows = volts != before_v and (node.siemens or min(volts, before_v) < volts_min)
            if own or follows:
                node.reckon(now_ns, volts, volts_min)
                draw = node.news(own=own)
                if draw is not None:
                    self._draws.append(draw)

    def _note(self, now_ns: int, changed: dict[Node, None]) -> None:
        steady = self._demand()
        ripples = tuple(each for node in self.nodes.values() for each in node.ripples)
        for each in ripples:
            steady = Demand(
                steady.power_w - each.demand.power_w * each.share,
                steady.siemens - each.demand.siemens * each.share,
            )
        snapshots = {node.wiring.node: node.snapshot for node in changed}
        self.memory.note(Note(now_ns, self.feed.volts, self.supply, steady, ripples, snapshots))

    def set_supply(self, **changes: float | bool) -> None:
        """Change what feeds the rail; `settle` follows.

        Raises:
            ValueError: a value is out of its bounds.
        """
        self.supply = replace(self.supply, **changes)  # type: ignore[arg-type]  # see Supply
