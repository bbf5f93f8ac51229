"""I6: the guards hold, seen from outside: when contacts really moved, against the profile's times.

Times are the seat's own clock, which is what a guard can know; a power cut starts it anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rackgrid_firmware.link import OutputSpec

Complain = Callable[[str], None]


@dataclass(slots=True)
class Dwell:
    """Watches one node's contacts.

    Attributes:
        moved: output → when it last moved; started_ns: the node's last start of a load.
        urgent: outputs whose last release did not have to wait for min-on.
    """

    stagger_ns: int
    moved: dict[str, int] = field(default_factory=dict[str, int])
    started_ns: int | None = None
    urgent: set[str] = field(default_factory=set[str])

    def released(self, output: str, *, urgent: bool) -> None:
        """Note what the controller asked for."""
        if urgent:
            self.urgent.add(output)
        else:
            self.urgent.discard(output)

    def lost_power(self, now_ns: int, outputs: list[str]) -> None:
        """Every contact has opened, whatever its dwell."""
        self.moved = dict.fromkeys(outputs, now_ns)
        self.started_ns = None

    def switched(
        self, now_ns: int, spec: OutputSpec, *, on: bool, cause: str, complain: Complain
    ) -> None:
        """Check a contact's move."""
        before_ns = self.moved.get(spec.name)
        since_ns = None if before_ns is None else now_ns - before_ns
        if on:
            if since_ns is not None and since_ns < spec.min_off_ns:
                complain(f"I6 {spec.name} starts after {since_ns / 1e6:.1f} ms off")
            if self.started_ns is not None and now_ns - self.started_ns < self.stagger_ns:
                gap_ms = (now_ns - self.started_ns) / 1e6
                complain(f"I6 {spec.name} starts {gap_ms:.1f} ms after another load")
            self.started_ns = now_ns
        elif since_ns is not None and since_ns < spec.min_on_ns and self._may_wait(spec, cause):
            complain(f"I6 {spec.name} ends after {since_ns / 1e6:.1f} ms on")
        self.moved[spec.name] = now_ns

    def _may_wait(self, spec: OutputSpec, cause: str) -> bool:
        """Whether min-on goes before this: not before a deadline, nor before safety."""
        return cause == "released" and spec.name not in self.urgent
