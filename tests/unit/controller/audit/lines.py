"""Lines of records to be audited: sound ones, and such as differ from them in a field."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.unit.controller.adapters.story import SECOND, STARTING, cleared, priced

from rackgrid.adapters.event_json import event
from rackgrid.audit.field import Fields
from rackgrid.core.action import LoadDecided
from rackgrid.core.reason import Decision
from rackgrid.market.curve import Step

Line = dict[str, Any]
NODE = "00000000000000aa"
LAMP = Step(400_000, 6000, 9000, running=True)
PUMP = Step(300_000, 40_000, 40_000, running=False)


def line(kind: str, fields: dict[str, object], at_s: float = 1.0) -> Line:
    head = {"t_ns": int(at_s * SECOND), "time": None, "node": "pi-1", "event": kind}
    return copy.deepcopy({**head, **fields})


def start(at_s: float = 0.0) -> Line:
    return line("start", {"boot": "0a", "version": "0"}, at_s)


def price(price_uc: int = 250_000, at_s: float = 1.0, round_: int = 3) -> Line:
    named = event(priced(price_uc, round_))
    assert named is not None
    return line(*named, at_s)


def no_price(at_s: float = 1.0) -> Line:
    return line("price", {"price_uc": None}, at_s)


def load(made: Decision = STARTING, at_s: float = 1.0) -> Line:
    named = event(LoadDecided(made))
    assert named is not None
    return line(*named, at_s)


def round_(*steps: Step, at_s: float = 1.0, number: int = 3) -> Line:
    named = event(cleared(*(steps or (LAMP, PUMP)), round_=number))
    assert named is not None
    return line(*named, at_s)


def fields(of: Line) -> Fields:
    return Fields(of)


def texts(*lines: Line) -> list[str]:
    return [json.dumps(each) for each in lines]


def changed(of: Line, path: str, value: object) -> Line:
    """The same line with another value at a path such as `grant.mw`."""
    found = copy.deepcopy(of)
    *way, last = path.split(".")
    inside: Any = found
    for key in way:
        inside = inside[int(key)] if isinstance(inside, list) else inside[key]
    inside[int(last) if isinstance(inside, list) else last] = value
    return found
