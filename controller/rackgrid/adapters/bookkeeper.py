"""Watches what the node's loads draw, and books it: from meters and prices to rows of the ledger.

It looks whenever the firmware has told something new, and decides nothing. A load whose meter sees
it alone is booked by that meter's counter. Loads that share a meter share what it counts, by the
nameplates of those that are on; the sum is the meter's, the parts are estimates. A load that no
meter sees, or whose meter does not answer, and the node's own electronics count with their
nameplate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.ledger import Ledger
from rackgrid.config import Config
from rackgrid.config_units import UC, microcurrency
from rackgrid.core.board import Board
from rackgrid.core.state import State
from rackgrid.errors import StoreError
from rackgrid.market.row import Terms, Totals
from rackgrid.market.settlement import Account, Seen, anchor, booked, closed, opened
from rackgrid_firmware.device import Quality

LEDGER = "ledger.db"
"""The file below the node's `state_dir`."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_log = logging.getLogger("rackgrid.ledger")

ELECTRONICS = "(electronics)"
"""The account of what the node itself draws; no load can have this name."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price in force, and which round made it; the value is None while it is unknown."""

    price_uc: int | None
    term: int
    round: int


class Bookkeeper:
    """The accounts of one node's loads.

    Args:
        ledger: where rows go.
        reference_uc: what a kWh would cost without rackgrid; None if nobody has said.
        revenues_uc: what an hour of each task brings in, by the name of its load.
    """

    def __init__(
        self,
        ledger: Ledger,
        reference_uc: int | None,
        revenues_uc: Mapping[str, int] | None = None,
    ) -> None:
        self._ledger = ledger
        self._revenues_uc = dict(revenues_uc or {})
        self._reference_uc = reference_uc
        self._accounts: dict[str, Account] = {}
        self._totals: dict[str, Totals] = dict(ledger.totals)
        self._shares = _Shares()

    def look(self, state: State, now_ns: int) -> None:
        """Book what was drawn since the last look.

        Args:
            now_ns: CLOCK_MONOTONIC, ns.
        """
        board = state.agent.board
        if board is None:
            return
        price = _price(state, now_ns)
        seen = self._shares.seen(board)
        names = {load.output: load.name for load in state.settings.loads}
        for output, look in seen.items():
            name = names.get(output, output)
            output_state = board.outputs.get(output)
            is_on = output_state is not None and output_state.on
            self._book(name, look, is_on=is_on, price=price, now_ns=now_ns)
        electronics = Seen(power_mw=board.base_mw)
        self._book(ELECTRONICS, electronics, is_on=True, price=price, now_ns=now_ns)

    def close(self) -> None:
        """End every open row, and have all of them written."""
        for name, account in self._accounts.items():
            self._accounts[name], row = closed(account)
            if row is not None:
                self._ledger.add(row)
        self._ledger.close()

    def totals(self) -> dict[str, Totals]:
        """Sum up each load's rows, the open ones included."""
        found = dict(self._totals)
        for name, account in self._accounts.items():
            row = closed(account)[1]
            if row is not None:
                found[name] = found.get(name, Totals()).plus(row)
        return found

    def _book(self, name: str, seen: Seen, *, is_on: bool, price: Price, now_ns: int) -> None:
        revenue_uc = self._revenues_uc.get(name)
        terms = Terms(is_on, price.price_uc, self._reference_uc, revenue_uc)
        account = self._accounts.get(name)
        if account is None:
            # What was drawn since its last row, before this start, has no price that we know of.
            unknown = Terms(is_on, None, self._reference_uc, revenue_uc)
            account = opened(name, unknown, now_ns, self._ledger.last_rows.get(name))
        is_new = account.load not in self._ledger.last_rows and name not in self._accounts
        account, row = booked(account, seen, terms, price.term, price.round, now_ns)
        if is_new:
            self._ledger.add(anchor(account))
            self._ledger.hasten()
        self._accounts[name] = account
        if row is not None:
            self._totals[name] = self._totals.get(name, Totals()).plus(row)
            self._ledger.add(row)


def open_books(config: Config, wall_ns: Callable[[], int | None]) -> Bookkeeper | None:
    """Open the node's ledger; a node whose ledger cannot be had goes on without, and says so.

    Args:
        wall_ns: Unix time, ns; None while the clock is not set.
    """

    def offset_ns() -> int | None:
        now_ns = wall_ns()
        return None if now_ns is None else now_ns - monotonic_ns()

    try:
        kernel = _BOOT_ID.read_text().strip()
        ledger = Ledger(config.node.state_dir / LEDGER, kernel, offset_ns)
    except (OSError, StoreError) as fault:
        _log.error("%s: nothing is booked until the next start", fault)
        return None
    price = config.feed.reference_price
    return Bookkeeper(ledger, None if price is None else microcurrency(price))


def account_lines(totals: Mapping[str, Totals], currency: str) -> list[dict[str, object]]:
    """Put accounts into the fields of the API and of `rackgrid ledger show --json`."""
    return [
        {
            "load": name,
            "energy_wh": total.energy_mj / 3_600_000,
            "estimated_wh": total.estimated_mj / 3_600_000,
            "unpriced_wh": (total.energy_mj - total.priced_mj) / 3_600_000,
            "cost": total.cost_nc / (UC * 1000),
            "reference_cost": total.reference_nc / (UC * 1000),
            "saving": total.saving_nc / (UC * 1000),
            "revenue": total.revenue_nc / (UC * 1000),
            "profit": total.profit_nc / (UC * 1000),
            "currency": currency,
        }
        for name, total in sorted(totals.items())
    ]


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
                found[output] = Seen(power_mw=spec.nominal_mw)
            elif reading is not None and output in board.own_meter:
                found[output] = Seen(reading.energy_mj, reading.estimated_mj, spec.nominal_mw)
            elif reading is not None:
                shared.setdefault(spec.meter, []).append(output)
        for meter, outputs in shared.items():
            self._split(board, meter, outputs)
            for output in outputs:
                part_mj = self._parts.get(output, 0)
                found[output] = Seen(part_mj, part_mj, board.specs[output].nominal_mw)
        return found

    def _split(self, board: Board, meter: str, outputs: list[str]) -> None:
        """Give each its part of what the meter counted since the last look."""
        reading = board.readings[meter]
        before_mj = self._counters.get(meter)
        self._counters[meter] = reading.energy_mj
        if before_mj is None:
            return
        drawn_mj = reading.energy_mj - before_mj
        drawn_mj = drawn_mj if drawn_mj >= 0 else reading.energy_mj
        states = ((output, board.outputs.get(output)) for output in outputs)
        on = [output for output, state in states if state is not None and state.on] or outputs
        left_mj, left_mw = drawn_mj, sum(board.specs[output].nominal_mw for output in on)
        for output in on:
            nominal_mw = board.specs[output].nominal_mw
            part_mj = left_mj * nominal_mw // left_mw if left_mw else left_mj
            self._parts[output] = self._parts.get(output, 0) + part_mj
            left_mj, left_mw = left_mj - part_mj, left_mw - nominal_mw


def _price(state: State, now_ns: int) -> Price:
    """Say which price is in force."""
    price = state.agent.price
    if price is None or now_ns >= price.until_ns:
        return Price(None, 0, 0)
    return Price(price.price_uc, price.pair.term, price.round)
