"""Records of a simulated rack: what each of its nodes would have told, whatever befell it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from rackgrid.adapters import chronicle as chronicles
from rackgrid.adapters.chronicle import Chronicle
from rackgrid.core.action import Action
from rackgrid.identity import NodeId
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World

ALL = 10**12


class Recorder:
    """Listens to every world that runs, and keeps a chronicle of each boot of each node."""

    def __init__(self) -> None:
        self._boots: dict[tuple[NodeId, int], Chronicle] = {}

    def hear(self, world: World, seat: Seat, action: Action) -> None:
        def now_ns() -> int:
            return seat.local_ns(world.now_ns)

        boot = (seat.id, seat.life)
        if boot not in self._boots:
            name = seat.settings.name
            self._boots[boot] = Chronicle(name, f"{seat.life:x}", lambda: None, now_ns)
        self._boots[boot].publish(action, now_ns())

    def records(self) -> dict[NodeId, list[str]]:
        """Give the lines of each node, boot by boot."""
        found: dict[NodeId, list[str]] = {}
        for (node, _), chronicle in sorted(self._boots.items()):
            found.setdefault(node, []).extend(told.data.decode() for told in chronicle.since(0))
        return found


@contextmanager
def recording() -> Generator[Recorder]:
    """Record whatever is simulated meanwhile."""
    recorder, publish = Recorder(), World._publish

    def heard(world: World, seat: Seat, action: Action) -> None:
        recorder.hear(world, seat, action)
        publish(world, seat, action)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "_publish", heard)
        patch.setattr(chronicles, "EVENTS_MAX", ALL)
        patch.setattr(chronicles, "BYTES_MAX", ALL)
        yield recorder
