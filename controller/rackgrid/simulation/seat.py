"""A place in the simulated rack: a node's copper, its stores, and the controller of the day."""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.core.node import Node
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NodeId, Pair
from rackgrid.market.offer import Offer
from rackgrid.simulation.firmware import SimFirmware

MILLION = 1_000_000


@dataclass(slots=True)
class Seat:
    """A place whose copper outlives its controller.

    Attributes:
        node: the running controller; None while it is dead.
        clock_ppm: error of its clock's rate, parts per million; clock_start_ns: what it showed when
            the world began.
        life: counts the controller's lives: a dead one's timers are not its heir's.
        remembered: the pair kept in memory that survives the process.
        term: the last that it stood for.
        terms_until: the durable reservation of terms.
    """

    id: NodeId
    settings: NodeSettings
    firmware: SimFirmware
    offers: tuple[Offer, ...]
    clock_ppm: int = 0
    clock_start_ns: int = 0
    node: Node | None = None
    life: int = 0
    wake_ns: int = -1
    firmware_due_ns: int = -1
    remembered: Pair | None = None
    terms_until: int = 1
    term: int = 0

    def local_ns(self, true_ns: int) -> int:
        """What this seat's clock shows."""
        return self.clock_start_ns + true_ns + true_ns * self.clock_ppm // MILLION

    def true_ns(self, local_ns: int) -> int:
        """When this seat's clock shows at least `local_ns`."""
        return -(-(local_ns - self.clock_start_ns) * MILLION // (MILLION + self.clock_ppm))
