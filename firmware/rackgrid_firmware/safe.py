"""Brings every output of a board to its safe level, when no firmware is there to do it.

    python -m rackgrid_firmware.safe PROFILE [--plant SOCKET --node NAME]

For systemd's ExecStopPost, which runs after a stop, a crash and a watchdog's kill alike: Raspberry
Pi kernels leave an output at its last level when its process dies, so a firmware that was killed
leaves its loads on. It does without gpiozero and without a claim as input in between: each pin is
requested as an output with its safe level, in one call. What the kernel does with the pin when this
process ends in turn is as it was before: keep the level, or (`strict_gpiod`) make it an input.

Exit 0 if every output is safe, else 1; one line says which are not, and why.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rackgrid_firmware.errors import DeviceError, DeviceUnavailable
from rackgrid_firmware.profile import OutputProfile, Profile
from rackgrid_firmware.profile_file import load_profile

_REVISION = Path("/proc/device-tree/system/linux,revision")
_PI_5 = 0x17

Drive = Callable[[int, bool], None]
"""Drives a pin (BCM number) to a level."""


def safe_level(output: OutputProfile) -> bool:
    """Say which level brings an output to its safe state: a required load on, all others off."""
    return output.required == output.active_high


def make_safe(profile: Profile, drive: Drive) -> list[str]:
    """Drive every output to its safe level, whatever happens to the others.

    Returns:
        What went wrong, one text for each output that is not safe.
    """
    problems: list[str] = []
    for output in profile.outputs:
        try:
            drive(output.gpio, safe_level(output))
        except (DeviceError, ValueError) as fault:
            problems.append(f"output {output.name} (GPIO {output.gpio}): {fault}")
    return problems


def gpiochip() -> int:
    """Say which gpiochip has the header's pins: on early kernels of the Pi 5 the fourth."""
    try:
        revision = int.from_bytes(_REVISION.read_bytes()[:4], "big")
    except OSError:
        revision = 0
    is_pi_5 = revision >> 4 & 0xFF == _PI_5
    return 4 if is_pi_5 and os.path.exists("/dev/gpiochip4") else 0


def real_drive() -> Drive:
    """Drive this Pi's own pins.

    Raises:
        DeviceUnavailable: there is no lgpio, or no gpiochip that we may use.
    """
    try:
        import lgpio  # pyright: ignore[reportMissingImports] - there only on a Pi
    except (ImportError, OSError) as fault:
        raise DeviceUnavailable(
            f"lgpio cannot be loaded ({fault}): apt install python3-lgpio, and set LG_WD to a "
            "writable directory"
        ) from fault
    library: Any = lgpio
    chip = gpiochip()
    try:
        handle = library.gpiochip_open(chip)
    except library.error as fault:
        raise DeviceUnavailable(f"/dev/gpiochip{chip} cannot be opened: {fault.value}") from fault

    def drive(gpio: int, level: bool) -> None:
        try:
            library.gpio_claim_output(handle, gpio, int(level))
        except library.error as fault:
            raise DeviceUnavailable(str(fault.value)) from fault

    return drive


def mock_drive(profile: Profile, node: str, plant: str, stack: contextlib.ExitStack) -> Drive:
    """Drive the pins of a mock board, until the stack unwinds.

    Raises:
        DeviceUnavailable: there is no plant.
    """
    from rackgrid_firmware.mock.client import RemotePins
    from rackgrid_firmware.mock.wiring import wiring

    pins = RemotePins(plant, wiring(node, profile))
    stack.callback(pins.close)
    return pins.drive


def main(argv: Sequence[str] | None = None) -> int:
    """Make a board safe, and say so in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m rackgrid_firmware.safe",
        description="Brings every output of a board to its safe level.",
    )
    parser.add_argument("profile", type=Path, metavar="PROFILE", help="the board profile")
    parser.add_argument("--plant", metavar="SOCKET", help="the mock world of a mock board")
    parser.add_argument("--node", default=socket.gethostname(), help="its name there")
    given = parser.parse_args(argv)
    try:
        profile = load_profile(given.profile)
        with contextlib.ExitStack() as stack:
            problems = make_safe(profile, _drive(profile, given, stack))
    except (DeviceError, ValueError) as fault:
        return _complain([str(text) for text in fault.args])
    if problems:
        return _complain(problems)
    sys.stdout.write(f"safe: {len(profile.outputs)} outputs of board {profile.name}\n")
    return 0


def _complain(problems: list[str]) -> int:
    line = " ".join("; ".join(problems).split())
    sys.stderr.write(f"NOT SAFE: {line}\n")
    return 1


def _drive(profile: Profile, given: argparse.Namespace, stack: contextlib.ExitStack) -> Drive:
    if given.plant is not None:
        return mock_drive(profile, given.node, given.plant, stack)
    if profile.driver == "mock":
        raise ValueError(f"{given.profile}: a mock board is made safe with --plant SOCKET")
    return real_drive()


if __name__ == "__main__":
    raise SystemExit(main())
