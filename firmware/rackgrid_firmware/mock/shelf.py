"""The shelf: which register-true chip stands behind a driver, and what all of them can do."""

from __future__ import annotations

from typing import Protocol

from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.ina226 import Ina226Chip, Ina260Chip
from rackgrid_firmware.mock.ina3221 import Ina3221Chip


class MockChip(Protocol):
    """A register-true chip. Pure: time is an argument, ns, and never goes back."""

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

    def read(self, now_ns: int, register: int) -> int:
        """Read a register, most significant byte first."""
        ...

    def write(self, now_ns: int, register: int, value: int) -> None:
        """Write a register; writes to the read-only ones change nothing."""
        ...


def make_chip(driver: str, now_ns: int = 0, *, seed: int = 0, noise: float = 1.0) -> MockChip:
    """Take a chip off the shelf and give it power.

    Args:
        driver: of the meter, as the board profile has it.
        now_ns: when power comes on, ns.
        seed: of the converter's noise.
        noise: 1.0 is the noise of a usual breakout, 0.0 a perfect converter.

    Raises:
        ValueError: no chip stands behind that driver.
    """
    match driver:
        case "ina219" | "pi-ina219":
            return Ina219Chip(now_ns, seed=seed, noise=noise)
        case "ina226":
            return Ina226Chip(now_ns, seed=seed, noise=noise)
        case "ina260":
            return Ina260Chip(now_ns, seed=seed, noise=noise)
        case "ina3221":
            return Ina3221Chip(now_ns, seed=seed, noise=noise)
        case _:
            raise ValueError(f"no mock chip stands behind driver {driver!r}")
