"""What somebody may do to the mock world: a script at its times, a test or a demo by hand.

A deed is a few named values, the same in a script's file and over the control door:

    {"do": "weld", "node": "pi-1", "output": "fan", "welded": true}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.plant import Plant

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Deed:
    """A kind of deed.

    Attributes:
        does: it, to a plant at a moment (ns). Raises ValueError where it cannot be done.
        needs: the values that it needs; may: those that it may have beside them.
        meaning: in a few words.
    """

    does: Callable[[Plant, int, Given], None]
    needs: tuple[str, ...]
    meaning: str
    may: tuple[str, ...] = ()


def perform(plant: Plant, now_ns: int, given: Given) -> None:
    """Do it.

    Raises:
        ValueError: nobody knows such a deed, a value is missing, or it cannot be done.
        KeyError: a value is missing.
    """
    name = given.get("do")
    deed = DEEDS.get(str(name))
    if deed is None:
        raise ValueError(f"cannot do {name!r}; allowed: {', '.join(DEEDS)}")
    deed.does(plant, now_ns, given)


def _fault(plant: Plant, now_ns: int, given: Given) -> None:
    plant.advance(now_ns)
    book = plant.faults(given["node"], int(given["bus"]))
    kind, count = Fault(given["kind"]), int(given.get("count", 1))
    book.add(kind, address=given.get("address"), count=count)


def _repair(plant: Plant, now_ns: int, given: Given) -> None:
    plant.advance(now_ns)
    plant.faults(given["node"], int(given["bus"])).clear()


def _set_feed(plant: Plant, now_ns: int, given: Given) -> None:
    names = {"volts": "open_v", "ohms": "ohms", "amps_max": "amps_max", "amps_short": "amps_short"}
    changes = {names[key]: float(value) for key, value in given.items() if key in names}
    if not changes:
        raise ValueError(f"set-feed changes nothing; give one of {', '.join(names)}")
    plant.set_feed(now_ns, **changes)


DEEDS: Mapping[str, Deed] = {
    "set-source": Deed(
        lambda p, t, g: p.set_source(t, g["node"], g["meter"], float(g["watts"])),
        ("node", "meter", "watts"),
        "let a source give so much",
    ),
    "cloud": Deed(
        lambda p, t, g: p.cloud(t, g["node"], g["meter"], float(g["through"])),
        ("node", "meter", "through"),
        "let a cloud pass this share of the sun; 1 drives it off",
    ),
    "set-load": Deed(
        lambda p, t, g: p.set_load(t, g["node"], g["output"], float(g["watts"])),
        ("node", "output", "watts"),
        "let a load draw so much once it runs",
    ),
    "surround": Deed(
        lambda p, t, g: p.surround(t, g["node"], g["output"], float(g["ambient_c"])),
        ("node", "output", "ambient_c"),
        "let a thermal load stand in another temperature",
    ),
    "weld": Deed(
        lambda p, t, g: p.weld(t, g["node"], g["output"], bool(g["welded"])),
        ("node", "output", "welded"),
        "weld a contact, or repair it",
    ),
    "stick": Deed(
        lambda p, t, g: p.stick(t, g["node"], g["output"], bool(g["stuck"])),
        ("node", "output", "stuck"),
        "let a contact stick open, or repair it",
    ),
    "bounce": Deed(
        lambda p, t, g: p.bounce(
            t, g["node"], g["output"], int(g["bounces"]), float(g["bounce_s"])
        ),
        ("node", "output", "bounces", "bounce_s"),
        "let a contact bounce at every closing",
    ),
    "brown-out": Deed(
        lambda p, t, g: p.brown_out(t, g["node"]), ("node",), "dip the supply of a node's chips"
    ),
    "cut": Deed(lambda p, t, g: p.cut(t, g["node"]), ("node",), "cut a node's own supply"),
    "restore": Deed(lambda p, t, g: p.restore(t, g["node"]), ("node",), "give it back"),
    "lose-feed": Deed(lambda p, t, _: p.lose_feed(t), (), "take the feed away from everybody"),
    "restore-feed": Deed(lambda p, t, _: p.lose_feed(t, lost=False), (), "give it back"),
    "set-feed": Deed(_set_feed, (), "change the feed", ("volts", "ohms", "amps_max", "amps_short")),
    "fault": Deed(
        _fault,
        ("node", "bus", "kind"),
        "let the next transfers on a bus fail: nack, timeout, garbage; count -1 is for good",
        ("address", "count"),
    ),
    "repair": Deed(_repair, ("node", "bus"), "take back every fault of a bus"),
}
