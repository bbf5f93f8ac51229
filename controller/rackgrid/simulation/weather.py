"""Faults of the network as a whole: for a while it loses, doubles or delays what is sent.

Where two of a kind overlap, the later one sets how bad it is and the earlier end ends both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from rackgrid.core.settings import MS_NS
from rackgrid.simulation.network import JITTER_NS
from rackgrid.simulation.world import World


@dataclass(frozen=True, slots=True)
class Loss:
    """For a while datagrams are lost."""

    percent: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        world.network.loss = self.percent / 100
        world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, world))

    def _end(self, world: World) -> None:
        world.network.loss = 0.0

    def __str__(self) -> str:
        return f"{self.percent} % are lost for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class Duplication:
    """For a while datagrams arrive twice."""

    percent: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        world.network.duplicates = self.percent / 100
        world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, world))

    def _end(self, world: World) -> None:
        world.network.duplicates = 0.0

    def __str__(self) -> str:
        return f"{self.percent} % arrive twice for {self.for_ms} ms"


@dataclass(frozen=True, slots=True)
class Delay:
    """For a while datagrams are late, each by another time, and overtake each other."""

    mean_ms: int
    for_ms: int

    def apply(self, world: World) -> None:
        """Do it."""
        world.network.jitter_ns = self.mean_ms * MS_NS
        world.at(world.now_ns + self.for_ms * MS_NS, partial(self._end, world))

    def _end(self, world: World) -> None:
        world.network.jitter_ns = JITTER_NS

    def __str__(self) -> str:
        return f"all is late by {self.mean_ms} ms in the mean for {self.for_ms} ms"
