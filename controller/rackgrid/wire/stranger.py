"""Boots that have not proved themselves: when each was asked and answered, and what it said last.

A thief can replay any recording as often as he likes. So that he neither makes this node loud nor
stands in the way of the boot whose recordings he has, a stranger gets a reply seldom, and only for
what is newer than all that was heard of it: its own next word makes every recording old.
"""

from __future__ import annotations

from typing import Final

from rackgrid.identity import BootId, NodeId

STRANGERS_MAX: Final = 256
"""Boots that are remembered; of more, the one heard longest ago is forgotten."""
ASK_SPACING_NS: Final = 50_000_000
"""Between two challenges of one boot: less than a heartbeat, if one is lost."""
ANSWER_SPACING_NS: Final = 20_000_000
"""Between two answers to one boot: less than between its challenges."""
_LONG_AGO_NS: Final = -(2**62)


class Stranger:
    """One boot that has not proved itself."""

    __slots__ = ("_answered_ns", "_asked_ns", "_multicasts", "_unicasts")

    def __init__(self) -> None:
        self._asked_ns = self._answered_ns = _LONG_AGO_NS
        self._multicasts = self._unicasts = 0

    def is_newer(self, unicast: bool, counter: int) -> bool:
        """Say whether this is the newest word of that boot, and note it if it is."""
        if counter <= (self._unicasts if unicast else self._multicasts):
            return False
        if unicast:
            self._unicasts = counter
        else:
            self._multicasts = counter
        return True

    def may_be_asked(self, spacing_ns: int, now_ns: int) -> bool:
        """Say whether it was not asked for that long, and note that it is asked now if so."""
        if now_ns - self._asked_ns < spacing_ns:
            return False
        self._asked_ns = now_ns
        return True

    def may_be_answered(self, now_ns: int) -> bool:
        """Say whether it was not answered of late, and note that it is answered now if so."""
        if now_ns - self._answered_ns < ANSWER_SPACING_NS:
            return False
        self._answered_ns = now_ns
        return True


class Strangers:
    """All of them; a bounded number."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        # In the order in which they were last heard.
        self._known: dict[tuple[NodeId, BootId], Stranger] = {}

    def __len__(self) -> int:
        return len(self._known)

    def heard(self, sender: NodeId, boot: BootId) -> Stranger:
        """Return what is remembered of that boot."""
        stranger = self._known.pop((sender, boot), None)
        if stranger is None:
            stranger = Stranger()
            if len(self._known) >= STRANGERS_MAX:
                del self._known[next(iter(self._known))]
        self._known[sender, boot] = stranger
        return stranger

    def forget(self, sender: NodeId, boot: BootId) -> None:
        """Forget a boot that has proved itself."""
        self._known.pop((sender, boot), None)
