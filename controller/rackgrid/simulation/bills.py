"""Checks that the bills add up (I8): real bookkeepers, over disks that lose what was not written.

At each seat a real bookkeeper looks at the counters of the firmware once a second, and its rows go
to a disk that keeps them in batches. A controller that dies takes with it what was in memory; its
heir goes on from the rows that are left. What all rows of a load say it has drawn is compared with
what it has truly drawn: to the millijoule while the firmware's counters have not begun anew, and
less what nobody had read of them where they have (a power cut takes that for good). What a meter
that did not answer may have seen is an estimate, and bounded by the nameplate.

Every row is checked beside its predecessor, by the checker's own arithmetic (`market.row`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rackgrid.core.action import Action
from rackgrid.core.agent import Agent
from rackgrid.core.bookkeeper import Bookkeeper, Chart
from rackgrid.core.event import Event, FirmwareReported
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NodeId
from rackgrid.market.row import Row, Totals, objection
from rackgrid.market.settlement import ROW_NS
from rackgrid.simulation.firmware import PJ_PER_MJ
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.value import replace
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.link import Telemetry

LOOK_NS = SECOND_NS
"""Between two looks of a bookkeeper."""
ROW_LOOKS = 2
"""Looks between two ends of all rows: the wall clock strikes a quarter that often."""
WRITE_LOOKS = 5
"""Looks between two batches."""


@dataclass(slots=True)
class _Disk:
    """What survives a controller.

    Attributes:
        rows: that were written, by load, in order.
        marks: of each load, as its last one was ended.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])
    marks: dict[str, _Mark] = field(default_factory=dict[str, "_Mark"])


@dataclass(frozen=True, slots=True)
class _Mark:
    """How a load's meter stood at a moment.

    Attributes:
        kernel, power: of the seat.
        drawn_mj: what the load had truly drawn; shown_mj: what its counter showed.
    """

    kernel: int
    power: int
    drawn_mj: int
    shown_mj: int


class _Rows:
    """A ledger in memory: a batch reaches the disk whole, or not at all.

    Args:
        disk: what it goes on with.
        kernel: boot of the machine's kernel, in which its meters have counted from zero.

    Attributes:
        marks: of each load at this look, which ends the rows that come.
    """

    def __init__(self, disk: _Disk, kernel: int) -> None:
        self.marks: Mapping[str, _Mark] = {}
        self._disk = disk
        self._waiting: list[tuple[Row, _Mark | None]] = []
        self.last_rows: Mapping[str, Row] = {
            name: _as_seen(rows[-1], disk.marks.get(name), kernel)
            for name, rows in disk.rows.items()
        }
        self.totals: Mapping[str, Totals] = {name: _sum(rows) for name, rows in disk.rows.items()}

    def add(self, row: Row) -> None:
        """Take a row."""
        self._waiting.append((row, self.marks.get(row.load)))

    def hasten(self) -> None:
        """Write what waits."""
        for row, mark in self._waiting:
            self._disk.rows.setdefault(row.load, []).append(row)
            if mark is not None:
                self._disk.marks[row.load] = mark
        self._waiting.clear()

    def close(self) -> None:
        """Write what waits."""
        self.hasten()


@dataclass(slots=True)
class _Truth:
    """One load's account, seen from outside.

    Attributes:
        begun_mj: what it had drawn when its account began, mJ.
        mark: how its meter stood when the books have it from: the last look, or the end of the last
            row that was written if the controller has died since.
        lost_mj: was counted, and gone before anybody read it.
        guessed_mj: the most that was estimated for time in which its meter did not answer.
        is_blind: its meter did not answer at the last look.
        is_sure: its meter has answered at every look.
    """

    begun_mj: int
    mark: _Mark
    lost_mj: int = 0
    guessed_mj: int = 0
    is_blind: bool = False
    is_sure: bool = True

    def sees(self, mark: _Mark) -> None:
        """Take the next look; a counter that began anew has lost what nobody had read of it.

        Within one boot of the kernel, a counter that began anew and has already passed what it
        showed before cannot be told from one that ran on: so much is missing then, too.
        """
        before, self.mark = self.mark, mark
        if mark.power == before.power:
            return
        self.lost_mj += mark.drawn_mj - before.drawn_mj - mark.shown_mj
        if mark.kernel == before.kernel and mark.shown_mj >= before.shown_mj:
            self.lost_mj += before.shown_mj


@dataclass(slots=True)
class _WallClock:
    """A clock that strikes quarters of an hour when it is told to."""

    offset_ns: int = 0

    def __call__(self) -> int:
        """Tell Unix time less monotonic time, ns."""
        return self.offset_ns


@dataclass(slots=True)
class _Desk:
    """One seat's bookkeeper, and what it should have in its books.

    Attributes:
        life, power: of the seat, when it looked last.
    """

    disk: _Disk
    life: int
    power: int
    rows: _Rows
    clock: _WallClock
    keeper: Bookkeeper
    truths: dict[str, _Truth] = field(default_factory=dict[str, _Truth])
    looked_ns: int = 0
    looks: int = 0


