"""The planner: kinds of loads meet the board, the clock, the ledger and the prices ahead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.unit.controller.cli.daemon import VIEW
from tests.unit.controller.core.stage import board, output

from rackgrid.adapters.planner import CLOCK_NS, EVERY_NS, Planner, World, day_of
from rackgrid.adapters.thermometer import OLD_NS, Thermometer
from rackgrid.adapters.yesterday import YESTERDAY, Yesterday
from rackgrid.config import (
    ChargerConfig,
    DeadlineConfig,
    GuardConfig,
    KindConfig,
    LoadConfig,
    ModelConfig,
    TaskConfig,
    ThermalConfig,
)
from rackgrid.core.board import Board
from rackgrid.core.view import View
from rackgrid.market.tariff import Interval
from rackgrid_firmware.link import OutputState

CAP = 10_000_000
S = 10**9
HOUR = 3600 * S
NOON = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()) * S
START = 10**12
LAMP_W, PUMP_W = 6, 4


def load(
    name: str, plan: KindConfig | None = None, worth: float = 0.3, **guards: str
) -> LoadConfig:
    kind = "flexible" if plan is None else "planned"
    of_guards = GuardConfig(**guards)  # type: ignore[arg-type]
    worth_now = None if plan else worth
    return LoadConfig(name, name, kind, worth_now, plan=plan, guards=of_guards)


@dataclass
class Bench:
    """A planner, and the world around it at will."""

    shelf: Path
    loads: tuple[LoadConfig, ...]
    burn_max_mw: int | None = None
    wall_ns: int | None = NOON
    known: tuple[Interval, ...] = ()
    received: dict[str, int] = field(default_factory=dict[str, int])
    buys: dict[str, int] = field(default_factory=dict[str, int])
    thermometer: Thermometer = field(default_factory=lambda: Thermometer("lamp"))
    now_ns: int = START
    planner: Planner | None = None
    rack: View = field(default=VIEW)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start anew, as after a restart."""
        if self.planner is not None:
            self.planner.close()
        world = World(
            lambda: self.wall_ns,
            lambda _from, _until: self.known,
            lambda: self.received,
            self.buys.get,
        )
        yesterday = Yesterday(lambda: self.rack, CAP, self.shelf.with_name(YESTERDAY))
        self.planner = Planner(
            *(self.loads, CAP, self.burn_max_mw, world, {"lamp": self.thermometer}),
            *(self.shelf, self.now_ns, yesterday),
        )

    def look(
        self, *states: OutputState, after_ns: int = EVERY_NS
    ) -> Mapping[str, int | None] | None:
        self.now_ns += after_ns
        if self.wall_ns is not None:
            self.wall_ns += after_ns
        assert self.planner is not None
        return self.planner.poll(board(*states), self.now_ns)

    def worth(self, *states: OutputState, after_ns: int = EVERY_NS) -> int | None:
        """What the lamp is worth, asked of a planner that has said nothing yet."""
        self.begin()
        found = self.look(*states, after_ns=after_ns)
        assert found is not None
        return found["lamp"]


def on(name: str, since_ns: int) -> OutputState:
    return output(name, on=True, since_ns=since_ns, deadline_ns=since_ns + 10**15)


def hours(*prices: float) -> tuple[Interval, ...]:
    return tuple(
        Interval(NOON + at * HOUR, NOON + (at + 1) * HOUR, round(price * 1e6))
        for at, price in enumerate(prices)
    )


# --- news ------------------------------------------------------------------------------------


