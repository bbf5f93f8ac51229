"""What the live screen shows of a state, also of one that another version might send."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.unit.controller.cli.daemon import VIEW

from rackgrid.adapters.view_json import rack_state
from rackgrid.cli.demo import screen as screens
from rackgrid.cli.demo.rack import DemoRack
from rackgrid.cli.demo.screen import PRICES_SHOWN, Screen
from rackgrid.cli.demo.tail import Line
from rackgrid.core.view import FeedView


class Theatre:
    """A screen on a terminal of memory; the rack has files and ports, and no process."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.rack = DemoRack(2, seed=1)
        self.screen = Screen(self.rack)
        self.screen._live.console = Console(
            file=self.out, width=140, height=60, force_terminal=True, color_system=None
        )

    def shown(self, state: Line | None, *events: str) -> str:
        with self.screen:
            self.screen.show(state, list(events))
        return self.out.getvalue()


@pytest.fixture
def theatre() -> Theatre:
    made = Theatre()
    made.rack.folder.rmdir()
    return made


def test_screen_shows_broker_price_feed_nodes_loads_reasons_and_where_to_look(
    theatre: Theatre,
) -> None:
    shown = theatre.shown(rack_state(VIEW), "  1.0 s  a cloud")
    for part in (
        "broker pi-2 (term 7)",
        "price 0.420 EUR/kWh",
        "20.5 of 60.0 W",
        "★ pi-2",
        "required: always on",
        "price 0.420 above worth",
        "a cloud",
        f"{theatre.rack.nodes[0].api}/api/state",
        "Ctrl-C",
    ):
        assert part in shown, part


def test_screen_of_a_feed_that_nobody_has_told_of_shows_no_zero(theatre: Theatre) -> None:
    unknown = replace(VIEW, feed=FeedView(60.0, None, None, 24.0))
    assert "? of 60.0 W   floors 24.0   counted ?" in theatre.shown(rack_state(unknown))


@pytest.mark.parametrize("nodes", [5, 7])
def test_screen_too_small_for_the_tables_still_shows_what_matters(
    theatre: Theatre, nodes: int
) -> None:
    console = Console(file=theatre.out, width=80, height=24, force_terminal=True, color_system=None)
    theatre.screen._live.console = console
    state = rack_state(VIEW)
    reason = "worth 0.270 at price 0.420, but does not fit under the capacity of the feed"
    state["loads"] = [
        {"node": f"pi-{1 + n // 3}", "name": f"load-{n}", "on": n % 2 == 0, "reason": reason}
        for n in range(3 * nodes)
    ]
    with theatre.screen:
        theatre.screen.show(state, [f"{n:6.1f} s  event {n}" for n in range(6)])
        drawn = theatre.screen._live.renderable
        lines = ["".join(s.text for s in line) for line in console.render_lines(drawn)]
    assert len(lines) <= 24
    assert all("..." not in line or "more loads" in line for line in lines)
    shown = "\n".join(lines)
    parts = ["broker pi-2 (term 7)", "20.5 of 60.0 W", "★ pi-2", "event 5", "Ctrl-C"]
    for part in [*parts, "load-14" if nodes == 5 else "3 more loads"]:
        assert part in shown, part


def test_screen_before_anybody_answers_says_that_the_nodes_start(theatre: Theatre) -> None:
    assert "the nodes are starting" in theatre.shown(None)


def test_screen_price_that_is_not_known_is_said_and_not_drawn(theatre: Theatre) -> None:
    state = rack_state(VIEW)
    state["price"] = {"value": None, "currency": "EUR", "scarce": False}
    state["broker"] = ""
    shown = theatre.shown(state)
    assert "price unknown" in shown
    assert "broker none" in shown
    assert theatre.screen._prices == []


@pytest.mark.parametrize(
    "state",
    [{}, {"price": 3, "feed": None, "members": {}, "loads": "x"}, {"members": [{}], "loads": [{}]}],
)
def test_screen_state_with_parts_missing_is_shown_without_them(
    theatre: Theatre, state: Line
) -> None:
    assert "rackgrid demo" in theatre.shown(state)


def test_screen_keeps_a_limited_number_of_prices(theatre: Theatre) -> None:
    state = rack_state(VIEW)
    with theatre.screen:
        for _ in range(PRICES_SHOWN + 5):
            theatre.screen.show(state, [])
    assert len(theatre.screen._prices) == PRICES_SHOWN


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([0.0], ""), ([-1.0], ""), ([0.0, 1.0], "▁█"), ([-0.5, 0.5, 1.0], "▁▄█")],
)
def test_spark_goes_from_nothing_to_the_dearest(values: list[float], drawn: str) -> None:
    assert screens._spark(values) == drawn
