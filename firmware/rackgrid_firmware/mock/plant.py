"""The electrical world behind mock hardware: one feed, the nodes on it, their loads and chips.

Pure: time is an argument, in CLOCK_MONOTONIC nanoseconds, and never goes back; chance comes from
the seed. The same world runs in a process of its own for a mock rack, and inside a unit test.

The feed is a voltage behind a resistance, so every watt that one node draws lowers the voltage that
all chips see. Loads draw constant power, which is how switching regulators behave: the feed's
voltage solves V = V0 - R * P / V. Sources (a panel) give power into the feed. The drop over a shunt
(0.1 ohm: 0.1 V at 1 A) is left out: a chip sees the feed's voltage, and power is what the load
draws.

The plant knows the truth; `take_draws` hands it out, one line for each change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid_firmware.mock.chance import bits, seeded
from rackgrid_firmware.mock.fault import ERRNO, Fault, FaultBook, bus_error
from rackgrid_firmware.mock.load import Load
from rackgrid_firmware.mock.shelf import MockChip, make_chip
from rackgrid_firmware.mock.wiring import ChipWiring, NodeWiring

NODES_MAX = 256


@dataclass(frozen=True, slots=True)
class Draw:
    """What a node truly draws, from `t_ns` on.

    Attributes:
        t_ns: when it became so, ns.
        node: its name.
        watts: all of it, W; the sum of the next two.
        required_w: electronics and required loads, W.
        flexible_w: all other loads, W.
        loads: W of each load, by output name.
    """

    t_ns: int
    node: str
    watts: float
    required_w: float
    flexible_w: float
    loads: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Feed:
    """How the feed stands: volts at the rail, watts that the loads draw less what sources give."""

    volts: float
    watts: float


class _Chip:
    """A channel of a chip and what it is wired to."""

    def __init__(self, wiring: ChipWiring, sees: tuple[Load, ...], chip: MockChip) -> None:
        self.wiring = wiring
        self.sees = sees
        self.chip = chip
        self.source_w = wiring.source_w


class _Node:
    def __init__(self, wiring: NodeWiring, seed: int, now_ns: int) -> None:
        self.wiring = wiring
        self.loads = {load.name: Load(load, seeded(seed, load.name)) for load in wiring.loads}
        self.pins = {load.wiring.gpio: load for load in self.loads.values()}
        self.parts: dict[tuple[int, int], MockChip] = {}
        self.chips: dict[tuple[int, int, int], _Chip] = {}
        for chip in wiring.chips:
            sees = tuple(load for load in self.loads.values() if load.wiring.meter == chip.name)
            part = self.parts.get((chip.bus, chip.address))
            if part is None:
                part = make_chip(chip.driver, now_ns, seed=seeded(seed, chip.name))
                self.parts[chip.bus, chip.address] = part
            self.chips[chip.bus, chip.address, chip.channel] = _Chip(chip, sees, part)
        self.draw: Draw | None = None

    def measure(self, now_ns: int) -> Draw:
        loads = {name: load.watts(now_ns) for name, load in self.loads.items()}
        required_w = self.wiring.base_w
        flexible_w = 0.0
        for load in self.loads.values():
            watts = loads[load.wiring.name]
            if load.wiring.required:
                required_w += watts
            else:
                flexible_w += watts
        name = self.wiring.node
        return Draw(now_ns, name, required_w + flexible_w, required_w, flexible_w, loads)


class Plant:
    """The world of one mock rack.

    Args:
        seed: of all chance.
        volts: of the feed without load, V.
        ohms: between the feed and the rail, ohm.
    """

    def __init__(self, *, seed: int = 0, volts: float = 12.0, ohms: float = 0.02) -> None:
        assert volts > 0, f"a feed of {volts} V"
        assert ohms >= 0, f"a feed with {ohms} ohm"
        self._seed = seed
        self._open_v = volts
        self._ohms = ohms
        self._nodes: dict[str, _Node] = {}
        self._faults: dict[tuple[str, int], FaultBook] = {}
        self._draws: list[Draw] = []
        self._now_ns = 0
        self._next_ns: int | None = None
        self._feed = Feed(volts, 0.0)
        self._garbage = 0

    # --- the nodes ------------------------------------------------------------------------------

    def plug(self, now_ns: int, wiring: NodeWiring) -> None:
        """Put a node on the feed; one that is there already keeps its state.

        Raises:
            ValueError: a node of this name has another board, or there are too many.
        """
        self.advance(now_ns)
        known = self._nodes.get(wiring.node)
        if known is not None:
            if known.wiring != wiring:
                raise ValueError(
                    f"node {wiring.node!r} is in the plant with another board: "
                    "give this one another name, or restart the plant"
                )
            return
        if len(self._nodes) >= NODES_MAX:
            raise ValueError(f"the plant is full: {NODES_MAX} nodes")
        self._nodes[wiring.node] = _Node(wiring, seeded(self._seed, wiring.node), now_ns)
        self._settle(now_ns)

    def drive(self, now_ns: int, node: str, gpio: int, level: bool | None) -> None:
        """Drive a pin high or low, or (None) make it an input."""
        self.advance(now_ns)
        load = self._node(node).pins.get(gpio)
        if load is not None:
            load.drive(now_ns, level)
            self._settle(now_ns)

    def levels(self, node: str) -> dict[int, bool | None]:
        """Say how the node's pins are driven."""
        return {gpio: load.level for gpio, load in self._node(node).pins.items()}

    # --- what the script of a demo or a test does -----------------------------------------------

    def set_source(self, now_ns: int, node: str, meter: str, watts: float) -> None:
        """Let the source behind this meter give so much: a cloud, the sun again."""
        self.advance(now_ns)
        for chip in self._node(node).chips.values():
            if chip.wiring.name == meter:
                chip.source_w = watts
                self._settle(now_ns)
                return
        raise ValueError(f"node {node!r} has no meter {meter!r}")

    def set_load(self, now_ns: int, node: str, output: str, draw_w: float) -> None:
        """Let a load draw so much once it runs; its nameplate still bounds it."""
        self.advance(now_ns)
        self._load(node, output).draw_w = draw_w
        self._settle(now_ns)

    def weld(self, now_ns: int, node: str, output: str, welded: bool) -> None:
        """Weld a contact (it opens no more), or repair it."""
        self.advance(now_ns)
        self._load(node, output).weld(now_ns, welded)
        self._settle(now_ns)

    def brown_out(self, now_ns: int, node: str) -> None:
        """Dip the supply of a node's chips: each forgets its registers."""
        for part in self._node(node).parts.values():
            part.brown_out(now_ns)

    def faults(self, node: str, bus: int) -> FaultBook:
        """Give the book of faults of a node's bus; the node may come later."""
        return self._faults.setdefault((node, bus), FaultBook())

    # --- the bus --------------------------------------------------------------------------------

    def read_word(self, now_ns: int, node: str, bus: int, address: int, register: int) -> int:
        """Read a register of a chip.

        Raises:
            OSError: as the kernel would: nobody acknowledges (121), or the bus hangs (110).
        """
        garbled = self._transfer(node, bus, address)
        chip = self._chip(node, bus, address)
        self.advance(now_ns)
        if garbled or register not in chip.registers:
            self._garbage += 1
            return bits(self._seed, self._garbage) & 0xFFFF
        return chip.read(now_ns, register)

    def write_word(
        self, now_ns: int, node: str, bus: int, address: int, register: int, value: int
    ) -> None:
        """Write a register of a chip.

        Raises:
            OSError: as the kernel would: nobody acknowledges (121), or the bus hangs (110).
        """
        self._transfer(node, bus, address)
        chip = self._chip(node, bus, address)
        self.advance(now_ns)
        if register in chip.registers:
            chip.write(now_ns, register, value)

    # --- time and truth -------------------------------------------------------------------------

    @property
    def feed(self) -> Feed:
        """How the feed stands now."""
        return self._feed

    @property
    def next_change_ns(self) -> int | None:
        """When something changes by itself; None if nothing does."""
        return self._next_ns

    def advance(self, now_ns: int) -> None:
        """Let time pass, through every change on the way."""
        assert now_ns >= self._now_ns, "time does not go back"
        while self._next_ns is not None and self._next_ns <= now_ns:
            self._settle(self._next_ns)
        self._now_ns = now_ns

    def draws(self, now_ns: int) -> dict[str, Draw]:
        """Give the true draw of every node at this moment."""
        self.advance(now_ns)
        return {name: node.draw for name, node in self._nodes.items() if node.draw is not None}

    def take_draws(self) -> list[Draw]:
        """Hand out what changed since the last call, in order of time."""
        draws, self._draws = self._draws, []
        return draws

    def _settle(self, now_ns: int) -> None:
        """Find the new state of everything after something changed."""
        self._now_ns = now_ns
        total_w = 0.0
        for node in self._nodes.values():
            draw = node.measure(now_ns)
            if node.draw is None or draw.loads != node.draw.loads:
                node.draw = draw
                self._draws.append(draw)
            total_w += draw.watts - sum(chip.source_w for chip in node.chips.values())
        self._feed = Feed(self._volts(total_w), total_w)
        for node in self._nodes.values():
            self._show(node, now_ns)
        changes = (
            load.next_change_ns(now_ns)
            for node in self._nodes.values()
            for load in node.loads.values()
        )
        self._next_ns = min((at for at in changes if at is not None), default=None)

    def _show(self, node: _Node, now_ns: int) -> None:
        """Put the new voltages at the inputs of a node's chips."""
        assert node.draw is not None
        volts = self._feed.volts
        for chip in node.chips.values():
            if chip.sees:
                watts = sum(node.draw.loads[load.wiring.name] for load in chip.sees)
            else:
                watts = chip.source_w or (0.0 if chip.wiring.source_w else node.draw.watts)
            shunt_v = watts / volts * chip.wiring.shunt_ohms
            chip.chip.feel(now_ns, shunt_v, volts, chip.wiring.channel)

    def _volts(self, watts: float) -> float:
        """Solve V = V0 - R * P / V; beyond the most that the feed can give it holds V0 / 2."""
        square = self._open_v * self._open_v - 4.0 * self._ohms * watts
        return (self._open_v + math.sqrt(max(0.0, square))) / 2.0

    def _transfer(self, node: str, bus: int, address: int) -> bool:
        """Let a scripted fault happen; say whether the transfer is garbled."""
        book = self._faults.get((node, bus))
        fault = None if book is None else book.take(address)
        if fault is None or fault is Fault.GARBAGE:
            return fault is Fault.GARBAGE
        raise bus_error(ERRNO[fault])

    def _chip(self, node: str, bus: int, address: int) -> MockChip:
        part = self._node(node).parts.get((bus, address))
        if part is None:
            raise bus_error(ERRNO[Fault.NACK])
        return part

    def _node(self, node: str) -> _Node:
        known = self._nodes.get(node)
        if known is None:
            raise ValueError(
                f"the plant knows no node {node!r}: {', '.join(self._nodes) or 'none'}"
            )
        return known

    def _load(self, node: str, output: str) -> Load:
        load = self._node(node).loads.get(output)
        if load is None:
            raise ValueError(f"node {node!r} has no output {output!r}")
        return load
