"""From what the firmware says and the price in force to accounts that add up to the meters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.controller.core.stage import (
    ALL_OFF,
    BOOT,
    ME,
    SPECS,
    attached,
    output,
    pair,
    reading,
    spec,
)
from tests.unit.controller.core.stage import settings as node_settings

from rackgrid.adapters.books import account_lines
from rackgrid.adapters.ledger import Ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.core import board as boards
from rackgrid.core.agent import PriceInForce
from rackgrid.core.bookkeeper import Bookkeeper, Chart
from rackgrid.core.grant import Grant
from rackgrid.core.node import Node
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.state import State
from rackgrid.market.balance import ELECTRONICS, FEED, source_account
from rackgrid.market.offer import Offer
from rackgrid.market.row import Row, Totals
from rackgrid_firmware.device import LEVEL_FULL, Accuracy, Quality, Reading
from rackgrid_firmware.link import MeterSpec, OutputSpec, OutputState, Telemetry

SHARED = (
    spec("fan", 3000, meter="both"),
    spec("lamp", 6000, meter="both"),
    spec("bell", 500, meter=""),
)


class Bench:
    """A node's state, changed by hand, and its books."""

    def __init__(
        self,
        folder: Path,
        specs: tuple[OutputSpec, ...] = SPECS,
        chart: Chart | None = None,
        meters: tuple[MeterSpec, ...] = (),
    ) -> None:
        self.path = folder / "ledger.db"
        self.chart = chart or Chart(500_000)
        self.meters = meters
        self.offset_ns: int | None = None
        self.specs = specs
        self.now_ns = 0
        self.outputs: dict[str, OutputState] = {state.name: state for state in ALL_OFF}
        self.state: State = Node(node_settings(), ME, BOOT, 0).state
        self.open()

    def open(self) -> None:
        self.ledger = Ledger(self.path, "kernel", lambda: self.offset_ns)
        self.books = Bookkeeper(self.ledger, self.chart, lambda: self.offset_ns)

    def looks(
        self,
        *readings: Reading,
        span_s: float = 1.0,
        price_uc: int | None = 300_000,
        on: tuple[str, ...] = (),
    ) -> None:
        """Let time pass; then the firmware says this, and this price is in force."""
        self.now_ns += round(span_s * SECOND_NS)
        outputs = tuple(output(each.name, on=each.name in on) for each in self.specs)
        board = boards.attached(replace(attached(outputs, self.specs), meters=self.meters))
        board = boards.told(board, Telemetry(self.now_ns, readings, outputs))
        price = None
        if price_uc is not None:
            price = PriceInForce(pair(4), 9, price_uc, self.now_ns + SECOND_NS, False)
        self.state.agent = replace(self.state.agent, board=board, price=price)
        self.books.look(self.state.agent, self.state.settings.loads, self.now_ns)

    def grant(self, power_mw: int, span_s: float, *loads: str, **more: dict[str, int]) -> None:
        """Grant these loads so much for so long from now on."""
        until_ns = self.now_ns + round(span_s * SECOND_NS)
        stages = more.get("stages", {})
        grant = Grant(pair(4), 9, 1, power_mw, frozenset(loads), until_ns, stages)
        self.state.agent = replace(self.state.agent, grant=grant)

    def rows(self) -> list[Row]:
        """End, and read what was written."""
        self.books.close()
        store = LedgerStore(self.path, writable=False)
        try:
            assert store.verify() == []
            return [entry.row for entry in store.entries() if entry.row.energy_mj]
        finally:
            store.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.books.close()


def fan(energy_mj: int, quality: Quality = Quality.FRESH) -> Reading:
    return reading("m-fan", 3.0, 0, quality, energy_mj)


def lamp(energy_mj: int) -> Reading:
    return reading("m-lamp", 6.0, 0, energy_mj=energy_mj)


def test_load_with_a_meter_of_its_own_is_booked_by_its_counter(bench: Bench) -> None:
    bench.looks(fan(1000), lamp(50))
    bench.looks(fan(4600), lamp(50), on=("fan",))
    totals = bench.books.totals()
    assert totals["fan"].energy_mj == 3600
    assert totals["fan"].cost_nc == 3600 * 300_000 // 3_600_000
    assert totals["fan"].reference_nc == 3600 * 500_000 // 3_600_000
    assert totals["lamp"].energy_mj == 0


