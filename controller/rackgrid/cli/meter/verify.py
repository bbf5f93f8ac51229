"""Comparing a meter with a reference: PASS if they agree within what both say of themselves."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from math import fsum

from rackgrid.cli import say
from rackgrid.cli.api import Record, RefusedError
from rackgrid.cli.exit import Exit


@dataclass(frozen=True, slots=True)
class Measured:
    """What a meter said, on average, and how far it says that it may be believed, A."""

    amps: float
    uncertainty_a: float
    calibrated: str


def run(args: argparse.Namespace) -> int:
    """Measure and compare."""
    from rackgrid_firmware.calibration import Reference, parse_reference, verdict

    try:
        accuracy = args.reference_accuracy
        reference = Reference(0.0, 0.0) if accuracy is None else parse_reference(accuracy)
    except ValueError as fault:
        say(f"rackgrid: --reference-accuracy: {fault}")
        return Exit.USAGE
    measured = _from_chip(args) if args.profile is not None else _from_daemon(args)
    error_a = measured.amps - args.reference
    bound_a = reference.bound_a(args.reference)
    e_n = verdict(error_a, measured.uncertainty_a, bound_a)
    passed = e_n <= 1.0
    if args.json:
        print(json.dumps(_report(args, measured, error_a, bound_a, e_n)))
    else:
        print(
            f"{'PASS' if passed else 'FAIL'} {args.name}: {measured.amps:.4f} A against "
            f"{args.reference:.4f} A, error {error_a * 1000:+.2f} mA, meter "
            f"± {measured.uncertainty_a * 1000:.2f} mA, reference ± {bound_a * 1000:.2f} mA"
        )
    if not passed:
        say(
            "the meter is off by more than it says of itself: "
            + (
                f"it was calibrated on {measured.calibrated}; calibrate it anew"
                if measured.calibrated
                else "calibrate it, or correct shunt_ohms"
            )
            + f" (rackgrid meter calibrate {args.name})"
        )
    return Exit.OK if passed else Exit.FAILED


def _report(
    args: argparse.Namespace, measured: Measured, error_a: float, bound_a: float, e_n: float
) -> dict[str, object]:
    return {
        "meter": args.name,
        "verdict": "PASS" if e_n <= 1.0 else "FAIL",
        "amps": round(measured.amps, 6),
        "reference_a": args.reference,
        "error_a": round(error_a, 6),
        "uncertainty_a": round(measured.uncertainty_a, 6),
        "reference_uncertainty_a": round(bound_a, 6),
        "e_n": round(e_n, 3),
        "calibrated": measured.calibrated or None,
    }


def _from_daemon(args: argparse.Namespace) -> Measured:
    """Look at a daemon's meter until there are enough samples."""
    from rackgrid.cli.meter.show import LOOK_S, of_daemon
    from rackgrid.cli.patience import pass_time

    amps: list[float] = []
    while True:
        (meter,) = of_daemon(args)
        amps.append(_fresh_amps(meter))
        if len(amps) == args.samples:
            break
        pass_time(LOOK_S)
    doubt_a = meter.number("uncertainty_a")
    if doubt_a is None:
        raise RefusedError(f"nobody knows how good meter {args.name} is: calibrate it first")
    return Measured(fsum(amps) / len(amps), doubt_a, meter.text("calibrated"))


def _fresh_amps(meter: Record) -> float:
    amps, quality = meter.number("amps"), meter.text("quality")
    if amps is None or quality != "fresh":
        raise RefusedError(
            f"meter {meter.text('name')} is {quality or 'silent'}: "
            + ("take a smaller current" if quality == "saturated" else "check its wiring")
        )
    return amps


def _from_chip(args: argparse.Namespace) -> Measured:
    from rackgrid.cli.meter.probe import find_meter, probing
    from rackgrid.cli.meter.show import record
    from rackgrid_firmware.profile_file import load_profile

    profile = load_profile(args.profile)
    meter = find_meter(profile, args.name)
    with probing(args.profile, profile, (meter,), args.plant, args.node, args.firmware) as probe:
        readings = probe.take(args.samples)
    records = [record(reading, meter) for reading in readings]
    amps = fsum(_fresh_amps(each) for each in records) / len(records)
    doubt_a = records[-1].number("uncertainty_a")
    if doubt_a is None:
        raise RefusedError(f"nobody knows how good meter {args.name} is: calibrate it first")
    return Measured(amps, doubt_a, meter.calibrated)
