"""A script of the mock world: what happens, and when, in a TOML file.

    [[event]]
    at_s = 12.5             # seconds after the plant's start
    do = "weld"             # see `deed.DEEDS`
    node = "pi-1"
    output = "fan"
    welded = true

Events of one moment happen in the order of the file. What is wrong with it is reported at once,
each finding with its line; that a node or an output is not there shows only when its time comes,
since nodes may come later: the plant's process says so then, and goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.key import Key, Kind, Table, complaint, shown
from rackgrid_firmware.mock.deed import DEEDS, perform
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.plant import Happening, Plant
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

EVENTS_MAX = 10_000
_EVENT = Table(
    "event",
    (
        Key("at_s", Kind.NUMBER, "when, after the start", unit="s", high=1e8),
        Key("do", Kind.TEXT, "what", choices=tuple(DEEDS)),
        Key("node", Kind.NAME, "to which node", None),
        Key("output", Kind.NAME, "to which output", None),
        Key("meter", Kind.NAME, "to the source behind which meter", None),
        Key("watts", Kind.NUMBER, "power", None, unit="W", low=-1e6, high=1e6),
        Key("through", Kind.NUMBER, "the share of the sun that a cloud lets pass", None, high=1),
        Key("ambient_c", Kind.NUMBER, "a temperature", None, unit="°C", low=-100, high=1000),
        Key("welded", Kind.FLAG, "whether it is", None),
        Key("stuck", Kind.FLAG, "whether it is", None),
        Key("bounces", Kind.INTEGER, "how often", None, high=20),
        Key("bounce_s", Kind.NUMBER, "within which time", None, unit="s", high=1),
        Key("volts", Kind.NUMBER, "of the feed without load", None, unit="V", low=0.1, high=1000),
        Key("ohms", Kind.NUMBER, "between feed and rail", None, unit="ohm", high=1000),
        Key("amps_max", Kind.NUMBER, "where its limit begins", None, unit="A", low=0.001, high=1e5),
        Key("amps_short", Kind.NUMBER, "into a short circuit", None, unit="A", low=0.001, high=1e5),
        Key("bus", Kind.INTEGER, "I2C bus", None, high=255),
        Key("kind", Kind.TEXT, "of fault", None, choices=tuple(fault.value for fault in Fault)),
        Key("address", Kind.INTEGER, "of a chip", None, low=3, high=0x77, hexadecimal=True),
        Key("count", Kind.INTEGER, "of transfers; -1 for good", None, low=-1, high=10**6),
    ),
    many=True,
    count_max=EVENTS_MAX,
)


def load_script(path: Path, begins_ns: int) -> list[tuple[int, Happening]]:
    """Read a script.

    Args:
        path: of the file.
        begins_ns: the moment that its times count from, ns.

    Returns:
        What happens, each at its moment, ns; for `Plant.follow`.

    Raises:
        ProfileError: it cannot be used; carries every finding at once.
    """
    file = TomlFile(path)
    events = file.tables((_EVENT,))["event"] if file.parsed else []
    for event in events:
        _check(file, event)
    if file.findings:
        raise ProfileError(*map(str, file.findings))
    return [
        (begins_ns + round(event.number("at_s") * 1e9), _happening(_values(event), str(path)))
        for event in events
    ]


def _check(file: TomlFile, event: Section) -> None:
    """Report the keys that a deed lacks, and those that it does not know."""
    if not event.sound("do"):
        return
    name = event.text("do")
    deed = DEEDS[name]
    for key in deed.needs:
        if key not in event.given and key not in event.guessed:
            file.blame(event, key, f"missing: do = {shown(name)} needs it")
    for key in sorted(event.given & event.values.keys() - {"at_s", "do", *deed.needs, *deed.may}):
        allowed = ", ".join((*deed.needs, *deed.may)) or "none"
        file.blame(event, key, complaint(f"do = {shown(name)} has no such key", "", allowed))


def _values(event: Section) -> dict[str, Any]:
    return {key: event.values[key] for key in event.given & event.values.keys() - {"at_s"}}


def _happening(given: dict[str, Any], where: str) -> Happening:
    def happen(plant: Plant, now_ns: int) -> None:
        try:
            perform(plant, now_ns, given)
        except ValueError as fault:
            raise ValueError(f"{where}: {given['do']}: {fault}") from fault

    return happen
