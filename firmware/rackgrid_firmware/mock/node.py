"""A node in the plant: its electronics, loads, sources and chips, and what it truly draws.

The whole node goes down when the rail falls to `dead_v`: its electronics draw nothing, its pins
become inputs, its meters are without supply. A second after that it comes up again, if the rail
lets it; whoever drove its pins has to begin anew, as a Pi that boots does. The meters alone lose
their registers at `reset_v`; a relay that closes on a soft feed is enough for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid_firmware.mock.chance import seeded
from rackgrid_firmware.mock.demand import NOTHING, Demand, Drawn
from rackgrid_firmware.mock.load import Load
from rackgrid_firmware.mock.shelf import MockChip, make_chip, pace_of
from rackgrid_firmware.mock.source import Source, source
from rackgrid_firmware.mock.wiring import ChipWiring, NodeWiring

RESTART_NS = 1_000_000_000
"""A node that went down comes up again after this, ns: no power supply is faster."""
TOLD_SHARE = 1e-3
"""A draw that only follows the voltage is told anew when it has moved by this fraction."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a node truly draws, from `t_ns` on.

    Attributes:
        t_ns: when it became so, ns.
        node: its name.
        watts: all of it, W; the sum of the next two.
        required_w: electronics and required loads, W.
        flexible_w: all other loads, W.
        loads: W of each load, by output name; of one that switches by itself the mean.
    """

    t_ns: int
    node: str
    watts: float
    required_w: float
    flexible_w: float
    loads: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the parts of a node ask for and give, until something changes.

    Attributes:
        base: of the electronics; drawn: of the loads, in their order.
        given_w: of the sources to the rail, in their order, W.
        terminals: volts and amperes where a source's meter sits, None at the rail.
        is_dark: whether the meters are without supply.
    """

    base: Demand
    drawn: tuple[Drawn, ...]
    given_w: tuple[float, ...]
    terminals: tuple[tuple[float, float] | None, ...]
    is_dark: bool


class Probe:
    """A channel of a chip and what it is wired to.

    Args:
        wiring: of it.
        sees: the numbers of the loads that it meters.
        number: its own, and its source's.
        chip: with its registers.
    """

    def __init__(
        self, wiring: ChipWiring, sees: tuple[int, ...], number: int, chip: MockChip
    ) -> None:
        self._wiring = wiring
        self._chip = chip
        self._sees = sees
        self._number = number

    def feel(
        self, t_ns: int, volts: float, base_w: float, loads: list[float], now: Snapshot
    ) -> None:
        """Put what is there at the chip's inputs, from now on."""
        bus_v, watts, terminals = volts, 0.0, now.terminals[self._number]
        if now.is_dark or volts <= 0:
            self._chip.feel(t_ns, 0.0, 0.0, self._wiring.channel)
            return
        if self._sees:
            watts = sum(loads[number] for number in self._sees)
        elif terminals is not None:
            bus_v, watts = terminals[0], terminals[0] * terminals[1]
        elif self._wiring.has_source or now.given_w[self._number] != 0:
            watts = now.given_w[self._number]
        else:
            watts = base_w + sum(loads)
        shunt_v = watts / bus_v * self._wiring.shunt_ohms
        self._chip.feel(t_ns, shunt_v, bus_v, self._wiring.channel)


