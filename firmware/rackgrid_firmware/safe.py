"""Brings every output of a board to its safe level, when no firmware is there to do it.

    rackgrid relays safe [PROFILE]
    python -I -m rackgrid_firmware.safe [PROFILE] [--table FILE] [--state DIR]
        [--plant SOCKET --node NAME]

For systemd's ExecStopPost, which runs after a stop, a crash and a watchdog's kill alike: Raspberry
Pi kernels leave an output at its last level when its process dies, so a firmware that was killed
leaves its loads on. It does without gpiozero and without a claim as input in between: each pin is
requested as an output with its safe level, in one call. What the kernel does with the pin when this
process ends in turn is as it was before: keep the level, or (`strict_gpiod`) make it an input.

Which pins, and at which level, is `safe_pins`' affair.

It imports what it needs when it needs it: each millisecond here is one that a load stays on.

Exit 0 if every output is safe, 1 if not (one line says which are not, and why), 2 for bad usage.
"""

from __future__ import annotations

import os
import sys

from rackgrid_firmware.errors import DeviceError, DeviceUnavailable
from rackgrid_firmware.safe_pins import Plan, known, load

TYPE_CHECKING = False  # typing's own costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rackgrid_firmware.pin_table import Pins

    Drive = Callable[[int, bool], None]
    """Drives a pin (BCM number) to a level."""

PROFILE = "/etc/rackgrid/board.toml"
RUNTIME = "/run/rackgrid-firmware"
TABLE = f"{RUNTIME}/pins"
STATE = "/var/lib/rackgrid-firmware"
USAGE = """\
usage: rackgrid relays safe [PROFILE] [--table FILE] [--state DIR] [--plant SOCKET --node NAME]

Brings every output of a board to its safe level, when the firmware does not run.

  PROFILE         the board profile (/etc/rackgrid/board.toml)
  --table FILE    what the last firmware left (/run/rackgrid-firmware/pins)
  --state DIR     where it keeps lockouts (/var/lib/rackgrid-firmware)
  --plant SOCKET  the mock world of a mock board; --node NAME: this node's name there
"""
_OPTIONS = {"--table": "", "--state": "", "--plant": "", "--node": ""}
WHO = (
    "what to do: if the firmware still runs, `systemctl stop rackgrid-firmware` makes its outputs "
    "safe; else another program or an overlay in config.txt has the pin (`gpioinfo` gives its "
    'label, `sudo fuser -v /dev/gpiochip*` the process; "lg" is any program with gpiozero or '
    "lgpio, the firmware too): end that, then `rackgrid relays safe` again"
)
"""Said once, however many pins are held."""
_REVISION = "/proc/device-tree/system/linux,revision"
_PI_5 = 0x17


class PinHeld(DeviceUnavailable):
    """Somebody else has requested the pin, so nobody but them can drive it."""


def make_safe(pins: Pins, drive: Drive) -> list[str]:
    """Drive every pin to its safe level, whatever happens to the others.

    Returns:
        What went wrong, one text for each output that is not safe; and then, if a pin is somebody
        else's, what to do about it.
    """
    problems: list[str] = []
    advice: list[str] = []
    for name, (gpio, level) in pins.items():
        try:
            drive(gpio, level)
        except PinHeld as fault:
            problems.append(f"output {name} (GPIO {gpio}) {fault}")
            advice = [WHO]
        except (DeviceError, ValueError) as fault:
            problems.append(f"output {name} (GPIO {gpio}): {fault}")
    return problems + advice


def gpiochip() -> int:
    """Say which gpiochip has the header's pins: on early kernels of the Pi 5 the fourth."""
    try:
        with open(_REVISION, "rb") as file:
            revision = int.from_bytes(file.read(4), "big")
    except OSError:
        revision = 0
    is_pi_5 = revision >> 4 & 0xFF == _PI_5
    return 4 if is_pi_5 and os.path.exists("/dev/gpiochip4") else 0


