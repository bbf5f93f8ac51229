"""A desk for meter drivers: each on its register-true chip, on a clock that the test moves.

`Kind` says what a driver's datasheet promises, `Desk` is one chip on a bus that counts what crosses
it, and can lose the chip's supply in front of any transfer.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec

import pytest

from rackgrid_firmware.chip import Chips
from rackgrid_firmware.i2c import Bus
from rackgrid_firmware.meter import Chip, Pacing
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.fault import FaultBook
from rackgrid_firmware.mock.shelf import MockChip, make_chip
from rackgrid_firmware.profile import MeterMock, MeterProfile
from rackgrid_firmware.registers import Sample

ADDRESS = 0x41
LOOKS_MAX = 24


@dataclass(frozen=True)
class Kind:
    """A driver, with what is expected of it.

    Attributes:
        driver: as a board profile names it.
        ohms: of the shunt.
        full_a: where the converter ends, A; a little more on the negative side.
        amps_lsb, volts_lsb: steps of the readings.
        transfers: of a sample while all is well, and with a reading of zero.
        power_on: the configuration after a reset.
        channels: to be wired; the last one is tested.
        knows_itself: whether the chip has ids.
    """

    driver: str
    ohms: float
    full_a: float
    amps_lsb: float
    volts_lsb: float
    power_on: int
    transfers: tuple[int, int] = (3, 4)
    channels: int = 1
    knows_itself: bool = True


INA219 = Kind("ina219", 0.1, 3.2, 1e-4, 4e-3, 0x399F, knows_itself=False)
INA226 = Kind("ina226", 0.01, 8.19175, 2.5e-4, 1.25e-3, 0x4127)
INA260 = Kind("ina260", 0.002, 40.95875, 1.25e-3, 1.25e-3, 0x6127)
INA3221 = Kind("ina3221", 0.01, 16.38, 4e-3, 8e-3, 0x7127)
KINDS = [
    INA219,
    pytest.param(
        replace(INA219, driver="pi-ina219", transfers=(5, 6)),
        marks=[
            pytest.mark.oracle,
            pytest.mark.skipif(find_spec("ina219") is None, reason="no pi-ina219 extra"),
        ],
        id="pi-ina219",
    ),
    INA226,
    INA260,
    INA3221,
    pytest.param(replace(INA3221, channels=3, transfers=(7, 8)), id="ina3221 of three"),
]
"""Every driver that talks to a chip itself."""


class Desk:
    """One chip on a bus."""

    def __init__(self, kind: Kind, pace: float = 1.0) -> None:
        self.kind = kind
        self.now_ns = 1_000_000
        self.faults = FaultBook()
        self.transfers: list[tuple[str, int]] = []
        self.limit_a = 0.0
        """The lowest current that trips what is behind the last channel, A."""
        self.dip_after: int | None = None
        """So many transfers from now the chip loses its supply for an instant."""
        self.chip: MockChip = make_chip(kind.driver, self.now_ns, noise=0.0, pace=pace)
        self.port = ChipPort({ADDRESS: self.chip}, lambda: self.now_ns)
        self.bus = Bus(1, lambda number: _CountingBus(self))

    def plug(self, chip: MockChip) -> None:
        """Put another chip into the place."""
        self.chip = chip
        self.port = ChipPort({ADDRESS: chip}, lambda: self.now_ns)

    def open(self, **profile: object) -> Chip:
        """Make the driver, of the last channel that is wired."""
        chips = Chips(lambda: self.now_ns)
        wired = range(1, self.kind.channels + 1)
        return [
            chips.open(self.profile(each, **profile), self.bus, self.limit_a) for each in wired
        ][-1]

    def profile(self, channel: int = 1, **changes: object) -> MeterProfile:
        """Make a meter's profile as a board would have it."""
        kind = self.kind
        whole = MeterProfile(
            f"m{channel}",
            kind.driver,
            1,
            ADDRESS,
            kind.ohms,
            0.0,
            "energy",
            1.0,
            0.0,
            MeterMock(),
            channel,
        )
        return replace(whole, **changes)  # type: ignore[arg-type]

    def opened(self, **profile: object) -> Chip:
        """Make the driver and wait for its first conversion."""
        driver = self.open(**profile)
        assert driver.sample() is None
        self.convert(driver)
        return driver

    def feel(self, volts: float, amps: float) -> None:
        """Put a load behind the last channel; the others see something else."""
        for channel in range(1, self.kind.channels):
            self.chip.feel(self.now_ns, -0.01 * channel, 1.0, channel)
        self.chip.feel(self.now_ns, amps * self.kind.ohms, volts, self.kind.channels)

    def convert(self, driver: Chip) -> None:
        """Let two conversions pass: the first may have begun before the inputs changed."""
        self.now_ns += 2 * driver.period_ns + 1

    def next(self, driver: Chip) -> Sample:
        """Do what the sampler does until there is a new conversion."""
        assert isinstance(driver, Pacing)
        for _ in range(LOOKS_MAX):
            self.now_ns = max(self.now_ns, driver.due_ns)
            if sample := driver.sample():
                return sample
        raise AssertionError(f"no conversion in {LOOKS_MAX} looks")

    def configuration(self) -> int:
        """Look into the chip, past the bus."""
        return self.chip.read(self.now_ns, 0)

    @contextmanager
    def stuck_bus(self) -> Generator[None]:
        """Let the data line hang at high: all ones."""
        port, self.port = self.port, _Ones({})
        yield
        self.port = port


class _Ones(ChipPort):
    def read_word(self, address: int, register: int) -> int:
        return 0xFFFF

    def write_word(self, address: int, register: int, value: int) -> None:
        pass


class _CountingBus(MockSMBus):
    """Counts, and dips the supply, in front of each transfer."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.port, desk.faults, hang_s=0.0)
        self._desk = desk

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        self._before("r", register)
        return super().read_word_data(i2c_addr, register, force)

    def write_word_data(
        self, i2c_addr: int, register: int, value: int, force: bool | None = None
    ) -> None:
        self._before("w", register)
        super().write_word_data(i2c_addr, register, value, force)

    def _before(self, what: str, register: int) -> None:
        desk = self._desk
        self._port = desk.port
        desk.transfers.append((what, register))
        if desk.dip_after is not None:
            desk.dip_after -= 1
            if desk.dip_after < 0:
                desk.dip_after = None
                desk.chip.brown_out(desk.now_ns)