def test_electronics_are_booked_by_their_worst_case_as_an_estimate(bench: Bench) -> None:
    bench.looks(fan(0))
    bench.looks(fan(0), span_s=3)
    total = bench.books.totals()[ELECTRONICS]
    assert (total.energy_mj, total.estimated_mj) == (6000, 6000)


def test_price_that_has_expired_is_unknown(bench: Bench) -> None:
    bench.looks(fan(0))
    bench.looks(fan(100), price_uc=None)
    bench.looks(fan(250))
    rows = [row for row in bench.rows() if row.load == "fan"]
    assert [(row.terms.price_uc, row.energy_mj) for row in rows] == [
        (300_000, 100),
        (None, 150),
    ]
    assert {(row.term, row.round) for row in rows} == {(4, 9), (0, 0)}


def test_restart_loses_nothing_that_the_firmware_counted_meanwhile(bench: Bench) -> None:
    bench.looks(fan(1000))
    bench.looks(fan(1500))
    bench.books.close()
    bench.open()
    bench.looks(fan(1800), span_s=20)
    bench.looks(fan(1900))
    assert bench.books.totals()["fan"].energy_mj == 900
    rows = [row for row in bench.rows() if row.load == "fan"]
    assert [(row.terms.price_uc, row.energy_mj) for row in rows] == [
        (300_000, 500),
        (None, 300),
        (300_000, 100),
    ]


def test_meter_that_does_not_answer_is_made_up_for_by_the_nameplate(bench: Bench) -> None:
    bench.looks(fan(1000), on=("fan",))
    bench.looks(fan(1000, Quality.STALE), span_s=2, on=("fan",))
    bench.looks(fan(1000, Quality.STALE))
    total = bench.books.totals()["fan"]
    assert (total.energy_mj, total.estimated_mj) == (9000, 9000)


def test_meter_that_has_not_spoken_yet_books_nothing_before_it_does(bench: Bench) -> None:
    bench.looks()
    assert set(bench.books.totals()) <= {ELECTRONICS}


def test_crash_before_anything_was_written_loses_no_energy(bench: Bench) -> None:
    """All that is lost is at which price: rows wait in memory for a minute."""
    bench.looks(fan(1000))
    ledger, end = bench.ledger, monotonic() + 60
    while ledger.waiting and monotonic() < end:
        Event().wait(0.005)
    bench.looks(fan(1500))
    bench.open()
    bench.looks(fan(1700))
    rows = [row for row in bench.rows() if row.load == "fan"]
    assert [(row.terms.price_uc, row.energy_mj) for row in rows] == [(None, 700)]
    ledger.close()


def test_without_a_board_nothing_is_booked(bench: Bench) -> None:
    bench.books.look(bench.state.agent, bench.state.settings.loads, 0)
    assert bench.books.totals() == {}


def test_shared_meter_is_split_among_those_that_are_on_and_loses_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SHARED)

    def both(energy_mj: int) -> Reading:
        return reading("both", 1.0, 0, energy_mj=energy_mj)

    bench.looks(both(100), on=("fan", "lamp"))
    bench.looks(both(200), on=("fan", "lamp"))
    bench.looks(both(205), on=("fan",))
    bench.looks(both(208))
    bench.looks(both(3), on=("lamp", "bell"))
    totals = bench.books.totals()
    assert totals["fan"].energy_mj == 33 + 5 + 1
    assert totals["lamp"].energy_mj == 67 + 2 + 3
    assert totals["fan"].estimated_mj == totals["fan"].energy_mj
    assert totals["bell"].energy_mj == 0
    bench.looks(both(3), span_s=2)
    assert bench.books.totals()["bell"].energy_mj == 1000
    bench.books.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    looks=st.lists(
        st.tuples(
            st.integers(0, 5000),
            st.sets(st.sampled_from(["fan", "lamp"])),
            st.none() | st.integers(-100_000, 900_000),
        ),
        max_size=30,
    )
)
def test_parts_of_a_shared_meter_are_its_sum_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory,
    looks: list[tuple[int, set[str], int | None]],
) -> None:
    bench, counter_mj = Bench(tmp_path_factory.mktemp("books"), SHARED), 0
    bench.looks(reading("both", 1.0, 0, energy_mj=0))
    for drawn_mj, on, price_uc in looks:
        counter_mj += drawn_mj
        bench.looks(reading("both", 1.0, 0, energy_mj=counter_mj), price_uc=price_uc, on=tuple(on))
    totals = bench.books.totals()
    booked_mj = {name: totals.get(name, Totals()).energy_mj for name in ("fan", "lamp")}
    assert sum(booked_mj.values()) == counter_mj
    rows = bench.rows()
    for name, energy_mj in booked_mj.items():
        assert sum(row.energy_mj for row in rows if row.load == name) == energy_mj


