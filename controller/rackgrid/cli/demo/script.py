"""What happens to the demo rack, and when: a list of timed deeds, built in or from a TOML file.

[[event]]
at_s = 12.0
do = "sun"        # sun | tariff | kill | start | load
watts = 8.0       # sun: what the panel gives; load: what the output draws
price = 0.55      # tariff: of the grid
node = "broker"   # kill, start, load: a node's name, or "broker"; start: "" is the last killed
output = "pump"   # load
say = "a cloud"   # shown when it happens
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rackgrid.errors import ConfigError
from rackgrid_firmware.key import Key, Kind, Table
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

DEEDS = ("sun", "tariff", "kill", "start", "load")
PANEL_W = 40.0
GRID_PRICE = 0.25


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that happens.

    Attributes:
        at_s: when, s after the rack has its first broker.
        do: one of `DEEDS`.
    """

    at_s: float
    do: str
    node: str
    output: str
    watts: float
    price: float
    say: str


def deed(
    at_s: float,
    do: str,
    say: str,
    *,
    node: str = "",
    output: str = "",
    watts: float = 0.0,
    price: float = 0.0,
) -> Deed:
    """Write a deed down."""
    return Deed(at_s, do, node, output, watts, price, say)


def default_script(nodes: int) -> tuple[Deed, ...]:
    """A sped-up day: a cloud, an evening, the broker killed and brought back; then it repeats."""
    day = [
        deed(10, "sun", "a cloud moves over the panel", watts=6.0),
        deed(20, "sun", "the sun is back", watts=PANEL_W),
        deed(28, "tariff", "the evening peak: the grid is dear", price=0.55),
        deed(38, "tariff", "night: the grid is cheap", price=0.12),
        deed(46, "tariff", "morning", price=GRID_PRICE),
    ]
    if nodes > 1:
        day.append(deed(50, "kill", "the broker is killed", node="broker"))
        day.append(deed(56, "start", "the killed node is brought back"))
    day.sort(key=lambda d: d.at_s)
    return tuple(
        Deed(d.at_s + 70 * turn, d.do, d.node, d.output, d.watts, d.price, d.say)
        for turn in range(100)
        for d in day
    )


_EVENT = Table(
    "event",
    (
        Key("at_s", Kind.NUMBER, "when, after the first broker", unit="s", high=1e6),
        Key("do", Kind.TEXT, "what", choices=DEEDS),
        Key("node", Kind.TEXT, "to which node", ""),
        Key("output", Kind.TEXT, "to which output", ""),
        Key("watts", Kind.NUMBER, "power", 0.0, unit="W", high=1e4),
        Key("price", Kind.NUMBER, "of the grid, per kWh", 0.0, low=-100, high=100),
        Key("say", Kind.TEXT, "shown when it happens", ""),
    ),
    many=True,
)


def load_script(path: Path) -> tuple[Deed, ...]:
    """Read a script.

    Raises:
        ConfigError: it cannot be used; carries every finding.
    """
    file = TomlFile(path)
    sections = file.tables((_EVENT,))["event"] if file.parsed else []
    if file.findings:
        raise ConfigError(*map(str, file.findings))
    return tuple(sorted(map(_deed, sections), key=lambda d: d.at_s))


def _deed(event: Section) -> Deed:
    do, node = event.text("do"), event.text("node")
    return Deed(
        at_s=event.number("at_s"),
        do=do,
        node=node,
        output=event.text("output"),
        watts=event.number("watts"),
        price=event.number("price"),
        say=event.text("say") or " ".join((do, node)).strip(),
    )