def test_nothing_is_said_without_a_board_nor_twice_nor_too_early(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", TaskConfig(0.006, None)),))
    none: Board | None = None
    assert bench.planner is not None
    assert bench.planner.poll(none, START) is None
    assert bench.look() == {"lamp": 1_000_000}
    assert bench.look() is None
    bench.begin()
    assert bench.planner.poll(board(), bench.now_ns) == {"lamp": 1_000_000}
    assert bench.look(after_ns=EVERY_NS - 1) is None


def test_worth_that_moves_by_less_than_a_fiftieth_is_no_news(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", ThermalConfig(0, 10, True, 1.0, None, "t")),))
    bench.thermometer.hear("t", b"5.0")
    assert bench.look() == {"lamp": 500_000}
    bench.thermometer.hear("t", b"5.09")
    assert bench.look() is None
    bench.thermometer.hear("t", b"5.1")
    assert bench.look() == {"lamp": 510_000}
    bench.thermometer.hear("t", b"0.0")
    assert bench.look() == {"lamp": None}


# --- kinds -----------------------------------------------------------------------------------


def test_task_is_worth_its_revenue_by_its_power(tmp_path: Path) -> None:
    """0.003 an hour for 6 W is 0.5 per kWh."""
    bench = Bench(tmp_path / "days", (load("lamp", TaskConfig(0.003, None)),))
    assert bench.worth() == 500_000


def test_task_that_has_to_be_complete_starts_only_where_all_of_it_pays(tmp_path: Path) -> None:
    plan = TaskConfig(0.003, 7200)
    bench = Bench(tmp_path / "days", (load("lamp", plan),), known=hours(0.2, 0.8, 0.8, 0.8))
    dear = bench.worth()
    assert dear is not None
    assert dear < 250_000  # the second hour costs 0.6 more than now: 0.3 on the average
    bench.known = hours(0.2, 0.2, 0.2, 0.2)
    assert bench.worth() == 500_000


def test_task_that_has_to_be_complete_goes_on_once_it_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", TaskConfig(0.003, 7200)),))
    assert bench.worth(on("lamp", bench.now_ns)) == CAP
    since_ns = bench.now_ns + EVERY_NS - 7200 * S
    assert bench.worth(on("lamp", since_ns)) == 500_000  # complete: another run must pay again


def test_deadline_takes_the_cheapest_hours(tmp_path: Path) -> None:
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)  # an hour of 6 W, by 16:00
    bench = Bench(tmp_path / "days", (load("lamp", plan),), known=hours(0.5, 0.1, 0.4, 0.5))
    assert bench.worth() == 100_000


def test_deadline_does_not_count_on_an_hour_that_others_had_yesterday(tmp_path: Path) -> None:
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)
    taken = [
        [(NOON - 24 * HOUR + HOUR + at * HOUR // 4) // S, 100_000, 0, {"lamp": None}]
        for at in range(4)
    ]
    kept = json.dumps({"format": "rackgrid yesterday 1", "slots": taken})
    (tmp_path / YESTERDAY).write_text(kept)
    bench = Bench(tmp_path / "days", (load("lamp", plan),), known=hours(0.5, 0.1, 0.4, 0.5))
    assert bench.worth() == 450_000, "the next cheapest hour, and an eighth: it is a guess"
    assert bench.planner is not None
    assert bench.planner.prospects["lamp"].expected is not None
    bench.wall_ns = None
    assert bench.look() == {"lamp": None}
    assert not bench.planner.prospects


def test_deadline_of_the_next_day_is_expected_anew(tmp_path: Path) -> None:
    plan = DeadlineConfig(6.0, 12 * 3600 + 60, ZoneInfo("UTC"), 0.0)
    bench = Bench(tmp_path / "days", (load("lamp", plan),))
    assert bench.look() is not None
    assert bench.planner is not None
    first = bench.planner.prospects["lamp"].goal.ends_ns
    for _ in range(3):
        bench.look(after_ns=25 * S)
    assert bench.planner.prospects["lamp"].goal.ends_ns == first + 24 * HOUR


def test_deadline_plans_by_yesterday_once_it_was_seen(tmp_path: Path) -> None:
    """The rack of the picture costs 0.42 where its tariff says 0.10; so it will again."""
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)
    bench = Bench(tmp_path / "days", (load("lamp", plan),), known=hours(*[0.1] * 30))
    for _ in range(4 * 360):
        bench.look(after_ns=10 * S)
    bench.look(after_ns=20 * HOUR)
    assert bench.planner is not None
    likely = bench.planner.prospects["lamp"].expected
    assert likely is not None
    assert {each.price_uc for each in likely} == {420_000}
    assert bench.planner.said["lamp"] == 420_000 + 420_000 // 8


def test_deadline_that_has_had_its_energy_wants_nothing_and_a_restart_forgets_nothing(
    tmp_path: Path,
) -> None:
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)
    bench = Bench(tmp_path / "days", (load("lamp", plan),), received={"lamp": 77})
    assert bench.worth() is not None
    bench.received["lamp"] += 6 * 3_600_000 - 1
    assert bench.worth() is not None
    bench.received["lamp"] += 1
    assert bench.worth() is None
    assert bench.worth(after_ns=5 * HOUR) is not None  # the next day's


