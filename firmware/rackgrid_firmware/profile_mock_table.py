"""The mock tables of a board profile: their keys, what must go together, and how they are read.

    [[output]] mock = { kind = "motor", draw_w = 40, stall_s = 90, operate_s = 0.008 }
    [[meter]]  mock = { source = "solar", peak_w = 60, latitude_deg = 52 }
    [board]    mock = { reset_v = 8.5 }

A load of the mock world draws no more than its output promises (`nominal_w`, `inrush_w`,
`inrush_s`), or says `lies = true`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from rackgrid_firmware.key import Key, Kind, Table, complaint, shown
from rackgrid_firmware.profile_mock import (
    PLAIN_LOAD,
    STEADY_SOURCE,
    BoardMock,
    ContactMock,
    LoadMock,
    SourceMock,
)
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

LOAD_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "power": ((), ()),
    "resistive": ((), ()),
    "motor": ((), ("stall_s",)),
    "supply": ((), ()),
    "lamp": ((), ()),
    "pwm": (("hz",), ("duty",)),
    "cycle": (("period_s",), ("duty",)),
    "thermal": (("reach_c", "settle_s", "low_c", "high_c"), ("ambient_c",)),
}
"""The keys that each kind of load needs, and those that it may have beside them."""
SOURCE_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "steady": ((), ("source_w",)),
    "solar": (("peak_w",), ("latitude_deg", "day", "hour", "speed", "clouds")),
    "battery": (
        ("capacity_ah", "give_w_max", "take_w_max"),
        ("source_w", "charge", "cells", "ohms", "efficiency"),
    ),
}
"""The same of each kind of source."""


def _number(
    name: str, doc: str, default: float, unit: str = "", low: float = 0, high: float = 1e9
) -> Key:
    return Key(name, Kind.NUMBER, doc, default, unit=unit, low=low, high=high)


def _celsius(name: str, doc: str, default: float) -> Key:
    return _number(name, doc, default, "°C", low=-100, high=1000)


BOARD_MOCK = Table(
    "mock",
    (
        _number("reset_v", "the rail at which the meters lose their registers", 0, "V", high=60),
        _number("dead_v", "the rail at which the node goes down", 0, "V", high=60),
    ),
)
OUTPUT_MOCK = Table(
    "mock",
    (
        Key("draw_w", Kind.NUMBER, "mean draw once running", None, unit="W", high=1e5),
        Key("noise", Kind.NUMBER, "how far the draw wanders, a fraction", 0.02, high=1),
        Key("kind", Kind.TEXT, "how it draws", PLAIN_LOAD.kind, choices=tuple(LOAD_KEYS)),
        Key("lies", Kind.FLAG, "whether it may draw more than its nameplate", PLAIN_LOAD.lies),
        _number("hz", "how fast a pwm load switches", 100, "Hz", low=1, high=2000),
        _number("duty", "the share of the time that it draws", PLAIN_LOAD.duty, high=1),
        _number("period_s", "of a cycle load", 60, "s", low=0.01, high=86400),
        _number("stall_s", "a motor stalls if it starts again sooner", 0, "s", high=3600),
        _celsius("ambient_c", "around a thermal load", PLAIN_LOAD.ambient_c),
        _celsius("reach_c", "where it ends if it runs for ever", PLAIN_LOAD.reach_c),
        _number("settle_s", "its time constant", 600, "s", low=0.1, high=1e6),
        _celsius("low_c", "the lower end of its thermostat", 0),
        _celsius("high_c", "the upper end of its thermostat", 0),
        _number("operate_s", "from the pin to the closed contact", 0, "s", high=1),
        _number("release_s", "from the pin to the open contact", 0, "s", high=1),
        Key("bounces", Kind.INTEGER, "how often the closing contact opens again", 0, high=20),
        _number("bounce_s", "within which time", 0, "s", high=1),
        _number("weld_chance", "that a closing welds the contact", 0, high=1),
        Key("life", Kind.INTEGER, "closings that 37 % survive; 0: no wear", 0, high=10**9),
    ),
)
METER_MOCK = Table(
    "mock",
    (
        Key("source_w", Kind.NUMBER, "what a source gives", 0.0, unit="W", high=1e6),
        Key("source", Kind.TEXT, "what it is", STEADY_SOURCE.kind, choices=tuple(SOURCE_KEYS)),
        _number("peak_w", "of a panel under 1000 W/m²", 0, "W", high=1e6),
        _number(
            "latitude_deg",
            "where it lies, north",
            STEADY_SOURCE.latitude_deg,
            "°",
            low=-90,
            high=90,
        ),
        Key("day", Kind.INTEGER, "of the year", STEADY_SOURCE.day, low=1, high=365),
        _number("hour", "solar time at the start", STEADY_SOURCE.hour, "h", high=24),
        _number("speed", "how much faster its day passes", 1, low=0.001, high=1e5),
        _number("clouds", "the share of the time under clouds", 0, high=1),
        _number("capacity_ah", "of a battery", 0, "Ah", low=0.001, high=1e5),
        _number("charge", "its state of charge at the start", STEADY_SOURCE.charge, high=1),
        Key("cells", Kind.INTEGER, "in series", STEADY_SOURCE.cells, low=1, high=32),
        _number("ohms", "inside it", STEADY_SOURCE.ohms, "ohm", low=1e-5, high=100),
        _number("give_w_max", "the most that it gives", 0, "W", high=1e6),
        _number("take_w_max", "the most that it takes", 0, "W", high=1e6),
        _number("efficiency", "of its converter, each way", 0.95, low=0.1, high=1),
    ),
)


def check_output(file: TomlFile, output: Section) -> None:
    """Report what does not go together in an output's mock table."""
    mock = output.inside["mock"]
    if mock.sound("kind"):
        contact = {each.name for each in fields(ContactMock)}
        beside = {"draw_w", "noise", "kind", "lies", *contact}
        _check_keys(file, mock, "kind", LOAD_KEYS[mock.text("kind")], beside)
    _check_draw(file, output, mock)
    takes_time = mock.integer("bounces") == 0 or mock.number("bounce_s") > 0
    if mock.sound("bounces", "bounce_s") and not takes_time:
        file.blame(mock, "bounces", "they take time: give bounce_s, a few milliseconds")
    if mock.text("kind") == "motor" and mock.sound("kind", "stall_s", "lies"):
        stall_s, off_s = mock.number("stall_s"), output.number("min_off_s")
        if stall_s > off_s and output.sound("min_off_s") and not mock.flag("lies"):
            text = (
                f"started after min_off_s, {off_s:g} s, it stalls and draws inrush_w for longer "
                f"than inrush_s; give the output a min_off_s of {stall_s:g} s, or say lies = true"
            )
            file.blame(mock, "stall_s", text)
    needs = LOAD_KEYS["thermal"][0]
    if mock.text("kind") == "thermal" and mock.sound("kind", "ambient_c", *needs):
        _check_temperatures(file, mock)


