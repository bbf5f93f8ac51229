"""Brings every output of a board to its safe level, when no firmware is there to do it.

    rackgrid relays safe [PROFILE]
    python -I -m rackgrid_firmware.safe [PROFILE] [--table FILE] [--plant SOCKET --node NAME]

For systemd's ExecStopPost, which runs after a stop, a crash and a watchdog's kill alike: Raspberry
Pi kernels leave an output at its last level when its process dies, so a firmware that was killed
leaves its loads on. It does without gpiozero and without a claim as input in between: each pin is
requested as an output with its safe level, in one call. What the kernel does with the pin when this
process ends in turn is as it was before: keep the level, or (`strict_gpiod`) make it an input.

Which pins: those of the board profile. If it is as the last firmware of this boot read it, they
come from the table that the firmware left (`pin_table`), which saves reading TOML; if it was
changed, pins of that table which it no longer names are made safe too, since they may still be
driven; if it cannot be used, the table alone decides, and the helper says so.

It imports what it needs when it needs it: each millisecond here is one that a load stays on.

Exit 0 if every output is safe, 1 if not (one line says which are not, and why), 2 for bad usage.
"""

from __future__ import annotations

import os
import sys

from rackgrid_firmware.errors import DeviceError, DeviceUnavailable
from rackgrid_firmware.pin_table import Pins, PinTable, read_table, stamp_of

TYPE_CHECKING = False  # typing's own costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from rackgrid_firmware.profile import OutputProfile, Profile

    Drive = Callable[[int, bool], None]
    """Drives a pin (BCM number) to a level."""

PROFILE = "/etc/rackgrid/board.toml"
RUNTIME = "/run/rackgrid-firmware"
TABLE = f"{RUNTIME}/pins"
USAGE = """\
usage: rackgrid relays safe [PROFILE] [--table FILE] [--plant SOCKET --node NAME]

Brings every output of a board to its safe level, when the firmware does not run.

  PROFILE         the board profile (/etc/rackgrid/board.toml)
  --table FILE    what the last firmware left (/run/rackgrid-firmware/pins)
  --plant SOCKET  the mock world of a mock board; --node NAME: this node's name there
"""
_OPTIONS = {"--table": TABLE, "--plant": "", "--node": ""}
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


def safe_level(output: OutputProfile) -> bool:
    """Say which level brings an output to its safe state: a required load on, all others off."""
    return output.is_safe_on == output.is_high_on


def pins_of(profile: Profile, barred: frozenset[str] = frozenset()) -> Pins:
    """List the pins of a profile, each with its safe level; what is barred stays off."""
    return {
        output.name: (
            output.gpio,
            not output.is_high_on if output.name in barred else safe_level(output),
        )
        for output in profile.outputs
    }


def table_of(profile: Profile, text: bytes, barred: frozenset[str] = frozenset()) -> PinTable:
    """Make the table that the firmware leaves.

    Args:
        profile: of the board.
        text: what the profile was read from.
        barred: outputs that have tripped or are locked out: they stay off.
    """
    return PinTable(profile.name, profile.driver, stamp_of(text), pins_of(profile, barred))


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
    path, table_path = (os.path.abspath(options[each]) for each in ("profile", "--table"))
    try:
        if options["--plant"]:
            return _make_mock_safe(path, options["--plant"], options["--node"])
        board, driver, pins, note = _known(path, table_path)
        if driver == "mock":
            raise ValueError(f"{path}: a mock board is made safe with --plant SOCKET")
        return _report(board, pins, make_safe(pins, real_drive()), note)
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


def _known(path: str, table_path: str) -> tuple[str, str, Pins, str]:
    """Find out what there is to make safe.

    Returns:
        The board's name, its driver, its pins, and what the reader should know besides, or "".

    Raises:
        ValueError: neither profile nor table can be used.
    """
    table, why_no_table = None, ""
    try:
        table = read_table(table_path)
    except (OSError, ValueError) as fault:
        why_no_table = str(fault)
    try:
        with open(path, "rb") as file:
            text = file.read()
        if table is not None and table.stamp == stamp_of(text):
            return table.board, table.driver, table.pins, ""
        profile = _profile(path)
    except (OSError, ValueError) as fault:
        why = str(fault.args[0]) if isinstance(fault, DeviceError) else str(fault)
        if table is None:
            raise ValueError(
                f"{why}; and there is nothing else to go by: {why_no_table}"
            ) from fault
        return table.board, table.driver, table.pins, f"as the last firmware knew it, because {why}"
    pins = pins_of(profile)
    former = _former(table, pins)
    note = f"and {len(former)} that the profile no longer has" if former else ""
    return profile.name, profile.driver, {**pins, **former}, note


def _former(table: PinTable | None, pins: Pins) -> Pins:
    """Give the pins that an earlier profile of this boot had and this one has not."""
    if table is None:
        return {}
    now = {gpio for gpio, _ in pins.values()}
    return {f"{name} (former)": pin for name, pin in table.pins.items() if pin[0] not in now}


def _profile(path: str) -> Profile:
    from pathlib import Path

    from rackgrid_firmware.profile_file import load_profile

    return load_profile(Path(path))


def _make_mock_safe(path: str, plant: str, node: str) -> int:
    """Drive the pins of a mock board, in the plant's process.

    Raises:
        DeviceError: there is no plant, or the profile cannot be used.
        ValueError: the plant knows the node with another board.
    """
    from socket import gethostname

    from rackgrid_firmware.mock.client import RemotePins
    from rackgrid_firmware.mock.wiring import wiring

    profile = _profile(path)
    remote = RemotePins(plant, wiring(node or gethostname(), profile))
    try:
        pins = pins_of(profile)
        return _report(profile.name, pins, make_safe(pins, remote.drive), "")
    finally:
        remote.close()


def _report(board: str, pins: Pins, problems: list[str], note: str) -> int:
    if problems:
        return _complain([*problems, *([note] if note else [])])
    said = f"safe: {len(pins)} outputs of board {board}"
    sys.stdout.write(f"{said}, {' '.join(note.split())}\n" if note else f"{said}\n")
    return 0


def _complain(problems: list[str]) -> int:
    line = " ".join("; ".join(problems).split())
    sys.stderr.write(f"NOT SAFE: {line}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