def test_deadline_without_a_clock_waits_a_while_and_then_runs(tmp_path: Path) -> None:
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)
    bench = Bench(tmp_path / "days", (load("lamp", plan),), wall_ns=None)
    assert bench.look() == {"lamp": None}
    assert bench.look(after_ns=CLOCK_NS) == {"lamp": CAP}


def test_fridge_whose_temperature_nobody_knows_runs_and_a_heater_does_not(tmp_path: Path) -> None:
    fridge = ThermalConfig(2, 6, True, 1.0, None, "t")
    heater = ThermalConfig(18, 22, False, 1.0, None, "t")
    assert Bench(tmp_path / "a", (load("lamp", fridge),)).worth() == CAP
    assert Bench(tmp_path / "b", (load("lamp", heater),)).worth() is None


def test_fridge_whose_sensor_falls_silent_is_believed_by_its_model_for_a_while(
    tmp_path: Path,
) -> None:
    model = ModelConfig(off_c=20, on_c=-10, slow_s=3600, blind_s=1800)
    plan = ThermalConfig(0, 10, True, 1.0, None, "t", model)
    clock = [START]
    bench = Bench(tmp_path / "days", (load("lamp", plan),))
    bench.thermometer = Thermometer("lamp", lambda: clock[0])
    bench.begin()
    bench.thermometer.hear("t", b"5.0")
    assert bench.look() == {"lamp": 500_000}
    clock[0] += OLD_NS
    warmer = bench.look(after_ns=1200 * S)
    assert warmer is not None
    assert 700_000 < (warmer["lamp"] or 0) < 900_000  # off, it creeps towards 20 °C
    assert bench.look(after_ns=601 * S) == {"lamp": CAP}  # and then nobody knows