def check_meter(file: TomlFile, meter: Section) -> None:
    """Report what does not go together in a meter's mock table."""
    mock = meter.inside["mock"]
    if mock.sound("source"):
        _check_keys(file, mock, "source", SOURCE_KEYS[mock.text("source")], {"source"})


def board_mock(section: Section) -> BoardMock:
    """Read a board's mock table."""
    return BoardMock(**_values(section, BoardMock))


def load_mock(section: Section) -> LoadMock:
    """Read how a load draws, and its contact."""
    return LoadMock(
        **_values(section, LoadMock), contact=ContactMock(**_values(section, ContactMock))
    )


def source_mock(section: Section) -> SourceMock:
    """Read what a source is."""
    return replace(SourceMock(**_values(section, SourceMock)), kind=section.text("source"))


def _values(section: Section, kind: Any) -> dict[str, Any]:
    """Take the values of a dataclass out of the table whose keys are named after its fields."""
    types: dict[str, Any] = {each.name: type(each.default) for each in fields(kind)}
    return {
        name: types[name](section.values[name]) for name in types.keys() & section.values.keys()
    }


def _check_keys(
    file: TomlFile,
    mock: Section,
    what: str,
    keys: tuple[tuple[str, ...], tuple[str, ...]],
    beside: set[str],
) -> None:
    needs, may = keys
    kind = shown(mock.text(what))
    for name in needs:
        if name not in mock.given and name not in mock.guessed:
            file.blame(mock, name, f"missing: {what} = {kind} needs it")
    for name in sorted(mock.given & mock.values.keys()):
        if name not in {*needs, *may, *beside}:
            allowed = ", ".join((*needs, *may)) or "none beside those that all have"
            file.blame(mock, name, complaint(f"{what} = {kind} has no such key", "", allowed))


def _check_draw(file: TomlFile, output: Section, mock: Section) -> None:
    if not output.sound("nominal_w") or not mock.sound("draw_w", "lies") or mock.flag("lies"):
        return
    nominal_w = output.number("nominal_w")
    draw_w = mock.number("draw_w", nominal_w)
    if draw_w > nominal_w:
        text = "a load draws at most its nameplate"
        allowed = f"at most {nominal_w:g} W, or lies = true"
        file.blame(mock, "draw_w", complaint(text, f"{draw_w:g}", allowed))


def _check_temperatures(file: TomlFile, mock: Section) -> None:
    low, high = mock.number("low_c"), mock.number("high_c")
    reach, ambient = mock.number("reach_c"), mock.number("ambient_c")
    if low >= high:
        text = complaint("not above low_c", f"{high:g}", f"more than {low:g} °C")
        file.blame(mock, "high_c", text)
    elif not (reach > max(high, ambient) or reach < min(low, ambient)):
        text = complaint(
            "it never meets the end of its thermostat",
            f"{reach:g}",
            f"above {max(high, ambient):g} °C to heat, below {min(low, ambient):g} °C to cool",
        )
        file.blame(mock, "reach_c", text)
