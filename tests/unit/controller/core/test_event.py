"""The words for what can happen to a node."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import get_args

from rackgrid.core import event
from rackgrid.core.event import Event


def kinds() -> set[type]:
    return {
        kind
        for kind in vars(event).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == event.__name__
    }


def test_event_every_kind_of_the_module_is_in_the_union() -> None:
    assert kinds() == set(get_args(Event))


def test_event_each_carries_the_local_time_at_which_it_happened() -> None:
    """Fails if an event would make the core look at a clock."""
    assert all(fields(kind)[0].name == "now_ns" for kind in kinds())
