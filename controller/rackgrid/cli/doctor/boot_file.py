"""What config.txt, the file that a Pi's bootloader reads, says about pins and buses.

Lines below a filter such as `[pi4]` count as if they held, but for `[none]`: to take a line for
absent that is there would be the graver mistake of the two in no case here, and filters know things
(serial numbers, cables) that nobody can look up afterwards.

Source: Raspberry Pi documentation, config.txt: "gpio", "dtparam", "dtoverlay", conditional filters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

PLACES = (Path("/boot/firmware/config.txt"), Path("/boot/config.txt"))
"""Since Debian 12, and before."""


@dataclass(frozen=True, slots=True)
class BootFile:
    """The lines that matter.

    Attributes:
        path: of the file.
        parameters: device-tree parameters, such as "strict_gpiod" or "i2c_arm_baudrate=400000".
        overlays: device-tree overlays with their parameters, such as "w1-gpio,gpiopin=5".
        driven: pins that are made outputs, and whether high.
        watchdog_s: how long the kernel has until systemd feeds the watchdog; 0 for any time.
    """

    path: Path
    parameters: frozenset[str]
    overlays: tuple[str, ...]
    driven: dict[int, bool]
    watchdog_s: int = 0

    def has(self, parameter: str) -> bool:
        """Whether a parameter is on: named alone, or with a value that means so."""
        ways = (parameter, f"{parameter}=on", f"{parameter}=1", f"{parameter}=yes")
        return any(way in self.parameters for way in ways)


def read_boot_file(host: Host) -> BootFile | Unknown:
    """Find and read it."""
    for place in PLACES:
        text = host.text(place)
        if not isinstance(text, Unknown):
            # Debian 12 leaves a text at the old place that says where the file has gone.
            return parse(place, text)
    return Unknown(f"there is no {PLACES[0]} that can be read: not a Raspberry Pi's boot disk")


def parse(path: Path, text: str) -> BootFile:
    """Read its lines."""
    parameters: set[str] = set()
    overlays: list[str] = []
    driven: dict[int, bool] = {}
    watchdog_s = 0
    is_off = False
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("["):
            is_off = line.lower() == "[none]"
        key, _, value = line.partition("=")
        match key.strip() if not is_off else "":
            case "dtparam":
                parameters.update(each.strip() for each in value.split(","))
            case "dtoverlay":
                overlays.append(value.strip())
            case "gpio":
                driven.update(_driven(value))
            case "kernel_watchdog_timeout" if value.strip().isdecimal():
                watchdog_s = int(value)
            case _:
                pass
    return BootFile(path, frozenset(parameters), tuple(overlays), driven, watchdog_s)


def _driven(value: str) -> dict[int, bool]:
    """Read `16-18,22=op,dl`: which pins are driven, and whether high; none if they are inputs."""
    pins, _, settings = value.partition("=")
    words = {each.strip().lower() for each in settings.split(",")}
    if "op" not in words or not words & {"dh", "dl"}:
        return {}
    found: dict[int, bool] = {}
    for part in pins.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            span = range(int(first), min(int(last or first), 53) + 1)
            found.update(dict.fromkeys(span, "dh" in words))
    return found
