"""The electrical world behind mock hardware: one feed, the nodes on it, their loads and chips.

Pure: time is an argument, in CLOCK_MONOTONIC nanoseconds, and never goes back; chance comes from
the seed. The same world runs in a process of its own for a mock rack, and inside a unit test.

The feed is a voltage behind a resistance (`feed`), so every watt that one node draws lowers the
voltage that all chips see. Loads (`load`) ask for power or conductance, sources (`source`) give
power to the rail. The drop over a shunt (0.1 ohm: 0.1 V at 1 A) is left out: a chip sees the feed's
voltage, and power is what the load draws.

Nothing is computed between events. What happens by itself stands in an agenda (an inrush that
falls, a thermostat, the sun), so an hour passes in as many steps as there are changes, and whether
one advances in one step or in a thousand makes no difference.

The plant knows the truth; `take_draws` hands it out, one line for each change. A load that switches
by itself, or a modulated output, stands in it with its mean: the edges are for the chips
(`memory`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from rackgrid_firmware.mock.agenda import Agenda
from rackgrid_firmware.mock.chance import bits, seeded
from rackgrid_firmware.mock.fault import ERRNO, Fault, FaultBook, Faults, bus_error
from rackgrid_firmware.mock.feed import Feed, Supply
from rackgrid_firmware.mock.load import Load
from rackgrid_firmware.mock.node import Draw, Node
from rackgrid_firmware.mock.rail import Energy, Rail
from rackgrid_firmware.mock.shelf import MockChip
from rackgrid_firmware.mock.source import Panel, Source
from rackgrid_firmware.mock.wiring import NodeWiring

NODES_MAX = 256

Happening = Callable[["Plant", int], None]
"""Does something to the plant at a moment, ns. A ValueError is a complaint, and changes nothing."""
_Thing = tuple[Node, Load | Source | None]
"""What happens by itself: a load, a source, or (None) the node that comes up again."""


class Plant:
    """The world of one mock rack.

    Args:
        seed: of all chance.
        volts: of the feed without load, V.
        ohms: between the feed and the rail, ohm.
        amps_max: where the feed's limit begins, A.
        amps_short: what it gives into a short circuit, A; None: amps_max, no fold-back.

    Raises:
        ValueError: no feed is like that.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        volts: float = 12.0,
        ohms: float = 0.02,
        amps_max: float = math.inf,
        amps_short: float | None = None,
    ) -> None:
        short = amps_max if amps_short is None else amps_short
        self._rail = Rail(Supply(volts, ohms, amps_max, short, volts_min=volts / 2))
        self._seed = seed
        self._open_v = volts
        self._faults = Faults()
        self._agenda: Agenda[_Thing] = Agenda()
        self._script: list[tuple[int, Happening]] = []
        """What is still to happen, the latest first."""
        self._complaints: list[str] = []
        self._fallen: list[str] = []
        self._now_ns = 0
        self._garbage = 0

    # --- the nodes ------------------------------------------------------------------------------

    def plug(self, now_ns: int, wiring: NodeWiring) -> None:
        """Put a node on the feed; one that is there already keeps its state.

        Raises:
            ValueError: a node of this name has another board or no power, or there are too many.
        """
        self.advance(now_ns)
        known = self._rail.nodes.get(wiring.node)
        if known is not None:
            if known.wiring != wiring:
                raise ValueError(
                    f"node {wiring.node!r} is in the plant with another board: "
                    "give this one another name, or restart the plant"
                )
            self._powered(wiring.node)
            return
        if len(self._rail.nodes) >= NODES_MAX:
            raise ValueError(f"the plant is full: {NODES_MAX} nodes")
        node = Node(wiring, seeded(self._seed, wiring.node), now_ns, self._open_v)
        for source in node.sources.values():
            source.follow(now_ns, not self._rail.supply.is_lost)
        self._rail.join(now_ns, node)
        self._changed(now_ns, node, *node.loads.values(), *node.sources.values())

    def drive(self, now_ns: int, node: str, gpio: int, level: bool | None) -> None:
        """Drive a pin high or low, or (None) make it an input.

        Raises:
            ValueError: there is no such node, or it has no power.
        """
        self._pin(now_ns, node, gpio, lambda load: load.drive(now_ns, level), level is None)

    def modulate(self, now_ns: int, node: str, gpio: int, duty: float, hz: float = 100.0) -> None:
        """Drive a pin high for `duty` of the time, 0 to 1, `hz` times a second.

        Raises:
            ValueError: there is no such node, duty or frequency, or the node has no power.
        """
        self._pin(now_ns, node, gpio, lambda load: load.modulate(now_ns, duty, hz), False)

    def levels(self, node: str) -> dict[int, bool | None]:
        """Say how the node's pins are driven."""
        return {gpio: load.level for gpio, load in self._node(node).pins.items()}

    # --- what the script of a demo or a test does -----------------------------------------------

    def set_source(self, now_ns: int, node: str, meter: str, watts: float) -> None:
        """Let the source behind this meter give so much: a cloud, the sun again."""
        self.advance(now_ns)
        source = self._source(node, meter)
        source.set(now_ns, watts)
        self._changed(now_ns, self._node(node), source)

    def cloud(self, now_ns: int, node: str, meter: str, through: float) -> None:
        """Let a cloud stand before a panel that lets through this share, 0 to 1."""
        self.advance(now_ns)
        panel = self._source(node, meter)
        if not isinstance(panel, Panel):
            raise ValueError(f"behind meter {meter!r} of node {node!r} is no solar panel")
        panel.cloud(through)
        self._changed(now_ns, self._node(node), panel)

    def set_load(self, now_ns: int, node: str, output: str, draw_w: float) -> None:
        """Let a load draw so much once it runs; its nameplate still bounds it, unless it lies."""

        def change(load: Load) -> None:
            load.draw_w = draw_w

        self._touch(now_ns, node, output, change)

    def weld(self, now_ns: int, node: str, output: str, welded: bool) -> None:
        """Weld a contact (it opens no more), or repair it."""
        self._touch(now_ns, node, output, lambda load: load.weld(now_ns, welded))

    def stick(self, now_ns: int, node: str, output: str, stuck: bool) -> None:
        """Let a contact stick open (it closes no more), or repair it."""
        self._touch(now_ns, node, output, lambda load: load.stick(now_ns, stuck))

    def bounce(self, now_ns: int, node: str, output: str, bounces: int, bounce_s: float) -> None:
        """Let a contact bounce so often, within so many seconds, at every closing from now on."""
        self._touch(now_ns, node, output, lambda load: load.contact.bounce(bounces, bounce_s))

    def surround(self, now_ns: int, node: str, output: str, ambient_c: float) -> None:
        """Let a thermal load stand in another temperature, degrees Celsius."""
        self._touch(now_ns, node, output, lambda load: load.surround(now_ns, ambient_c))

    def brown_out(self, now_ns: int, node: str) -> None:
        """Dip the supply of a node's chips: each forgets its registers."""
        self.advance(now_ns)
        dipped = self._node(node)
        self._rail.memory.touch(now_ns, node)
        dipped.reset_chips(now_ns)

    def cut(self, now_ns: int, node: str) -> None:
        """Cut a node's own supply: it goes down, and its pins become inputs."""
        self.advance(now_ns)
        down = self._node(node)
        down.is_cut = True
        if down.is_up:
            down.fall(now_ns)
            self._fallen.append(node)
        self._changed(now_ns, down, None, *down.loads.values())

    def restore(self, now_ns: int, node: str) -> None:
        """Give a node its supply back; it comes up if the rail lets it."""
        self.advance(now_ns)
        up = self._node(node)
        if up.is_cut:
            up.is_cut = False
            up.rise(now_ns, self.feed.volts)
            self._changed(now_ns, up, None)

    def lose_feed(self, now_ns: int, lost: bool = True) -> None:
        """Take the feed away from everybody, or give it back."""
        self.advance(now_ns)
        self._rail.set_supply(is_lost=lost)
        for node in self._rail.nodes.values():
            for source in node.sources.values():
                source.follow(now_ns, not lost)
                self._agenda.plan((node, source), source.next_ns)
        self._settle(now_ns, list(self._rail.nodes.values()))

    def set_feed(self, now_ns: int, **changes: float) -> None:
        """Change the feed: `open_v`, `ohms`, `amps_max`, `amps_short` (see `feed.Supply`).

        Raises:
            ValueError: no feed is like that.
        """
        self.advance(now_ns)
        if "amps_max" in changes:
            changes.setdefault("amps_short", changes["amps_max"])
        self._rail.set_supply(**changes)
        self._settle(now_ns, ())

    def faults(self, node: str, bus: int) -> FaultBook:
        """Give the book of faults of a node's bus; the node may come later."""
        return self._faults.book(node, bus)

    def follow(self, script: Iterable[tuple[int, Happening]]) -> None:
        """Let these happen, each at its moment, ns; those of one moment in their order."""
        self._script += script
        self._script.sort(key=lambda entry: entry[0], reverse=True)

    # --- the bus --------------------------------------------------------------------------------

    def read_word(self, now_ns: int, node: str, bus: int, address: int, register: int) -> int:
        """Read a register of a chip.

        Raises:
            OSError: as the kernel would: nobody acknowledges (121), or the bus hangs (110).
        """
        self.advance(now_ns)
        garbled = self._faults.befall(node, bus, address)
        chip = self._chip(node, bus, address)
        if garbled or register not in chip.registers:
            self._garbage += 1
            return bits(self._seed, self._garbage) & 0xFFFF
        self._rail.memory.touch(now_ns, node)
        return chip.read(now_ns, register)

    def write_word(
        self, now_ns: int, node: str, bus: int, address: int, register: int, value: int
    ) -> None:
        """Write a register of a chip.

        Raises:
            OSError: as the kernel would: nobody acknowledges (121), or the bus hangs (110).
        """
        self.advance(now_ns)
        self._faults.befall(node, bus, address)
        chip = self._chip(node, bus, address)
        if register in chip.registers:
            self._rail.memory.touch(now_ns, node)
            chip.write(now_ns, register, value)

    # --- time and truth -------------------------------------------------------------------------

    @property
    def feed(self) -> Feed:
        """How the feed stands now."""
        return self._rail.feed

    @property
    def next_change_ns(self) -> int | None:
        """When something changes by itself; None if nothing does."""
        next_ns = self._agenda.next_ns
        if not self._script:
            return next_ns
        return self._script[-1][0] if next_ns is None else min(next_ns, self._script[-1][0])

    def advance(self, now_ns: int) -> None:
        """Let time pass, through every change on the way."""
        assert now_ns >= self._now_ns, "time does not go back"
        while (due_ns := self.next_change_ns) is not None and due_ns <= now_ns:
            due_ns = max(due_ns, self._now_ns)
            self._now_ns = due_ns
            dirty = [self._happen(due_ns, thing) for thing in self._agenda.take(due_ns)]
            if dirty:
                self._settle(due_ns, dirty)
            while self._script and self._script[-1][0] <= due_ns:
                _, happening = self._script.pop()
                try:
                    happening(self, due_ns)
                except ValueError as fault:
                    self._complaints.append(str(fault))
        self._now_ns = now_ns

    def draws(self, now_ns: int) -> dict[str, Draw]:
        """Give the true draw of every node at this moment."""
        self.advance(now_ns)
        return {name: node.draw for name, node in self._rail.nodes.items()}

    def take_draws(self) -> list[Draw]:
        """Hand out what changed since the last call, in order of time."""
        return self._rail.take_draws()

    def take_complaints(self) -> list[str]:
        """Hand out what the script could not do since the last call."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def take_fallen(self) -> list[str]:
        """Hand out the nodes that went down since the last call."""
        fallen, self._fallen = self._fallen, []
        return fallen

    def energy(self, now_ns: int) -> Energy:
        """Give what was delivered since the beginning, J."""
        self.advance(now_ns)
        return self._rail.energy(now_ns)

    def state(self, now_ns: int, name: str) -> Node:
        """Give a node as it is now, to look at.

        Raises:
            ValueError: there is none of this name.
        """
        self.advance(now_ns)
        return self._node(name)

    # --- changes --------------------------------------------------------------------------------

    def _pin(
        self, now_ns: int, name: str, gpio: int, change: Callable[[Load], None], lets_go: bool
    ) -> None:
        self.advance(now_ns)
        node = self._node(name) if lets_go else self._powered(name)
        load = node.pins.get(gpio)
        if load is not None:
            change(load)
            self._changed(now_ns, node, load)

    def _touch(self, now_ns: int, name: str, output: str, change: Callable[[Load], None]) -> None:
        self.advance(now_ns)
        load = self._load(name, output)
        change(load)
        self._changed(now_ns, self._node(name), load)

    def _changed(self, now_ns: int, node: Node, *things: Load | Source | None) -> None:
        self._plan(now_ns, node, *things)
        self._settle(now_ns, [node])

    def _settle(self, now_ns: int, dirty: Iterable[Node]) -> None:
        self._now_ns = now_ns
        for fallen in self._rail.settle(now_ns, list(dirty)):
            self._fallen.append(fallen.wiring.node)
            self._plan(now_ns, fallen, None, *fallen.loads.values())

    def _happen(self, now_ns: int, thing: _Thing) -> Node:
        node, part = thing
        if part is None:
            node.rise(now_ns, self.feed.volts)
        else:
            part.advance(now_ns)
        self._plan(now_ns, node, part)
        return node

    def _plan(self, now_ns: int, node: Node, *parts: Load | Source | None) -> None:
        for part in parts:
            if part is None:
                next_ns = node.next_change_ns(now_ns)
            else:
                next_ns = part.next_change_ns(now_ns) if isinstance(part, Load) else part.next_ns
            self._agenda.plan((node, part), next_ns)

    # --- names ----------------------------------------------------------------------------------

    def _chip(self, name: str, bus: int, address: int) -> MockChip:
        node = self._node(name)
        chip = node.chips.get((bus, address))
        if chip is None or node.is_dark:
            raise bus_error(ERRNO[Fault.NACK])
        return chip

    def _node(self, name: str) -> Node:
        node = self._rail.nodes.get(name)
        if node is None:
            known = ", ".join(self._rail.nodes) or "none"
            raise ValueError(f"the plant knows no node {name!r}: {known}")
        return node

    def _powered(self, name: str) -> Node:
        node = self._node(name)
        if not node.is_up:
            raise ValueError(f"node {name!r} has no power: nothing runs on it until it comes up")
        return node

    def _load(self, node: str, output: str) -> Load:
        load = self._node(node).loads.get(output)
        if load is None:
            raise ValueError(f"node {node!r} has no output {output!r}")
        return load

    def _source(self, node: str, meter: str) -> Source:
        source = self._node(node).sources.get(meter)
        if source is None:
            raise ValueError(f"node {node!r} has no meter {meter!r}")
        return source
