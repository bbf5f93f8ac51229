"""What the API needs of the daemon behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rackgrid.core.event import CapacityChanged, Request
from rackgrid.core.view import View


@dataclass(frozen=True, slots=True)
class Doors:
    """The daemon as the API sees it; everything here is called in the event loop.

    Attributes:
        source: gives the view.
        health: whether the node does its work, and one line that says so or why not.
        leave: starts the node's leaving and returns at once.
        ask: lets the node do what an operator asks for, and returns at once.
        clock: the time that such a wish is given, monotonic, ns.
        accounts: what each load of this node has drawn and what that cost.
    """

    source: Callable[[], View]
    health: Callable[[], tuple[bool, str]]
    leave: Callable[[], None]
    ask: Callable[[Request | CapacityChanged], None]
    clock: Callable[[], int]
    accounts: Callable[[], list[dict[str, object]]] = list
