"""The true state of a simulated rack, added up after every event and handed to the checker.

Adding up everything after every event would be most of the simulation's work, so each seat's sums
are kept until something happens there. Between two events at a seat its sums only fall (an inrush
ends, a grant expires), so the kept total is never too low; where it says that a limit may be
broken, everything is added up anew before anybody is accused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid.identity import NodeId
from rackgrid.simulation.checker import Checker
from rackgrid.simulation.seat import Seat

REACT_NS = 1_500_000_000
"""From a draw that nobody allowed until the rack has made room for it: the meter's period, its
settling, a report, a round, and the contacts of whoever has to give way."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """One seat's share, mW."""

    draw_mw: int
    held_mw: int
    """Floor and holding."""
    required_off: bool


_NOTHING = _Sums(0, 0, required_off=False)


class Truth:
    """Keeps each seat's sums, and has them checked."""

    def __init__(self, checker: Checker) -> None:
        self._checker = checker
        self._sums: dict[NodeId, _Sums] = {}
        self._touched: dict[NodeId, Seat] = {}
        self._required_off: set[NodeId] = set()
        self._draw_mw = 0
        self._held_mw = 0
        self._leaders: list[Seat] = []
        self._now_ns = 0

    def touched(self, seat: Seat) -> None:
        """Something happened here: this seat's sums, and who leads, are to be taken anew."""
        self._touched[seat.id] = seat

    def surprised(self, seat: Seat) -> None:
        """A load draws what nobody could know of: the rack has `REACT_NS` to make room."""
        now_ns = self._now_ns
        self._checker.surprised(now_ns + REACT_NS, seat.firmware.surprise_mw())
        self._touched[seat.id] = seat

    def forget(self, node: NodeId) -> None:
        """Drop a seat that is no longer in the rack."""
        self._touched.pop(node, None)
        self._leaders = [seat for seat in self._leaders if seat.id != node]
        self._replace(node, _NOTHING)
        self._sums.pop(node, None)

    def check(self, now_ns: int, seats: Mapping[NodeId, Seat]) -> None:
        """Check the invariants."""
        self._now_ns = now_ns
        if self._touched:
            self._check_sums(now_ns, seats)
            self._leaders = [s for s in seats.values() if s.node and s.node.state.office]
        if len(self._leaders) > 1:
            raising = [s.settings.name for s in self._leaders if _raises(s, now_ns)]
            self._checker.raisers(now_ns, raising)

    def _check_sums(self, now_ns: int, seats: Mapping[NodeId, Seat]) -> None:
        self._add_up(now_ns, self._touched)
        self._touched.clear()
        limit_mw = self._checker.limit_mw(now_ns)
        if self._draw_mw > min(limit_mw, self._checker.peak_mw) or self._held_mw > limit_mw:
            self._add_up(now_ns, seats)
        self._checker.draw(now_ns, self._draw_mw)
        self._checker.held(now_ns, self._held_mw)
        if self._required_off:
            self._checker.required(now_ns, sorted(self._required_off))

    def _add_up(self, now_ns: int, seats: Mapping[NodeId, Seat]) -> None:
        for node, seat in seats.items():
            self._replace(node, _sums(seat, now_ns))

    def _replace(self, node: NodeId, sums: _Sums) -> None:
        before = self._sums.get(node, _NOTHING)
        self._draw_mw += sums.draw_mw - before.draw_mw
        self._held_mw += sums.held_mw - before.held_mw
        self._sums[node] = sums
        if sums.required_off:
            self._required_off.add(node)
        elif before.required_off:
            self._required_off.remove(node)


def held_mw(seat: Seat, now_ns: int) -> int:
    """What a seat may draw now: its floor and its holding, mW."""
    local_ns, firmware = seat.local_ns(now_ns), seat.firmware
    granted_mw = 0
    if seat.node:
        agent = seat.node.state.agent
        # Whoever leaves has given its grant up: it starts nothing under it any more.
        if agent.grant and agent.grant.deadline_ns > local_ns and not agent.leaving:
            granted_mw = agent.grant.power_mw
    return firmware.floor_mw + max(granted_mw, firmware.flexible_worst_mw(local_ns))


def _sums(seat: Seat, now_ns: int) -> _Sums:
    drawn_mw = seat.firmware.total_mw(seat.local_ns(now_ns))
    return _Sums(drawn_mw, held_mw(seat, now_ns), seat.firmware.is_required_off())


def _raises(seat: Seat, now_ns: int) -> bool:
    """Whether this broker may grant more than nodes reported: it has authority past the waits."""
    assert seat.node is not None, "the dead raise nothing"
    state = seat.node.state
    opened = state.office is not None and state.office.book.opened
    return opened and state.has_authority(seat.local_ns(now_ns))
