"""A place in the simulated rack: a node's copper, its stores, and the controller of the day."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rackgrid.core.event import Event
from rackgrid.core.node import Node
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import NodeSettings
from rackgrid.identity import NodeId, Pair
from rackgrid.market.offer import Offer
from rackgrid.simulation.dwell import Dwell
from rackgrid.simulation.firmware import SimFirmware

MILLION = 1_000_000
DISK_NS = 5_000_000
"""A write on a good day."""
WAITING_MAX = 400
"""What a socket's buffer holds for a process that stands still; the oldest is lost first."""


@dataclass(slots=True)
class Seat:
    """A place whose copper outlives its controller.

    Attributes:
        id: of the place; identity: of the node in it, whose SD card may be another's copy.
        node: the running controller; None while it is dead.
        clock_ppm: error of its clock's rate, parts per million; clock_start_ns: what it showed when
            the world began.
        life: counts the controller's lives: a dead one's timers are not its heir's.
        power: counts the power-ups: what was on its way to the firmware before is lost.
        kernel: counts the boots of its machine.
        remembered: the pair kept in memory that survives the process.
        roster: the newest on its disk; writing: one on its way; disk_ns: how long a write takes.
        frozen_until_ns: its controller stands still; waiting: what came in the meantime.
        stall_ns: it will stand still for so long before it sends its next price.
        hung_until_ns: its firmware hangs.
        dwell: watches its contacts.
        pledged_life: the first that may have asked for a pledge which has not ended since;
            pledged_until_ns: by then all have ended.
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
    power: int = 0
    kernel: int = 0
    wake_ns: int = -1
    firmware_due_ns: int = -1
    remembered: Pair | None = None
    roster: Roster = NO_ROSTER
    writing: Roster | None = None
    disk_ns: int = DISK_NS
    frozen_until_ns: int = 0
    waiting: deque[Event] = field(default_factory=lambda: deque[Event](maxlen=WAITING_MAX))
    stall_ns: int = 0
    hung_until_ns: int = 0
    dwell: Dwell = field(init=False)
    pledged_life: int = 0
    pledged_until_ns: int = 0
    terms_until: int = 1
    term: int = 0
    identity: NodeId = field(init=False)

    def __post_init__(self) -> None:
        self.dwell = Dwell(self.firmware.rules.stagger_ns)
        self.identity = self.id

    def local_ns(self, true_ns: int) -> int:
        """What this seat's clock shows."""
        return self.clock_start_ns + true_ns + true_ns * self.clock_ppm // MILLION

    def reclock(self, true_ns: int, ppm: int, local_ns: int) -> None:
        """Let the clock show `local_ns` now, and run at another rate from now on."""
        self.clock_ppm = ppm
        self.clock_start_ns = 0
        self.clock_start_ns = local_ns - self.local_ns(true_ns)

    def true_ns(self, local_ns: int) -> int:
        """When this seat's clock shows at least `local_ns`."""
        return -(-(local_ns - self.clock_start_ns) * MILLION // (MILLION + self.clock_ppm))
