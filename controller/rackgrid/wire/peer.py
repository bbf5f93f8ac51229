"""What is remembered of one sender: the boot that is believed to run, and whether two of them do.

A restarted node has another boot id, and so has a second machine that was started from a copy of
its card. What tells them apart: a restart ends the boot before it. Each boot proves itself before
it is believed (`proof`), so if a boot that another one has followed proves itself again, it ran
while the other did. One such return is evidence enough, and a restart never gives one.

A cloned sender is quarantined: nothing that any of its boots says is believed, because whatever one
of them holds, the other's word would free. They are asked on, slowly; as soon as a single one has
proved itself for `QUARANTINE_NS`, that one is believed again.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from rackgrid.identity import BootId
from rackgrid.wire.bucket import Bucket
from rackgrid.wire.window import Window

BOOTS_MAX: Final = 16
"""Former boots that are remembered per sender: what returns of them is a clone."""
CLONES_MAX: Final = 4
"""Boots of one sender whose proofs are told apart in its quarantine."""
QUARANTINE_NS: Final = 15_000_000_000
"""So long after its last proof a second boot still counts as running."""
MESSAGES_PER_S: Final = 250
"""Of one sender, in the long run: a broker with its fastest heartbeats says a tenth of it."""
MESSAGES_BURST: Final = 100
"""At once: what a broker says in seven seconds, which waits for a node that was stopped so long.

It bounds what a flood can do at its start. The words of a burst of 500, all answered at once, were
measured to cost a broker its authority.
"""


class Standing(Enum):
    """What a proof has come to."""

    BELIEVED = 0
    CLONED = 1


class Peer:
    """One sender that has proved itself."""

    __slots__ = ("boot", "bucket", "clones", "former", "multicasts", "throttled_ns", "unicasts")

    def __init__(self, boot: BootId, unicasts: int = 0, multicasts: int = 0) -> None:
        """Believe a boot.

        Args:
            boot: which has proved itself.
            unicasts: its count of unicasts by then: all of them are spent.
            multicasts: of multicasts, likewise.
        """
        self.bucket = Bucket(MESSAGES_PER_S, MESSAGES_BURST)
        self.former: deque[BootId] = deque(maxlen=BOOTS_MAX)
        self.clones: dict[BootId, int] = {}
        """While quarantined: when each boot proved itself last, ns."""
        self.throttled_ns: int | None = None
        """When a datagram was last refused because there were too many, ns."""
        self._begin(boot, unicasts, multicasts)

    def proved(self, boot: BootId, unicasts: int, multicasts: int, now_ns: int) -> Standing:
        """Note that another boot than the believed one, or one in quarantine, runs now."""
        if not self.clones and boot in self.former:
            self.clones[self.boot] = now_ns
        if self.clones:
            self.clones[boot] = now_ns
            if len(self.clones) > CLONES_MAX:
                del self.clones[min(self.clones, key=self.clones.__getitem__)]
            if self.is_cloned(now_ns):
                return Standing.CLONED
            self.clones.clear()
        if boot != self.boot:
            if boot in self.former:
                self.former.remove(boot)
            self.former.append(self.boot)
        self._begin(boot, unicasts, multicasts)
        return Standing.BELIEVED

    def returned(self, other: BootId, now_ns: int) -> None:
        """Note that another boot than the one that runs for sure, which is our own, runs too."""
        self.clones = {self.boot: now_ns, other: now_ns}

    def running(self, now_ns: int) -> tuple[BootId, ...]:
        """List the boots that have proved themselves of late, in quarantine."""
        return tuple(b for b, at_ns in self.clones.items() if now_ns - at_ns < QUARANTINE_NS)

    def is_cloned(self, now_ns: int) -> bool:
        """Say whether more than one boot runs."""
        return len(self.running(now_ns)) > 1

    def _begin(self, boot: BootId, unicasts: int, multicasts: int) -> None:
        self.boot = boot
        self.unicasts = Window(unicasts)
        self.multicasts = Window(multicasts)