def real_drive() -> Drive:
    """Drive this Pi's own pins.

    Raises:
        DeviceUnavailable: there is no lgpio, or no gpiochip that we may use.
    """
    # lgpio makes a pipe in $LG_WD, else in the working directory, and goes there.
    os.environ.setdefault("LG_WD", RUNTIME if os.access(RUNTIME, os.W_OK) else "/tmp")  # noqa: S108
    try:
        import lgpio  # pyright: ignore[reportMissingImports] - there only on a Pi
    except (ImportError, OSError) as fault:
        raise DeviceUnavailable(
            f"lgpio cannot be loaded ({fault}): apt install python3-lgpio, and set LG_WD to a "
            "writable directory"
        ) from fault
    library: Any = lgpio
    if not hasattr(library, "gpiochip_open"):
        raise DeviceUnavailable("lgpio is an empty shell: apt install python3-lgpio")
    chip = gpiochip()
    try:
        handle = library.gpiochip_open(chip)
    except library.error as fault:
        raise DeviceUnavailable(_no_chip(f"/dev/gpiochip{chip}", str(fault.value))) from fault

    def drive(gpio: int, level: bool) -> None:
        try:
            library.gpio_claim_output(handle, gpio, int(level))
        except library.error as fault:
            if "busy" in str(fault.value).lower():  # the kernel's EBUSY
                raise PinHeld(f"is held by {_holder(library, handle, gpio)}") from fault
            raise DeviceUnavailable(str(fault.value)) from fault

    return drive


def _holder(library: Any, handle: int, gpio: int) -> str:
    """Say what the kernel knows of who has a pin: the label that they gave."""
    try:
        label = str(library.gpio_get_line_info(handle, gpio)[4])
    except library.error:
        label = ""
    return f'"{label}"' if label else "another program"


def _no_chip(path: str, problem: str) -> str:
    if not os.path.exists(path):
        return f"{path} is not there: is this a Raspberry Pi? `ls /dev/gpiochip*` says what is"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"{path}: no permission: use sudo, or add the user to the group gpio"
    return f"{path} cannot be opened: {problem}; `gpiodetect` says whether the kernel drives it"


def main(argv: Sequence[str] | None = None) -> int:
    """Make a board safe, and say so in one line."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in {"-h", "--help"}:
        sys.stdout.write(USAGE)
        return 0
    options = _options(words)
    if options is None:
        sys.stderr.write(USAGE)
        return 2
    # Absolute, because lgpio changes the working directory.
    path, table, state = (
        os.path.abspath(options[each]) if options[each] else ""
        for each in ("profile", "--table", "--state")
    )
    try:
        if options["--plant"]:  # this Pi's own table and record say nothing of it
            return _make_mock_safe(path, table, state, options["--plant"], options["--node"])
        plan = known(path, table or TABLE, state or STATE)
        if plan.driver == "mock":
            raise ValueError(f"{path}: a mock board is made safe with --plant SOCKET")
        return _report(plan, make_safe(plan.pins, real_drive()))
    except (DeviceError, OSError, ValueError) as fault:
        return _complain([str(text) for text in fault.args])


def _options(words: list[str]) -> dict[str, str] | None:
    """Read the command line; None if it is wrong."""
    found = {"profile": PROFILE, **_OPTIONS}
    free: list[str] = []
    rest = iter(words)
    for word in rest:
        name, is_joined, value = word.partition("=")
        if name in _OPTIONS:
            value = value if is_joined else next(rest, "")
            if not value:
                return None
            found[name] = value
        elif word.startswith("-") or free:
            return None
        else:
            free.append(word)
    found.update(profile=free[0] if free else PROFILE)
    return found


def _make_mock_safe(path: str, table_path: str, state: str, plant: str, node: str) -> int:
    """Drive the pins of a mock board, in the plant's process.

    Raises:
        DeviceError: there is no plant, or the profile cannot be used.
        ValueError: the plant knows the node with another board.
    """
    from socket import gethostname

    from rackgrid_firmware.mock.client import RemotePins
    from rackgrid_firmware.mock.wiring import wiring

    remote = RemotePins(plant, wiring(node or gethostname(), load(path)))
    try:
        plan = known(path, table_path, state)
        return _report(plan, make_safe(plan.pins, remote.drive))
    finally:
        remote.close()


def _report(plan: Plan, faults: Sequence[str]) -> int:
    problems = [*plan.problems, *faults]
    if problems:
        return _complain([*problems, *([plan.note] if plan.note else [])])
    said = f"safe: {len(plan.pins)} outputs of board {plan.board}"
    sys.stdout.write(f"{said}, {' '.join(plan.note.split())}\n" if plan.note else f"{said}\n")
    return 0


def _complain(problems: list[str]) -> int:
    line = " ".join("; ".join(problems).split())
    sys.stderr.write(f"NOT SAFE: {line}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