class Bills:
    """Keeps and checks the books of every seat of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._desks: dict[NodeId, _Desk] = {}
        self.looks = 0
        self.heirs = 0
        """How often an heir went on with the books of a controller that had died."""
        world.witnesses.append(self.saw)

    def saw(self, seat: Seat, event: Event, _before: Agent, _actions: list[Action]) -> None:
        """Let the seat's bookkeeper look when its firmware has told what its meters show."""
        if not isinstance(event, FirmwareReported) or not isinstance(event.report, Telemetry):
            return
        if seat.node is None or seat.node.state.agent.board is None:
            return
        now_ns, desk = seat.local_ns(self._world.now_ns), self._desks.get(seat.id)
        is_same = desk is not None and (desk.life, desk.power) == (seat.life, seat.power)
        if desk is None or not is_same or now_ns - desk.looked_ns >= LOOK_NS:
            self._look(seat, self._at_desk(seat, desk), seat.node.state.agent, now_ns)

    def audit(self) -> None:
        """Compare every account with the truth, and every row with its predecessor."""
        for place, desk in self._desks.items():
            totals = desk.keeper.totals()
            for load, truth in desk.truths.items():
                self._compare(place, load, totals[load].energy_mj, truth)
            for load, rows in desk.disk.rows.items():
                for row, before in zip(rows, (None, *rows), strict=False):
                    if what := objection(row, before):
                        self._complain(place, f"{load}: {what}")

    def _at_desk(self, seat: Seat, desk: _Desk | None) -> _Desk:
        """Go on at a seat's desk; a new controller has what the disk has."""
        if desk is not None and desk.life == seat.life:
            return desk
        disk = desk.disk if desk is not None else _Disk()
        rows, clock = _Rows(disk, seat.kernel), _WallClock()
        keeper = Bookkeeper(rows, Chart(), clock)
        heir = _Desk(disk, seat.life, seat.power, rows, clock, keeper)
        if desk is not None:
            self.heirs += 1
            heir.truths = desk.truths
            for load, truth in heir.truths.items():
                truth.mark = disk.marks[load]
                truth.is_sure &= disk.rows[load][-1].meter_mj is not None
        self._desks[seat.id] = heir
        return heir

    def _look(self, seat: Seat, desk: _Desk, agent: Agent, now_ns: int) -> None:
        board = agent.board
        assert board is not None, "who saw it has asked"
        drawn_mj, shown_mj = seat.firmware.energy_mj(now_ns)
        specs = {x.spec.meter: x.spec for x in seat.firmware.loads if x.spec.meter}
        readings: dict[str, Reading] = {}
        marks: dict[str, _Mark] = {}
        for meter, reading in board.readings.items():
            load, nominal_mw = specs[meter].name, specs[meter].nominal_mw
            readings[meter] = replace(reading, energy_mj=shown_mj[load])
            mark = _Mark(seat.kernel, seat.power, drawn_mj[load], shown_mj[load])
            truth = desk.truths.setdefault(load, _Truth(mark.drawn_mj, mark))
            truth.sees(mark)
            marks[load] = mark
            is_blind = reading.quality is not Quality.FRESH
            if is_blind or truth.is_blind:
                span_ns = max(0, now_ns - desk.looked_ns)
                truth.guessed_mj += nominal_mw * span_ns // PJ_PER_MJ + 1
                truth.is_sure = False
            truth.is_blind = is_blind
        desk.rows.marks = marks
        if desk.looks % ROW_LOOKS == 0:
            desk.clock.offset_ns += ROW_NS
        agent = replace(agent, board=replace(board, readings=readings))
        desk.keeper.look(agent, seat.settings.loads, now_ns)
        desk.power, desk.looked_ns = seat.power, now_ns
        desk.looks, self.looks = desk.looks + 1, self.looks + 1
        if desk.looks % WRITE_LOOKS == 0:
            desk.rows.hasten()

    def _compare(self, place: NodeId, load: str, booked_mj: int, truth: _Truth) -> None:
        drawn_mj = truth.mark.drawn_mj - truth.begun_mj
        least_mj = drawn_mj - truth.lost_mj if truth.is_sure else 0
        if not least_mj <= booked_mj <= drawn_mj + truth.guessed_mj:
            lost = f"{truth.lost_mj} mJ lost, at most {truth.guessed_mj} mJ estimated"
            self._complain(place, f"{load}: {booked_mj} mJ booked of {drawn_mj} mJ, {lost}")

    def _complain(self, place: NodeId, what: str) -> None:
        seat = self._world.seats.get(place)
        name = seat.settings.name if seat is not None else f"{place:016x}"
        self._world.checker.complain(self._world.now_ns, f"I8 {name}, {what}")


def _as_seen(row: Row, mark: _Mark | None, kernel: int) -> Row:
    """Give a row as the real ledger does: to the meters of another boot it says zero."""
    if mark is None or mark.kernel == kernel or row.meter_mj is None:
        return row
    return replace(row, meter_mj=0)


def _sum(rows: list[Row]) -> Totals:
    totals = Totals()
    for row in rows:
        totals = totals.plus(row)
    return totals
