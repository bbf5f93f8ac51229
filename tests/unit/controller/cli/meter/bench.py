"""A bench to calibrate at: a plant with one meter before one load, and a profile that misjudges it.

The plant's chip sits behind the shunt that is really there; the profile on the disk may name
another value, as a marking with a tolerance does.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rackgrid_firmware.mock.client import PlantControl, RemotePins
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.process import PlantProcess
from rackgrid_firmware.mock.wiring import wiring
from rackgrid_firmware.profile_file import load_profile

VOLTS = 12.0
PROFILE = """\
# the bench
[board]
name = "bench"
driver = "mock"
base_w = 1.0

[[meter]]
name = "load"       # in front of the lamp
address = 0x40
shunt_ohms = {ohms} # R100, they say
amps_max = 1.5
profile = "fast"

[[output]]
name = "lamp"
gpio = 17
nominal_w = 36.0
meter = "load"
mock = {{ draw_w = 12.0, noise = 0.0 }}
"""


@dataclass
class Bench:
    """The bench: where it is, and its load."""

    plant: str
    profile: Path
    pins: RemotePins
    control: PlantControl

    @property
    def words(self) -> list[str]:
        """The arguments that lead to it."""
        return ["--profile", str(self.profile), "--plant", self.plant, "--node", "n1"]

    def set(self, amps: float) -> None:
        """Let a current flow."""
        self.control.set_load("n1", "lamp", amps * VOLTS)
        self.pins.drive(17, amps > 0)


@contextmanager
def bench(folder: Path, ohms: float = 0.1) -> Generator[Bench]:
    """Set up a bench whose shunt has 0.1 ohm, while its profile says `ohms`."""
    path = str(folder / "plant")
    process = PlantProcess(Plant(volts=VOLTS, ohms=0.0), path)
    thread = threading.Thread(target=process.run)
    thread.start()
    try:
        profile = folder / "board.toml"
        profile.write_text(PROFILE.format(ohms=0.1))
        pins, control = RemotePins(path, wiring("n1", load_profile(profile))), PlantControl(path)
        profile.write_text(PROFILE.format(ohms=ohms))
        yield Bench(path, profile, pins, control)
        pins.close()
        control.close()
    finally:
        process.stop()
        thread.join(5)
        process.close()


@dataclass
class Hands:
    """Somebody, or something, that sets a bench's load when it is asked to; stands in for stdin.

    Attributes:
        currents: what is set at each request, in order, A.
        says: what the reference is told to have read, as text; the truth by default.
        script: whether the answers are JSON.
        more: answered after that.
    """

    bench: Bench
    currents: list[float]
    says: dict[float, str] = field(default_factory=dict)
    script: bool = False
    more: list[str] = field(default_factory=list)

    def readline(self) -> str:
        """Do what was asked for, and answer."""
        if not self.currents:
            return self.more.pop(0) if self.more else ""
        amps = self.currents.pop(0)
        self.bench.set(amps)
        if self.script:
            return json.dumps({"reference_a": amps}) + "\n"
        return self.says.get(amps, str(amps) if amps else "") + "\n"

    def isatty(self) -> bool:
        """Nobody looks."""
        return False