class Node:
    """One node.

    Args:
        wiring: what is on it.
        seed: of its chance.
        now_ns: when it is plugged in, ns.
        volts: where its loads draw what its profile says, V.
    """

    def __init__(self, wiring: NodeWiring, seed: int, now_ns: int, volts: float) -> None:
        self.wiring = wiring
        self.loads = {
            load.name: Load(load, seeded(seed, load.name), volts=volts, now_ns=now_ns)
            for load in wiring.loads
        }
        self.pins = {load.wiring.gpio: load for load in self.loads.values()}
        self.sources: dict[str, Source] = {}
        self.chips: dict[tuple[int, int], MockChip] = {}
        """By bus and address."""
        self._probes: list[Probe] = []
        names = [load.meter for load in wiring.loads]
        for number, chip in enumerate(wiring.chips):
            self.sources[chip.name] = source(now_ns, chip, seed)
            sees = tuple(index for index, meter in enumerate(names) if meter == chip.name)
            place = chip.bus, chip.address
            if place not in self.chips:
                own = seeded(seed, chip.name)
                real = make_chip(chip.driver, now_ns, seed=own, pace=chip.pace or pace_of(own))
                self.chips[place] = real
            self._probes.append(Probe(chip, sees, number, self.chips[place]))
        self.is_up = True
        self.is_cut = False
        """Whether its own supply is cut, whatever the rail does."""
        self.is_dark = False
        self.rises_ns: int | None = None
        self.told: Draw | None = None
        self.joules = dict.fromkeys(("", *self.loads), 0.0)
        """Drawn until the last change: "" the electronics', then each load's, J."""
        self.given_j = dict.fromkeys(self.sources, 0.0)
        self._since_ns = now_ns
        self._watts = dict.fromkeys(self.joules, 0.0)
        self._given_w = dict.fromkeys(self.sources, 0.0)
        self.measure(now_ns)
        self.draw = self._draw(now_ns)

    # --- up and down ----------------------------------------------------------------------------

    def fall(self, now_ns: int) -> None:
        """Go down: the pins become inputs."""
        self.is_up = False
        self.rises_ns = now_ns + RESTART_NS
        for load in self.loads.values():
            load.drive(now_ns, None)

    def next_change_ns(self, now_ns: int) -> int | None:  # noqa: ARG002  # as a load's
        """Say when it tries to come up again."""
        return None if self.is_up or self.is_cut else self.rises_ns

    def rise(self, now_ns: int, volts: float) -> None:
        """Come up, if the rail lets it; else try later."""
        if volts > self.wiring.mock.dead_v:
            self.is_up, self.rises_ns = True, None
        else:
            self.rises_ns = now_ns + RESTART_NS

    # --- what it draws --------------------------------------------------------------------------

    def measure(self, now_ns: int) -> None:
        """Take down what its parts ask for and give."""
        self.snapshot = Snapshot(
            base=Demand(self.wiring.base_w) if self.is_up else NOTHING,
            drawn=tuple(load.drawn(now_ns) for load in self.loads.values()),
            given_w=tuple(source.watts for source in self.sources.values()),
            terminals=tuple(source.terminals for source in self.sources.values()),
            is_dark=self.is_dark,
        )
        drawn = self.snapshot.drawn
        self.siemens = sum(each.demand.siemens * each.share for each in drawn)
        self.power_w = self.snapshot.base.power_w - sum(self.snapshot.given_w)
        self.power_w += sum(each.demand.power_w * each.share for each in drawn)
        self.ripples = tuple(each for each in drawn if each.ripple is not None)

    def reckon(self, now_ns: int, volts: float, volts_min: float) -> None:
        """Work out its draw at a rail of so many volts, and count what it drew until now."""
        self.count(now_ns)
        now = self.snapshot
        self._watts[""] = now.base.watts(volts, volts_min)
        for name, each in zip(self.loads, now.drawn, strict=True):
            self._watts[name] = each.demand.watts(volts, volts_min) * each.share
        for name, watts in zip(self.sources, now.given_w, strict=True):
            self._given_w[name] = Demand(watts).watts(volts, volts_min)
        self.draw = self._draw(now_ns)

    def count(self, now_ns: int) -> None:
        """Add up what it drew and gave since the last time."""
        passed_s = (now_ns - self._since_ns) / 1e9
        self._since_ns = now_ns
        for name, watts in self._watts.items():
            self.joules[name] += watts * passed_s
        for name, watts in self._given_w.items():
            self.given_j[name] += watts * passed_s

    def news(self, *, own: bool) -> Draw | None:
        """Give the draw if it is to be told.

        Args:
            own: whether something of its own changed, and not the voltage alone.
        """
        told, draw = self.told, self.draw
        if told is not None and told.loads == draw.loads and told.watts == draw.watts:
            return None
        if told is not None and not own:
            moved = (abs(watts - told.loads[name]) for name, watts in draw.loads.items())
            if max(*moved, abs(draw.watts - told.watts)) <= TOLD_SHARE * told.watts:
                return None
        self.told = draw
        return draw

    def _draw(self, now_ns: int) -> Draw:
        required_w, flexible_w = self._watts[""], 0.0
        for name, load in self.loads.items():
            if load.wiring.required:
                required_w += self._watts[name]
            else:
                flexible_w += self._watts[name]
        loads = {name: self._watts[name] for name in self.loads}
        total_w = required_w + flexible_w
        return Draw(now_ns, self.wiring.node, total_w, required_w, flexible_w, loads)

    # --- what its chips feel --------------------------------------------------------------------

    def feel(
        self, t_ns: int, now: Snapshot, volts: float, volts_min: float, *, instant: bool
    ) -> None:
        """Put what a snapshot says at the chips' inputs, from `t_ns` on.

        Args:
            instant: whether loads that switch by themselves are shown as they are at this very
                moment; else their mean.
        """
        loads = [
            each.demand.watts(volts, volts_min)
            * (float(each.is_on(t_ns)) if instant else each.share)
            for each in now.drawn
        ]
        base_w = now.base.watts(volts, volts_min)
        for probe in self._probes:
            probe.feel(t_ns, volts, base_w, loads, now)

    def reset_chips(self, now_ns: int) -> None:
        """Let the chips come out of a brown-out."""
        for chip in self.chips.values():
            chip.brown_out(now_ns)
