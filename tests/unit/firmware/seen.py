"""What protection has seen of some outputs, told reading by reading."""

from __future__ import annotations

from dataclasses import dataclass, field

from rackgrid_firmware.device import LEVEL_FULL, Quality, Reading, Verdict
from rackgrid_firmware.protection import (
    Cleared,
    Moved,
    Read,
    Sights,
    Trip,
    Watch,
    begin,
    step,
    verdicts,
)

S = 1_000_000_000
STEP_NS = 68_630_000
VOLTS = 12.0
LAMP = Watch("lamp", "own", False, most_w=12.0, discharge_ns=S)


@dataclass
class Seen:
    """What was seen of some outputs, and every trip that it brought."""

    watches: tuple[Watch, ...]
    now_ns: int = 100 * S
    trips: list[Trip] = field(default_factory=list[Trip])
    sights: Sights = field(init=False)

    def __post_init__(self) -> None:
        self.sights = begin(self.watches, {}, self.now_ns)

    def tell(self, event: Read | Moved | Cleared) -> tuple[Trip, ...]:
        self.sights, trips = step(self.watches, self.sights, event)
        self.trips += trips
        return trips

    def move(self, output: str, on: bool, level: int = LEVEL_FULL) -> None:
        self.tell(Moved(self.now_ns, output, on, level))

    def read(
        self,
        watts: float,
        *,
        samples: int = 1,
        meter: str = "own",
        volts: float = VOLTS,
        quality: Quality = Quality.FRESH,
        step_ns: int = STEP_NS,
    ) -> list[Trip]:
        before = len(self.trips)
        for _ in range(samples):
            self.now_ns += step_ns
            amps = watts / volts if volts else 0.0
            self.tell(Read(Reading(meter, self.now_ns, volts, amps, 0, quality)))
        return self.trips[before:]

    def settle(self, watts: float, meter: str = "own") -> None:
        """Let the last switching pass."""
        self.now_ns += 3 * S
        self.read(watts, meter=meter)

    def verdict(self, output: str = "lamp") -> Verdict:
        return verdicts(self.watches, self.sights)[output]


def on(watch: Watch) -> Seen:
    seen = Seen((watch,))
    seen.move(watch.name, True)
    return seen