def test_fridge_at_its_bound_runs_until_it_is_well_inside(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", ThermalConfig(0, 10, True, 1.0, None, "t")),))
    found: list[int | None] = []
    for celsius in (b"9.5", b"10.0", b"9.5", b"9.0", b"9.5"):
        bench.thermometer.hear("t", celsius)
        said = bench.look()
        assert bench.planner is not None
        found.append((said or bench.planner.said)["lamp"])
    assert found == [950_000, CAP, CAP, 900_000, 950_000]


# --- beside each other -----------------------------------------------------------------------


def test_one_of_a_group_bids_and_the_running_one_stays(tmp_path: Path) -> None:
    both = (load("lamp", worth=0.3, one_of="warm"), load("pump", worth=0.3, one_of="warm"))
    bench = Bench(tmp_path / "days", both)
    assert bench.look(on("pump", START)) == {"lamp": None, "pump": 300_000}


def test_load_that_needs_another_bids_only_beside_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", beside="pump"), load("pump")))
    assert bench.look() == {"lamp": None, "pump": 300_000}
    assert bench.look(on("pump", START)) == {"lamp": 300_000, "pump": 300_000}


@pytest.mark.parametrize(("burn_w", "bids"), [(3, 0), (4, 1), (9, 1), (10, 2)])
def test_waste_is_limited(tmp_path: Path, burn_w: int, bids: int) -> None:
    loads = (load("lamp", worth=-0.2), load("pump", worth=-0.1))
    bench = Bench(tmp_path / "days", loads, burn_max_mw=burn_w * 1000)
    found = bench.look()
    assert found is not None
    assert sum(worth is not None for worth in found.values()) == bids


# --- days ------------------------------------------------------------------------------------


def unix_ns(*when: int, zone: str = "Europe/Amsterdam") -> int:
    moment = datetime(*when, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type,misc]
    return int(moment.timestamp()) * S


def test_day_ends_at_its_time_on_the_clock_of_its_zone() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    begins, ends = day_of(7 * 3600, zone, unix_ns(2026, 6, 1, 7, 0))
    assert (begins, ends) == (unix_ns(2026, 6, 1, 7), unix_ns(2026, 6, 2, 7))
    assert day_of(7 * 3600, zone, begins - 1)[1] == begins


def test_day_in_which_the_clocks_are_changed_is_an_hour_shorter() -> None:
    begins, ends = day_of(7 * 3600, ZoneInfo("Europe/Amsterdam"), unix_ns(2026, 3, 28, 12))
    assert ends - begins == 23 * HOUR


def test_shelf_that_is_broken_is_said_and_the_day_counted_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = tmp_path / "days"
    shelf.write_text('{"lamp": [1]}')
    plan = DeadlineConfig(6.0, 16 * 3600, ZoneInfo("UTC"), 0.0)
    assert Bench(shelf, (load("lamp", plan),)).look() is not None
    assert "counted anew" in caplog.text


def test_charger_is_worth_what_its_battery_buys_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "days", (load("lamp", ChargerConfig("pack")),))
    assert bench.worth() is None
    bench.buys["pack"] = 120_000
    assert bench.worth() == 120_000
    bench.buys["pack"] = CAP + 1
    assert bench.worth() == CAP


def lit(name: str, since_ns: int, *, on: bool = True) -> OutputState:
    return output(name, on=on, since_ns=since_ns)


def test_load_after_another_waits_until_that_has_finished_over_a_restart(tmp_path: Path) -> None:
    loads = (load("lamp", after="pump"), load("pump", TaskConfig(0.01, 90.0)))
    bench = Bench(tmp_path / "days", loads)
    assert bench.worth() is None
    began = bench.now_ns
    assert bench.look(lit("pump", began)) is not None
    assert bench.planner is not None
    assert bench.planner.said["lamp"] is None
    # It was on for 90 s: that is a complete run.
    ended = began + 90 * S
    found = bench.look(lit("pump", ended, on=False), after_ns=91 * S)
    assert found is not None
    assert found["lamp"] == 300_000
    assert bench.worth(lit("pump", ended, on=False)) == 300_000, "after a restart, too"
    # It begins anew.
    assert bench.worth(lit("pump", bench.now_ns)) is None
    bench.planner.close()
    assert '"(finished)": []' in (tmp_path / "days").read_text()


def test_load_after_a_deadline_waits_until_its_energy_is_there(tmp_path: Path) -> None:
    goal = DeadlineConfig(10.0, 18 * 3600, ZoneInfo("UTC"), 0.0)
    bench = Bench(tmp_path / "days", (load("lamp", after="pump"), load("pump", goal)))
    assert bench.worth() is None
    bench.received["pump"] = 36_000_000
    assert bench.look() is not None
    assert bench.planner is not None
    assert bench.planner.said["lamp"] == 300_000


def test_kept_names_that_nobody_waits_for_are_forgotten(tmp_path: Path) -> None:
    (tmp_path / "days").write_text('{"(finished)": ["pump", "lamp", 5]}')
    bench = Bench(tmp_path / "days", (load("lamp", after="pump"), load("pump")))
    assert bench.worth() == 300_000
