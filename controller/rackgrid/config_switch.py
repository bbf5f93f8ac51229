"""How a load beyond the board may be switched: the guard's rules, as `rackgrid.toml` says them.

The keys are those of a board profile's `[[output]]`, with the same meanings. Two of them hold less
far here, and are refused where they would promise more than anybody keeps:

- `not_with` keeps plugs and units of one node apart. An output of the board has its guard in the
  firmware, which knows of no plug: a load of either kind cannot exclude one of the other.
- `feeds` is refused in any case: what powers a node is not switched at all, or a node could cut off
  itself, or the broker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rackgrid_firmware.key import Key, Kind, complaint, meant, shown
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import TomlFile

DEAD_S = 0.1
"""Between two loads that exclude each other, unless it is said otherwise, as in a board profile."""
_FIELDS = ("hold_s", "switches_per_day", "contact_life", "not_with", "dead_s", "start_delay_s")
SWITCH_KEYS = (*_FIELDS, "feeds")


@dataclass(frozen=True, slots=True)
class SwitchConfig:
    """How a load beyond the board may be switched.

    Attributes:
        hold_s: a start must have been asked for this long before it happens, s.
        switches_per_day: starts in a day, on average; 0 for as many as one likes.
        contact_life: how often its contact can close in its life; 0 if that is not known.
        not_with: loads beyond the board that may never be on together with this one.
        dead_s: it must have been off for so long before one of those may start, s.
        start_delay_s: after a kernel boot it does not start for up to this long, s; how long is
            drawn at random for each boot.
    """

    hold_s: float = 0.0
    switches_per_day: int = 0
    contact_life: int = 0
    not_with: tuple[str, ...] = ()
    dead_s: float = DEAD_S
    start_delay_s: float = 0.0


def switch_keys() -> tuple[Key, ...]:
    """Return the keys."""

    def count(name: str, doc: str, high: float) -> Key:
        return Key(name, Kind.INTEGER, doc, None, high=high)

    def time(name: str, doc: str, high: float) -> Key:
        return Key(name, Kind.NUMBER, doc, None, unit="s", high=high)

    return (
        time("hold_s", "how long a start must be asked for", 3600),
        count("switches_per_day", "starts in a day; 0 for any number", 86400),
        count("contact_life", "closings in a contact's life; 0 if not known", 1e9),
        Key("not_with", Kind.NAMES, "plugs and units that may not be on with it", None),
        time("dead_s", "off for so long before one of them starts", 60),
        time("start_delay_s", "calm after a power cut", 3600),
        Key("feeds", Kind.NAME, "refused: what powers a node is not switched", None),
    )


def switch(load: Section) -> SwitchConfig:
    """Read them, from a file that was found right."""
    return SwitchConfig(
        hold_s=load.number("hold_s"),
        switches_per_day=_count(load, "switches_per_day"),
        contact_life=_count(load, "contact_life"),
        not_with=load.names("not_with"),
        dead_s=load.number("dead_s", DEAD_S),
        start_delay_s=load.number("start_delay_s"),
    )


def written_switch(said: SwitchConfig) -> dict[str, object]:
    """Say what stands in the file of them; what demands nothing is left out."""
    values: dict[str, object] = {key: getattr(said, key) or None for key in _FIELDS}
    return values if said.not_with else values | {"dead_s": None}


def check_switch(
    file: TomlFile,
    load: Section,
    plugs: Mapping[str, Section],
    others: Collection[str],
    endless: Collection[str],
) -> None:
    """Check how one load beyond the board may be switched.

    Args:
        file: takes the findings.
        load: to check.
        plugs: all loads beyond the board, by name.
        others: the names of those of the board.
        endless: the names of plugs without a dead-man.
    """
    if "feeds" in load.given:
        text = (
            f"what powers node {load.text('feeds')} is not switched, or a node could cut off "
            "itself or the broker: leave this load out, and count its watts in base_w of the board "
            "profile"
        )
        file.blame(load, "feeds", text)
    if "dead_s" in load.given and "not_with" not in load.given:
        excluded = any(load.text("name") in each.names("not_with") for each in plugs.values())
        if not excluded:
            file.blame(load, "dead_s", "means nothing without not_with, here or of another load")
    if not load.sound("not_with"):
        return
    for name in load.names("not_with"):
        if plugs.get(name) is load:
            file.blame(load, "not_with", "a load cannot exclude itself; name the others")
        elif name in others:
            text = (
                f"{shown(name)} is an output of the board: its firmware knows of no plug, so "
                "nothing would keep the two apart; switch both by the board (not_with in its "
                "profile), or neither"
            )
            file.blame(load, "not_with", text)
        elif name not in plugs:
            allowed = ", ".join(shown(each) for each in sorted(plugs))
            text = complaint(
                "no such load beyond the board", shown(name), allowed, meant(name, plugs)
            )
            file.blame(load, "not_with", text)
        elif name in endless:
            text = "has no {seconds} in its on_payload, and so always counts as on: give it one"
            file.blame(load, "not_with", f"{shown(name)} {text}")


def _count(load: Section, name: str) -> int:
    return int(load.number(name))
