"""What a board profile says of switching and protection: read, and checked against itself.

A profile that contradicts itself is refused, because each of these keys is somebody's safety:

- A **flexible** load is off when nobody is in charge: that is what a grant's end means. So one
  whose safe state is on, or on a normally closed contact (which gives power whenever the Pi is
  off), must be `required`: the feed then always keeps its watts free, as part of the floor.
- A **required** load is switched by nobody, so what spares contacts or excludes others is nothing
  to it.
- A load that **feeds a node** must be required, and nothing else may take it off either: neither a
  trip nor a lockout, because a node must not cut off itself or the broker. A fuse protects it.
- **Current** is judged by a meter that sees this output alone, and within what the meter can see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rackgrid_firmware.key import complaint, meant
from rackgrid_firmware.profile import SwitchProfile, TripProfile
from rackgrid_firmware.registers import RANGE_NAMES
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

_OF_FLEXIBLE = ("hold_s", "switches_per_day", "not_with")
"""Keys that say nothing of a load which is always on."""
_TRIPS = ("trip_a", "rating_a", "trip_below_v")
_OWN_METER = ("trip_a", "rating_a", "least_w", "leak_w")
_INA219 = ("ina219", "pi-ina219")
_INA219_VOLTS = 0.320
"""What the widest range of an INA219 sees, V: the bound of one without `amps_max`."""


def switch_of(output: Section, outputs: Sequence[Section]) -> SwitchProfile:
    """Read how an output may be switched; what excludes it by its own word excludes it, too."""
    name = output.text("name")
    rivals = {other.text("name") for other in outputs if name in other.names("not_with")}
    rivals.update(output.names("not_with"))
    return SwitchProfile(
        hold_s=output.number("hold_s"),
        switches_per_day=output.integer("switches_per_day"),
        contact_life=output.integer("contact_life"),
        not_with=tuple(sorted(rivals)),
        dead_s=output.number("dead_s"),
        feeds=output.text("feeds"),
        is_safe_on=output.text("safe") != "off",
        contact=output.text("contact"),
    )


def trip_of(output: Section) -> TripProfile:
    """Read what takes an output off by itself."""
    return TripProfile(
        trip_a=output.number("trip_a"),
        rating_a=output.number("rating_a"),
        trip_tau_s=output.number("trip_tau_s"),
        trip_below_v=output.number("trip_below_v"),
        trip_below_s=output.number("trip_below_s"),
        shed_rank=output.integer("shed_rank"),
        discharge_s=output.number("discharge_s"),
        leak_w=output.number("leak_w"),
        least_w=output.number("least_w"),
    )


def check_switching(file: TomlFile, outputs: Sequence[Section], meters: Sequence[Section]) -> None:
    """Report what contradicts itself, or what no meter can see."""
    seen = Counter(output.text("meter") for output in outputs)
    ends_a = {meter.text("name"): _end_a(meter) for meter in meters}
    for output in outputs:
        if not output.sound("required", "safe", "contact"):
            continue
        _check_safe_state(file, output)
        _check_feeds(file, output)
        _check_rivals(file, output, outputs)
        _check_meter(file, output, seen[output.text("meter")])
        _check_range(file, output, ends_a.get(output.text("meter")))
        _check_nameplate(file, output)


def _check_safe_state(file: TomlFile, output: Section) -> None:
    is_required, is_nc = output.flag("required"), output.text("contact") == "nc"
    if output.text("safe") == "on" and not is_required:
        file.blame(
            output,
            "safe",
            "a load that is on when nobody is in charge is always counted as on: say `required = "
            'true`, or leave `safe` at "off"',
        )
    if is_nc and not is_required:
        file.blame(
            output,
            "contact",
            "a normally closed contact gives power whenever the Pi is off, so the feed must always "
            'keep its watts free: say `required = true`, or use the contact "no"',
        )
    elif is_nc and output.text("safe") == "off":
        file.blame(
            output,
            "safe",
            "a normally closed contact is closed whenever the Pi is off, so its safe state cannot "
            'be "off"; use the contact "no"',
        )
    if is_required:
        for key in _OF_FLEXIBLE:
            if key in output.given and output.sound(key) and output.values[key]:
                file.blame(
                    output,
                    key,
                    "says nothing of a required load, which is always on; leave it out, or drop "
                    "`required`",
                )


def _check_feeds(file: TomlFile, output: Section) -> None:
    if not output.text("feeds") or not output.sound("feeds"):
        return
    node = output.text("feeds")
    if not output.flag("required"):
        text = f"the market must not switch off node {node}, perhaps the broker: "
        file.blame(output, "feeds", f"{text}say `required = true`")
    elif output.text("safe") == "off":
        file.blame(output, "safe", f'the safe state of what powers node {node} is "on"')
    for key in _TRIPS:
        if output.sound(key) and output.number(key):
            text = f"a trip would cut off node {node}: protect its supply by a fuse"
            file.blame(output, key, f"{text}, and leave this out")


def _check_rivals(file: TomlFile, output: Section, outputs: Sequence[Section]) -> None:
    if not output.sound("not_with"):
        return
    by_name = {other.text("name"): other for other in outputs}
    for name in output.names("not_with"):
        other = by_name.get(name)
        if other is None:
            allowed = ", ".join(f'"{each}"' for each in sorted(by_name))
            text = complaint("no such output", f'"{name}"', allowed, meant(name, by_name))
            file.blame(output, "not_with", text)
        elif other is output:
            file.blame(output, "not_with", "an output cannot exclude itself; name the others")
        elif other.sound("required") and other.flag("required"):
            text = f'"{name}" is required, so this one could never be on; leave out one of the two'
            file.blame(output, "not_with", text)


def _check_meter(file: TomlFile, output: Section, sharing: int) -> None:
    for key in (*_OWN_METER, "trip_below_v"):
        if not output.sound(key, "meter") or not output.number(key):
            continue
        if not output.text("meter"):
            file.blame(output, key, "nothing measures this output: name its `meter`")
        elif sharing > 1 and key in _OWN_METER:
            text = (
                f'its meter "{output.text("meter")}" sees {sharing} outputs and cannot tell what '
                "this one draws; give it a meter of its own"
            )
            file.blame(output, key, text)


def _check_range(file: TomlFile, output: Section, end_a: float | None) -> None:
    for key in ("trip_a", "rating_a"):
        if end_a is not None and output.sound(key) and output.number(key) > end_a:
            text = complaint(
                f'its meter "{output.text("meter")}" does not see so much',
                f"{output.number(key):g}",
                f"at most {end_a:.3g} A; fit a smaller shunt, or raise `amps_max`",
            )
            file.blame(output, key, text)
    rating_a, trip_a = output.number("rating_a"), output.number("trip_a")
    if output.sound("rating_a", "trip_a") and rating_a and trip_a and rating_a >= trip_a:
        text = "what it bears for ever is below what takes it off at once"
        file.blame(output, "rating_a", complaint(text, f"{rating_a:g}", f"below {trip_a:g} A"))


def _check_nameplate(file: TomlFile, output: Section) -> None:
    nominal_w = output.number("nominal_w")
    for key in ("least_w", "leak_w"):
        if output.sound(key, "nominal_w") and output.number(key) > nominal_w:
            got, allowed = f"{output.number(key):g}", f"at most {nominal_w:g} W"
            file.blame(output, key, complaint("more than its nameplate", got, allowed))


def _end_a(meter: Section) -> float | None:
    """Say at which reading a meter stops seeing, as it reads it, A; None if that is unknown."""
    keys = ("driver", "amps_max", "shunt_ohms", "shunt_range", "gain", "offset_a")
    if not meter.sound(*keys):
        return None
    amps_max, gain, offset_a = (meter.number(key) for key in ("amps_max", "gain", "offset_a"))
    ohms = meter.number("shunt_ohms", 0.1)
    if not amps_max and meter.text("driver") not in _INA219:
        return None
    shunt_range = RANGE_NAMES.get(meter.text("shunt_range"))
    if shunt_range is not None:
        amps_max = shunt_range.volts / ohms
    elif meter.text("shunt_range") == "auto":
        amps_max = 0.0
    return (amps_max or _INA219_VOLTS / ohms) * min(1.0, gain) - abs(offset_a)
