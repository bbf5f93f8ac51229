"""Watches what the node's loads draw, and books it: from meters and prices to rows of the ledger.

It looks whenever the firmware has told something new, and decides nothing. A load whose meter sees
it alone is booked by that meter's counter. Loads that share a meter share what it counts, by the
nameplates of those that are on; the sum is the meter's, the parts are estimates. A load that no
meter sees, or whose meter does not answer, and the node's own electronics count with their
nameplate.

Beside its loads a node keeps accounts of what it knows of the supply, so that a rack can be
balanced (`market.balance`): of the meter that sees the whole feed, and of each source that it
speaks for. A source without a meter is booked with all that it offers, as an estimate.

Of each load that takes grants the books say what these let it draw, beside what it drew. A grant is
of the whole node; it is parted among the loads that it serves by what they take once they run, so
that the parts are the grant to the last mW. It counts until its deadline or until the look that
finds another, so to a fifth of a second.

Rows of all nodes end together, at the quarters of the hour, once the clock is set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from rackgrid.core import board as boards
from rackgrid.core import tender
from rackgrid.core.agent import Agent, live_grant
from rackgrid.core.board import Board
from rackgrid.core.grant import Grant
from rackgrid.core.settings import LoadSettings
from rackgrid.market.balance import ELECTRONICS, FEED, is_load, source_account
from rackgrid.market.row import Row, Terms, Totals
from rackgrid.market.settlement import (
    ROW_NS,
    Account,
    Granted,
    Seen,
    anchor,
    booked,
    closed,
    gained_mj,
    opened,
)
from rackgrid_firmware.device import LEVEL_FULL, Quality, Reading


class Rows(Protocol):
    """Where rows go, and what was there at the start."""

    @property
    def last_rows(self) -> Mapping[str, Row]:
        """Each account's newest row at the start."""
        ...

    @property
    def totals(self) -> Mapping[str, Totals]:
        """Each account's sum at the start."""
        ...

    def add(self, row: Row) -> None:
        """Take a row; never waits."""
        ...

    def hasten(self) -> None:
        """Keep what was taken as soon as can be."""
        ...

    def close(self) -> None:
        """Keep everything, and end."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """The price in force, and which round made it; the value is None while it is unknown."""

    price_uc: int | None
    term: int
    round: int


@dataclass(frozen=True, slots=True)
class Chart:
    """What the configuration says of a node's accounts.

    Attributes:
        reference_uc: what a kWh would cost without rackgrid; None if nobody has said.
        revenues_uc: what an hour of each task brings in, by the name of its load.
        feed_meter: the board's meter that sees the whole feed, or "".
        source_meters: the meters of the sources that have one, by their names.
        exported: the sources of which the rest is sold.
    """

    reference_uc: int | None = None
    revenues_uc: Mapping[str, int] = field(default_factory=dict[str, int])
    feed_meter: str = ""
    source_meters: Mapping[str, str] = field(default_factory=dict[str, str])
    exported: frozenset[str] = frozenset()


NOTHING: Final = Granted(0, 0)
"""What a load has that takes grants, and has none."""


class Bookkeeper:
    """The accounts of one node.

    Args:
        ledger: where rows go.
        chart: of the accounts.
        wall_offset_ns: Unix time less CLOCK_MONOTONIC, ns; None while the clock is not set.
    """

    def __init__(
        self, ledger: Rows, chart: Chart, wall_offset_ns: Callable[[], int | None]
    ) -> None:
        self._ledger = ledger
        self._chart = chart
        self._wall_offset_ns = wall_offset_ns
        self._quarter: int | None = None
        self._accounts: dict[str, Account] = {}
        self._totals: dict[str, Totals] = dict(ledger.totals)
        self._shares = _Shares()

    def look(self, agent: Agent, loads: Iterable[LoadSettings], now_ns: int) -> None:
        """Book what was drawn since the last look.

        Args:
            agent: what the node knows of its copper, its price and its sources.
            loads: the names of its outputs.
            now_ns: CLOCK_MONOTONIC, ns.
        """
        board = agent.board
        if board is None:
            return
        look = _Look(_price(agent, now_ns), now_ns, self._is_quarter(now_ns))
        seen = self._shares.seen(board)
        known = {load.output: load for load in loads}
        granted = _granted(board, live_grant(agent, now_ns), known)
        for output, found in seen.items():
            name = known[output].name if output in known else output
            output_state = board.outputs.get(output)
            is_on = output_state is not None and output_state.on
            price_uc, revenue_uc = look.price.price_uc, self._chart.revenues_uc.get(name)
            terms = Terms(is_on, price_uc, self._chart.reference_uc, revenue_uc)
            self._book(name, found, terms, look, granted.get(output))
        plain = Terms(True, look.price.price_uc, self._chart.reference_uc)
        self._book(ELECTRONICS, Seen(power_mw=board.base_mw), plain, look)
        feed = board.readings.get(self._chart.feed_meter)
        if feed is not None:
            terms = Terms(True, look.price.price_uc, None)
            self._book(FEED, _seen(board, feed, 0), terms, look)
        for offer in agent.offers:
            reading = board.readings.get(self._chart.source_meters.get(offer.source, ""))
            given = Seen(power_mw=offer.power_mw)
            given = given if reading is None else _seen(board, reading, offer.power_mw)
            exports = offer.source in self._chart.exported
            name = source_account(offer.source, exports=exports)
            terms = Terms(True, offer.price_uc, None)
            self._book(name, given, terms, look)

    def close(self) -> None:
        """End every open row, and have all of them written."""
        for name, account in self._accounts.items():
            self._accounts[name], row = closed(account)
            if row is not None:
                self._ledger.add(row)
        self._ledger.close()

    def totals(self) -> dict[str, Totals]:
        """Sum up the rows of each load and of the electronics, the open ones included."""
        found = {name: total for name, total in self._totals.items() if is_load(name)}
        for name, account in filter(lambda item: is_load(item[0]), self._accounts.items()):
            row = closed(account)[1]
            if row is not None:
                found[name] = found.get(name, Totals()).plus(row)
        return found

    def _is_quarter(self, now_ns: int) -> bool:
        """Whether a quarter of an hour, by the wall clock, has ended since the last look."""
        offset_ns = self._wall_offset_ns()
        if offset_ns is None:
            return False
        before, self._quarter = self._quarter, (now_ns + offset_ns) // ROW_NS
        return before is not None and before != self._quarter

    def _book(
        self, name: str, seen: Seen, terms: Terms, look: _Look, granted: Granted | None = None
    ) -> None:
        now_ns, price = look.now_ns, look.price
        account = self._accounts.get(name)
        if account is None:
            # What was drawn since its last row, before this start, has no price that we know of.
            unknown = replace(terms, price_uc=None)
            account = opened(name, unknown, now_ns, self._ledger.last_rows.get(name))
        is_new = account.load not in self._ledger.last_rows and name not in self._accounts
        account, row = booked(
            *(account, seen, terms, price.term, price.round, now_ns),
            ends=look.is_quarter,
            granted=granted,
        )
        if is_new:
            self._ledger.add(anchor(account))
            self._ledger.hasten()
        self._accounts[name] = account
        if row is not None:
            self._totals[name] = self._totals.get(name, Totals()).plus(row)
            self._ledger.add(row)


@dataclass(frozen=True, slots=True)
class _Look:
    """What holds for all accounts at a look.

    Attributes:
        is_quarter: every row ends now.
    """

    price: Price
    now_ns: int
    is_quarter: bool


class _Shares:
    """Splits what a shared meter counts among its loads, without losing a mJ."""

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._parts: dict[str, int] = {}

    def seen(self, board: Board) -> dict[str, Seen]:
        """Say what is seen of every output; nothing yet of one whose meter has not spoken."""
        found: dict[str, Seen] = {}
        shared: dict[str, list[str]] = {}
        for output, spec in board.specs.items():
            reading = board.readings.get(spec.meter)
            if not spec.meter or (reading is not None and reading.quality is Quality.STALE):
                found[output] = Seen(power_mw=_nameplate_mw(board, output))
            elif reading is not None and output in board.own_meter:
                found[output] = _seen(board, reading, _nameplate_mw(board, output))
            elif reading is not None:
                shared.setdefault(spec.meter, []).append(output)
        for meter, outputs in shared.items():
            self._split(board, meter, outputs)
            for output in outputs:
                part_mj = self._parts.get(output, 0)
                found[output] = Seen(part_mj, part_mj, _nameplate_mw(board, output), 0)
        return found

    def _split(self, board: Board, meter: str, outputs: list[str]) -> None:
        """Give each its part of what the meter counted since the last look."""
        reading = board.readings[meter]
        before_mj = self._counters.get(meter)
        self._counters[meter] = reading.energy_mj
        if before_mj is None:
            return
        drawn_mj = gained_mj(before_mj, reading.energy_mj)
        states = ((output, board.outputs.get(output)) for output in outputs)
        on = [output for output, state in states if state is not None and state.on] or outputs
        left_mj, left_mw = drawn_mj, sum(_nameplate_mw(board, output) for output in on)
        for output in on:
            nominal_mw = _nameplate_mw(board, output)
            part_mj = left_mj * nominal_mw // left_mw if left_mw else left_mj
            self._parts[output] = self._parts.get(output, 0) + part_mj
            left_mj, left_mw = left_mj - part_mj, left_mw - nominal_mw


def _granted(
    board: Board, grant: Grant | None, known: Mapping[str, LoadSettings]
) -> dict[str, Granted]:
    """Part the grant among the flexible outputs: all of it among those whose loads it serves."""
    found = dict.fromkeys(board.flexible, NOTHING)
    if grant is None:
        return found
    served = [each for each in board.flexible if each in known and known[each].name in grant.loads]
    weights = {each: _bought_mw(board, grant, known[each]) for each in served}
    left_mw, left = grant.power_mw, sum(weights.values())
    for output, weight in weights.items():
        part_mw = left_mw * weight // left if left else left_mw
        found[output] = Granted(part_mw, grant.deadline_ns)
        left_mw, left = left_mw - part_mw, left - weight
    return found


def _bought_mw(board: Board, grant: Grant, load: LoadSettings) -> int:
    """Say what a load takes once it runs, with as many stages as a grant serves, mW."""
    nominal_mw, count = boards.nominal_mw(board, load.output), len(load.stages_uc)
    levels = tender.levels(board.specs[load.output].min_level, count)
    return nominal_mw * levels[grant.stages.get(load.name, 1) - 1] // LEVEL_FULL


def _nameplate_mw(board: Board, output: str) -> int:
    """Say what a load draws by its nameplate, at the level that it is given, mW."""
    nominal_mw, state = board.specs[output].nominal_mw, board.outputs.get(output)
    level = LEVEL_FULL if state is None else state.level
    return -(-nominal_mw * level // LEVEL_FULL)


def _seen(board: Board, reading: Reading, power_mw: int) -> Seen:
    """Say what a meter sees, and how far that may be off.

    Args:
        power_mw: what counts while it does not answer, mW.
    """
    if reading.quality is Quality.STALE:
        return Seen(power_mw=power_mw)
    accuracy, doubt_mw = board.accuracy.get(reading.meter), None
    if accuracy is not None and reading.quality is not Quality.SATURATED:
        doubt_w = accuracy.of_watts(reading.volts, reading.amps)
        doubt_mw = math.ceil(doubt_w * 1000) if math.isfinite(doubt_w) else None
    return Seen(reading.energy_mj, reading.estimated_mj, power_mw, doubt_mw)


def _price(agent: Agent, now_ns: int) -> Price:
    """Say which price is in force."""
    price = agent.price
    if price is None or now_ns >= price.until_ns:
        return Price(None, 0, 0)
    return Price(price.price_uc, price.pair.term, price.round)