GOOD = Accuracy(0.01, 0.0, 0.0, 0.0)
"""A hundredth of the current, and nothing else."""


def test_row_says_how_far_its_meter_may_be_off(tmp_path: Path) -> None:
    bench = Bench(tmp_path, meters=(MeterSpec("m-fan", GOOD),))
    bench.looks(fan(0), lamp(0))
    bench.looks(fan(30_000), lamp(60_000), span_s=10)
    rows = {row.load: row for row in bench.rows()}
    assert rows["fan"].doubt_mj == 300
    assert rows["lamp"].doubt_mj is None, "nobody has stated how good its meter is"
    assert rows[ELECTRONICS].doubt_mj == 20_000, "all of an estimate is in doubt"


def test_saturated_meter_states_no_accuracy(tmp_path: Path) -> None:
    bench = Bench(tmp_path, meters=(MeterSpec("m-fan", GOOD),))
    bench.looks(fan(0))
    bench.looks(fan(30_000, Quality.SATURATED), span_s=10)
    assert {row.load: row.doubt_mj for row in bench.rows()}["fan"] is None


def test_feed_and_sources_are_booked_beside_the_loads_and_are_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, chart=Chart(500_000, {}, "m-feed", {"sun": "m-sun"}))
    offers = (Offer("grid", 250_000, 10_000), Offer("sun", 50_000, 4000))
    bench.state.agent = replace(bench.state.agent, offers=offers)
    for counter in (0, 6000):
        feed = reading("m-feed", 6.0, 0, energy_mj=counter)
        sun = reading("m-sun", 4.0, 0, energy_mj=counter // 2)
        bench.looks(fan(counter // 3), feed, sun, span_s=2)
    assert set(bench.books.totals()) == {ELECTRONICS, "fan"}
    rows = {row.load: row for row in bench.rows()}
    assert (rows[FEED].energy_mj, rows[FEED].terms.price_uc) == (6000, 300_000)
    grid, sun_row = rows[source_account("grid")], rows[source_account("sun")]
    assert (grid.energy_mj, grid.estimated_mj, grid.terms.price_uc) == (20_000, 20_000, 250_000)
    assert (sun_row.energy_mj, sun_row.estimated_mj, sun_row.terms.price_uc) == (3000, 0, 50_000)


def test_rows_end_at_the_quarters_of_the_hour_once_the_clock_is_set(bench: Bench) -> None:
    """Fails if the rows of two nodes end at different moments, and no hour is the sum of rows."""
    bench.looks(fan(0))
    bench.looks(fan(100), span_s=400)
    bench.offset_ns = 300 * SECOND_NS
    bench.looks(fan(200), span_s=100)
    bench.looks(fan(300), span_s=98)
    bench.looks(fan(400), span_s=1)
    bench.looks(fan(500), span_s=899)
    bench.looks(fan(600), span_s=1)
    bench.looks(fan(650), span_s=20)
    rows = [row for row in bench.rows() if row.load == "fan"]
    assert [row.end_ns // SECOND_NS for row in rows] == [600, 1500, 1520]
    assert [row.energy_mj for row in rows] == [400, 200, 50]


def test_task_earns_while_it_is_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, chart=Chart(500_000, {"fan": 3_600_000}))
    bench.looks(fan(0), on=("fan",))
    bench.looks(fan(3_600), span_s=10, on=("fan",))
    bench.looks(fan(3_600), span_s=10)
    total = bench.books.totals()["fan"]
    assert total.revenue_nc == 20 * 1_000_000
    assert total.profit_nc == total.revenue_nc - total.cost_nc
    assert total.saving_nc == total.reference_nc - total.cost_nc
    bench.books.close()


def test_load_that_modulates_counts_with_the_level_that_it_is_given(bench: Bench) -> None:
    """Fails if a lamp at a third of its power is booked, unmetered, with all of it."""
    dim = replace(output("fan", on=True), level=LEVEL_FULL // 4)
    board = boards.attached(attached(ALL_OFF, (spec("fan", 4000, meter=""),)))
    for second in range(3):
        told = boards.told(board, Telemetry(second * SECOND_NS, (), (dim,)))
        bench.state.agent = replace(bench.state.agent, board=told)
        bench.books.look(bench.state.agent, bench.state.settings.loads, second * SECOND_NS)
    assert bench.books.totals()["fan"].energy_mj == 2 * 1000


def test_books_say_what_a_grant_let_each_load_draw(bench: Bench) -> None:
    """Fails if parts are not the grant, or a grant counts longer than it is in force."""
    pump = reading("m-pump", 0.0, 0)
    bench.looks(fan(0), lamp(0), pump)
    bench.grant(10_001, 2.5, "lamp", "pump")
    bench.looks(fan(0), lamp(0), pump, span_s=0, on=("lamp",))
    bench.looks(fan(3000), lamp(5500), pump, on=("lamp",))
    bench.looks(fan(6000), lamp(9000), pump, on=("lamp",), span_s=9)
    totals = bench.books.totals()
    lamp_mj, pump_mj = totals["lamp"].granted_mj, totals["pump"].granted_mj
    assert (lamp_mj, pump_mj) == (6000 * 5 // 2, 4001 * 5 // 2)
    assert (totals["lamp"].energy_mj, totals["lamp"].taken_mj) == (9000, 9000)
    assert totals["fan"].taken_mj == 0
    rows = {row.load: row for row in bench.rows()}
    assert rows["lamp"].granted_mj == lamp_mj
    assert rows["fan"].granted_mj is None, "it is required, and takes no grant"
    assert rows[ELECTRONICS].granted_mj is None


def test_grant_to_another_load_is_not_booked(bench: Bench) -> None:
    bench.grant(6000, 60, "pump")
    bench.looks(lamp(0), on=("lamp",))
    bench.looks(lamp(5500), on=("lamp",), span_s=2)
    total = bench.books.totals()["lamp"]
    assert (total.granted_mj, total.taken_mj) == (0, 5500)


def test_load_that_modulates_is_granted_the_stages_that_are_served(bench: Bench) -> None:
    lamp_spec = replace(spec("lamp", 6000), min_level=LEVEL_FULL // 4)
    bench.specs = (spec("fan", 3000, required=True), lamp_spec, spec("pump", 4000))
    fan_, lamp_, pump_ = bench.state.settings.loads
    lamp_ = replace(lamp_, stages_uc=(400_000, 300_000))
    bench.state.settings = replace(bench.state.settings, loads=(fan_, lamp_, pump_))
    bench.grant(5500, 60, "lamp", "pump")
    bench.looks(lamp(0))
    bench.looks(lamp(0))
    bench.grant(10_000, 60, "lamp", "pump", stages={"lamp": 2})
    bench.looks(lamp(0), span_s=0)
    bench.looks(lamp(0))
    totals = bench.books.totals()
    assert totals["lamp"].granted_mj == 1500 + 6000
    bench.books.close()


MONEY = (1_500_000_000, 2_000_000_000, 4_000_000_000, 500_000_000, 2_500_000_000)


def test_lines_say_energy_and_money_in_peoples_units() -> None:
    totals = {"fan": Totals(7_200_000, 3_600_000, 3_600_000, *MONEY, 10_800_000, 5_400_000)}
    assert account_lines(totals, "EUR") == [
        {
            "load": "fan",
            "energy_wh": 2.0,
            "estimated_wh": 1.0,
            "unpriced_wh": 1.0,
            "granted_wh": 3.0,
            "taken_wh": 1.5,
            "cost": 1.5,
            "reference_cost": 2.0,
            "saving": 0.5,
            "revenue": 4.0,
            "profit": 2.5,
            "currency": "EUR",
        }
    ]
