"""What the API needs of the daemon behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rackgrid.adapters.chronicle import Chronicle
from rackgrid.core.event import CapacityChanged, Request
from rackgrid.core.reason import Decision
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
        present: how a load of this node stands, and why; None if there is no such load.
        chronicle: what has happened since the start; None where nobody keeps it.
        sealed_with: the number of the key with which each node, by its id, sealed its last word.
        prospect: what a load of this node with a deadline has ahead of it; None of any other.
    """

    source: Callable[[], View]
    health: Callable[[], tuple[bool, str]]
    leave: Callable[[], None]
    ask: Callable[[Request | CapacityChanged], None]
    clock: Callable[[], int]
    accounts: Callable[[], list[dict[str, object]]] = list
    present: Callable[[str], Decision | None] = lambda _load: None
    chronicle: Chronicle | None = None
    sealed_with: Callable[[], dict[str, int]] = dict
    prospect: Callable[[str], dict[str, object] | None] = lambda _load: None
