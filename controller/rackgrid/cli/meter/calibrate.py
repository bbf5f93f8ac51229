"""Calibrating a meter: measure, compute, show what changes in the board profile, and write it.

Nothing is written before the owner of the file has seen the change and said yes (or `--yes`). The
arithmetic is `rackgrid_firmware.calibration`, the editing `profile_edit`.
"""

from __future__ import annotations

import argparse
import difflib
import json
import math
import os
import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from rackgrid.cli import say
from rackgrid.cli.exit import Exit
from rackgrid.cli.meter.guide import Guide, Person, Rig
from rackgrid.cli.meter.probe import Probe, find_meter, probing, raw
from rackgrid.errors import RackgridError
from rackgrid_firmware.accuracy import accuracy_of, limits_of, step_a_of
from rackgrid_firmware.calibration import (
    Calibration,
    Point,
    Reference,
    check_zero,
    parse_reference,
    point_of,
    solve,
)
from rackgrid_firmware.part import INA219, PARTS
from rackgrid_firmware.profile import MeterProfile, Profile
from rackgrid_firmware.profile_edit import edited, replace_file
from rackgrid_firmware.profile_file import load_profile


def run(args: argparse.Namespace) -> int:
    """Calibrate, and write if that is wanted."""
    try:
        reference = parse_reference(args.reference_accuracy)
    except ValueError as fault:
        say(f"rackgrid: --reference-accuracy: {fault}")
        return Exit.USAGE
    if len(args.points) < 2:
        say("rackgrid: --point: give two currents or more, such as --point 0.5 --point 1")
        return Exit.USAGE
    path: Path = args.profile
    before = _read(path)
    profile = load_profile(path)
    meter = find_meter(profile, args.name)
    guide = Rig() if args.script else Person()
    with probing(path, profile, (raw(meter),), args.plant, args.node, args.firmware) as probe:
        points = measure(probe, guide, args.points, meter, args.samples)
        result = solve(points, reference, step_a_of(meter))
        _tell(meter, result, args.points)
        after = _edited(before, profile, meter, result, date.today())
        _show_change(path, before.decode(), after)
        is_agreed = args.yes or (not args.script and _agreed())
        copy = replace_file(path, before, after, datetime.now()) if is_agreed else None
    if args.json or args.script:
        print(json.dumps(_report(meter, result, reference, copy)))
    if copy is None:
        say("nothing written" + ("" if sys.stdin.isatty() else "; --yes writes without asking"))
        return Exit.FAILED
    say(f"written; what was there is in {copy}. It counts from the next start of the firmware.")
    return Exit.OK


def measure(
    probe: Probe, guide: Guide, points: list[float], meter: MeterProfile, samples: int
) -> list[Point]:
    """Measure the zero, then each point.

    Args:
        probe: of the meter with gain 1 and offset 0.
        guide: sets the currents.
        points: to set, A.
        meter: as the profile has it.
        samples: of each.

    Raises:
        DeviceFault: a point cannot be used.
        DeviceUnavailable: the chip does not answer.
    """
    step_a, limits = step_a_of(meter), limits_of(meter)
    guide.zero()
    zero = point_of(probe.take(samples), 0.0, step_a)
    if limits is not None:
        ohms = 1.0 if limits.has_shunt else meter.shunt_ohms
        check_zero(zero, (limits.offset + limits.step) / ohms)
    say(f"zero: {zero.mean_a * 1000:+.3f} mA, one reading ± {zero.deviation_a * 1000:.3f} mA")
    measured = [zero]
    for amps in points:
        said_a = guide.point(amps)
        point = point_of(probe.take(samples), said_a, step_a)
        say(f"{said_a:.4f} A: the meter, uncalibrated, reads {point.mean_a:.4f} A")
        measured.append(point)
    return measured


def _tell(meter: MeterProfile, result: Calibration, points: list[float]) -> None:
    largest_a = max(map(abs, points))
    say(
        f"gain {result.gain:.6f}, offset {result.offset_a * 1000:+.3f} mA; the points are within "
        f"{result.residual_a * 1000:.3f} mA of the line"
    )
    say(
        f"uncertainty (k = 2): {result.uncertainty_percent:.3f} % of the reading and "
        f"{result.uncertainty_a * 1000:.3f} mA"
    )
    old = accuracy_of(replace(meter, calibrated=""))
    new_a = math.hypot(result.uncertainty_percent / 100 * largest_a, result.uncertainty_a)
    if old is not None:
        say(
            f"at {largest_a:g} A: ± {new_a * 1000:.1f} mA now, and ± "
            f"{old.of_amps(largest_a) * 1000:.1f} mA by datasheet and shunt"
        )
        if new_a > old.of_amps(largest_a):
            say("this is no gain: the reference is worse than the chip; a better one is needed")
    if not meter.amps_max and PARTS.get(meter.driver) is INA219:
        say(
            "without amps_max in the profile the chip changes its range with the current, and each "
            "range has an offset of its own: set amps_max first to have the offset calibrated, too"
        )
    elif largest_a < meter.amps_max / 2:
        say(
            f"the points end at {largest_a:g} A and the meter goes on to {meter.amps_max:g} A: "
            "beyond the points nothing was compared"
        )


def _read(path: Path) -> bytes:
    """Read the profile, and find out now, and not after the measurements, if it can be written."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise RackgridError(f"{path} cannot be read: {fault.strerror}") from fault
    if not os.access(path.resolve().parent, os.W_OK):
        raise RackgridError(f"{path.resolve().parent} is not for this user to write in: use sudo")
    return data


def _edited(
    before: bytes, profile: Profile, meter: MeterProfile, result: Calibration, today: date
) -> str:
    """Write the result into the text; uncertainties rounded up, never down."""
    index = profile.meters.index(meter)
    values = {
        "gain": f"{result.gain:.6f}",
        "offset_a": f"{result.offset_a:.6f}".replace("-0.000000", "0.000000"),
        "calibrated": f'"{today.isoformat()}"',
        "uncertainty_percent": f"{math.ceil(result.uncertainty_percent * 1000) / 1000:.3f}",
        "uncertainty_a": f"{math.ceil(result.uncertainty_a * 1e6) / 1e6:.6f}",
    }
    return edited(before.decode(), ("meter", index), values, after="shunt_ohms")


def _show_change(path: Path, before: str, after: str) -> None:
    old, new = before.splitlines(), after.splitlines()
    for line in difflib.unified_diff(old, new, str(path), str(path), lineterm=""):
        say(line)


def _agreed() -> bool:
    say("Write this? [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _report(
    meter: MeterProfile, result: Calibration, reference: Reference, copy: Path | None
) -> dict[str, object]:
    return {
        "step": "result",
        "meter": meter.name,
        "gain": round(result.gain, 6),
        "offset_a": round(result.offset_a, 6),
        "uncertainty_percent": round(result.uncertainty_percent, 4),
        "uncertainty_a": round(result.uncertainty_a, 6),
        "residual_a": round(result.residual_a, 6),
        "reference": {"gain": reference.gain, "offset_a": reference.offset_a},
        "points": [
            {
                "reference_a": point.reference_a,
                "raw_a": round(point.mean_a, 6),
                "deviation_a": round(point.deviation_a, 6),
                "samples": point.count,
            }
            for point in result.points
        ],
        "written": copy is not None,
        "backup": None if copy is None else str(copy),
    }
