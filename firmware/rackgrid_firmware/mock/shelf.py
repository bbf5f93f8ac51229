"""The shelf: which register-true chip stands behind a driver, and what all of them can do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from rackgrid_firmware.mock.chance import seeded, uniform
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.ina226 import Ina226Chip, Ina260Chip
from rackgrid_firmware.mock.ina3221 import Ina3221Chip

PACE_SPREAD: Final = 0.05
"""Each chip's clock is off its typical rate by up to so much. The datasheets bound it only from
above, by 10 %; of the size that a factory's trim leaves."""


class MockChip(Protocol):
    """A register-true chip. Pure: time is an argument, ns, and never goes back."""

    @property
    def converted(self) -> Mapping[int, int]:
        """Conversions finished since the start, by data register, for whoever checks a reader."""
        ...

    @property
    def registers(self) -> frozenset[int]:
        """The registers that it has; a real chip answers others with undefined bytes."""
        ...

    def feel(self, now_ns: int, shunt_v: float, bus_v: float, channel: int = 1) -> None:
        """Put these voltages at the inputs of a channel, from now on."""
        ...

    def brown_out(self, now_ns: int) -> None:
        """Lose the supply for a moment: every register is as after power-on."""
        ...

    def halt(self, now_ns: int) -> None:
        """Let the converter stand still, with its registers as they are, until it is configured."""
        ...

    def read(self, now_ns: int, register: int) -> int:
        """Read a register, most significant byte first."""
        ...

    def write(self, now_ns: int, register: int, value: int) -> None:
        """Write a register; writes to the read-only ones change nothing."""
        ...


def pace_of(seed: int) -> float:
    """Draw how long a chip's conversions take, by the typical time; the same for the same seed."""
    return 1.0 + PACE_SPREAD * uniform(seeded(seed, "pace"), 0)


def make_chip(
    driver: str, now_ns: int = 0, *, seed: int = 0, noise: float = 1.0, pace: float = 1.0
) -> MockChip:
    """Take a chip off the shelf and give it power.

    Args:
        driver: of the meter, as the board profile has it.
        now_ns: when power comes on, ns.
        seed: of the converter's noise.
        noise: 1.0 is the noise of a usual breakout, 0.0 a perfect converter.
        pace: how long its conversions take, by the typical time.

    Raises:
        ValueError: no chip stands behind that driver.
    """
    match driver:
        case "ina219" | "pi-ina219":
            return Ina219Chip(now_ns, seed=seed, noise=noise, pace=pace)
        case "ina226":
            return Ina226Chip(now_ns, seed=seed, noise=noise, pace=pace)
        case "ina260":
            return Ina260Chip(now_ns, seed=seed, noise=noise, pace=pace)
        case "ina3221":
            return Ina3221Chip(now_ns, seed=seed, noise=noise, pace=pace)
        case _:
            raise ValueError(f"no mock chip stands behind driver {driver!r}")
