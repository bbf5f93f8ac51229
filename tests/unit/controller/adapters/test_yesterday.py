"""Fails if a day is not remembered, not forgotten, or guessed where nobody saw it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import VIEW

from rackgrid.adapters.yesterday import (
    BYTES_MAX,
    EVERY_NS,
    LOOKS_MIN,
    SLOTS_MAX,
    YESTERDAY,
    Yesterday,
    glance_at,
)
from rackgrid.core.view import FeedView, LoadView, PriceView, SourceView, View
from rackgrid.market.forecast import DAY_NS, SLOT_NS, Taker
from rackgrid.market.offer import Offer
from rackgrid.market.tariff import Interval

CAP = 10_000_000
DAWN = 20_000 * DAY_NS
PRICED = replace(VIEW, price=PriceView(0.42, "EUR", 7, 31, 1.5, False), loads=())
ROOMY = replace(PRICED, feed=FeedView(60.0, 20.0, 6.0, 24.0), sources=())
FULL = replace(PRICED, feed=FeedView(60.0, 58.0, 6.0, 24.0), sources=())
POWERS = {"lamp": 10_000}
NOTHING: frozenset[str] = frozenset()


@dataclass
class Bench:
    """A memory of yesterday and the rack that it sees."""

    folder: Path
    rack: View = ROOMY
    wall_ns: int | None = DAWN
    now_ns: int = 10**12
    known: tuple[Interval, ...] = ()
    powers: dict[str, int] = field(default_factory=lambda: dict(POWERS))
    running: frozenset[str] = NOTHING
    looks: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start, or start anew."""
        self.memory = Yesterday(self._seen, CAP, self.folder / YESTERDAY)

    def _seen(self) -> View:
        self.looks += 1
        return self.rack

    def pass_ns(self, span_ns: int, every_ns: int = EVERY_NS) -> None:
        """Let time pass with looks."""
        for _ in range(span_ns // every_ns):
            self.memory.look(self.now_ns, self.wall_ns, self.known, self.powers, self.running)
            self.now_ns += every_ns
            if self.wall_ns is not None:
                self.wall_ns += every_ns

    def tomorrow(self, load: str = "lamp") -> tuple[Interval, ...] | None:
        """What is expected of the first hour of the next day."""
        self.memory.look(self.now_ns, self.wall_ns, self.known, self.powers, self.running)
        from_ns = DAWN + DAY_NS
        return self.memory.expected(load, from_ns, from_ns + 4 * SLOT_NS, ())


def quarter(number: int, price_uc: int) -> Interval:
    start_ns = DAWN + DAY_NS + number * SLOT_NS
    return Interval(start_ns, start_ns + SLOT_NS, price_uc)


# --- what is seen ----------------------------------------------------------------------------


def test_glance_has_what_is_drawn_or_promised_and_who_would_give_way() -> None:
    loads = (
        LoadView("server", "a", "required", True, 6.5, None, 0.0, "", None),
        LoadView("fan", "a", "flexible", True, 4.0, 0.4, 5.0, "", None),
        LoadView("off", "a", "flexible", False, 0.0, 0.4, 0.0, "", None),
        LoadView("pump", "b", "deadline", True, 5.0, 2.0, 6.0, "", None),
        LoadView("pack", "b", "charger", True, 7.0, -0.1, 0.0, "", None),
    )
    sources = (SourceView("grid", "a", 0.3, 60.0),)
    glance = glance_at(replace(ROOMY, loads=loads, sources=sources))
    assert glance is not None
    assert (glance.price_uc, glance.drawn_mw, glance.capacity_mw) == (420_000, 20_000, 60_000)
    assert (glance.taken_mw, glance.room_mw) == (30_000, 30_000)
    assert glance.takers == (Taker(400_000, 5000), Taker(-100_000, 7000))
    assert glance.offers == (Offer("grid", 300_000, 60_000),)


@pytest.mark.parametrize(
    "rack",
    [
        replace(ROOMY, price=replace(ROOMY.price, value=None)),
        replace(ROOMY, term=8),
        replace(ROOMY, feed=FeedView(60.0, None, None, 24.0)),
    ],
)
def test_glance_without_a_price_of_this_broker_is_none(tmp_path: Path, rack: View) -> None:
    assert glance_at(rack) is None
    bench = Bench(tmp_path, rack)
    bench.pass_ns(SLOT_NS)
    assert bench.tomorrow() is None


def test_rack_is_looked_at_now_and_then_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(EVERY_NS, every_ns=EVERY_NS // 10)
    assert bench.looks == 1


# --- what is remembered ----------------------------------------------------------------------


def test_slot_is_remembered_as_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(SLOT_NS)
    bench.rack = FULL
    bench.pass_ns(SLOT_NS)
    bench.running = frozenset({"lamp"})
    bench.pass_ns(SLOT_NS)
    assert bench.tomorrow() == (quarter(0, 420_000), quarter(2, 420_000))
    assert bench.tomorrow("pump") is None


def test_tariff_of_a_slot_counts_only_if_it_was_known_all_the_time(tmp_path: Path) -> None:
    bench = Bench(tmp_path, known=(Interval(DAWN, DAWN + SLOT_NS + SLOT_NS // 2, 400_000),))
    bench.pass_ns(2 * SLOT_NS)
    bench.tomorrow()
    from_ns = DAWN + DAY_NS
    today = (Interval(from_ns, from_ns + 2 * SLOT_NS, 500_000),)
    found = bench.memory.expected("lamp", from_ns, from_ns + 2 * SLOT_NS, today)
    assert found == (quarter(0, 520_000), quarter(1, 500_000))


@pytest.mark.parametrize(("looks", "is_known"), [(LOOKS_MIN - 1, False), (LOOKS_MIN, True)])
def test_slot_that_was_not_seen_for_half_of_its_time_is_not_remembered(
    tmp_path: Path, looks: int, is_known: bool
) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(looks * EVERY_NS)
    bench.wall_ns = DAWN + SLOT_NS
    assert (bench.tomorrow() is not None) is is_known


def test_load_that_came_late_is_not_remembered_for_the_slot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(70 * EVERY_NS)
    bench.powers["pump"] = 1000
    bench.pass_ns(20 * EVERY_NS)
    assert bench.tomorrow() == (quarter(0, 420_000),)
    assert bench.tomorrow("pump") is None


def test_clock_that_is_not_set_leaves_a_gap(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(SLOT_NS // 2 - EVERY_NS)
    bench.wall_ns = None
    bench.pass_ns(EVERY_NS)
    bench.wall_ns = DAWN + SLOT_NS
    bench.pass_ns(SLOT_NS)
    assert bench.tomorrow() == (quarter(1, 420_000),)


def test_day_is_remembered_and_no_more_than_a_day(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(DAY_NS + 4 * SLOT_NS)
    bench.memory.close()
    kept = json.loads((tmp_path / YESTERDAY).read_bytes())
    assert len(kept["slots"]) <= SLOTS_MAX
    assert kept["slots"][-1][0] == (DAWN + DAY_NS + 2 * SLOT_NS) // 10**9
    assert len((tmp_path / YESTERDAY).read_bytes()) < 8000


def test_clock_that_is_put_back_forgets_what_is_still_to_come(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(SLOT_NS)
    bench.wall_ns = DAWN - DAY_NS // 2
    bench.pass_ns(SLOT_NS)
    assert bench.tomorrow() is None


# --- over a restart --------------------------------------------------------------------------


def test_restart_remembers_all_that_was_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.pass_ns(SLOT_NS)
    bench.rack = FULL
    bench.pass_ns(2 * SLOT_NS)
    before = bench.tomorrow()
    bench.memory.close()
    bench.begin()
    assert bench.tomorrow() == before == (quarter(0, 420_000),)


SLOT = [DAWN // 10**9, None, 5, {"lamp": 7}]


@pytest.mark.parametrize(
    "kept",
    [
        b"\x00",
        b"[]",
        b'{"format": "rackgrid yesterday 2", "slots": []}',
        b'{"format": "rackgrid yesterday 1", "slots": 7}',
        b"[" * 100_000,
        b" " * BYTES_MAX + b"{}",
        *(
            json.dumps({"format": "rackgrid yesterday 1", "slots": slots}).encode()
            for slots in (
                [7],
                [[*SLOT, 1]],
                [["x", *SLOT[1:]]],
                [[*SLOT[:3], []]],
                [[*SLOT[:3], {"lamp": "dear"}]],
                [SLOT] * (SLOTS_MAX + 1),
            )
        ),
    ],
)
def test_file_that_is_damaged_is_set_aside_and_nothing_is_expected(
    tmp_path: Path, kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / YESTERDAY).write_bytes(kept)
    with caplog.at_level(logging.WARNING):
        bench = Bench(tmp_path)
    assert bench.tomorrow() is None
    assert (tmp_path / f"{YESTERDAY}.bad").exists()
    assert "by the tariff alone" in caplog.text


def test_file_that_cannot_be_read_or_written_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / YESTERDAY).mkdir()
    with caplog.at_level(logging.WARNING):
        bench = Bench(tmp_path)
        bench.pass_ns(SLOT_NS)
        assert bench.tomorrow() == (quarter(0, 420_000),)
        bench.memory.close()
    assert "cannot read" in caplog.text
    assert "would forget how the feed stood" in caplog.text
