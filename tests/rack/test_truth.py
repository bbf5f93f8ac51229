"""The checker of every rack test finds what it is there to find."""

from __future__ import annotations

import json
from pathlib import Path

from tests.rack.truth import Draw, Edge, breaches, draws, edges, peak_w

START = (
    Draw(1, "a", 6.0, {"server": 4.0, "lamp": 0.0}),
    Draw(1, "b", 6.0, {"server": 4.0, "lamp": 0.0}),
)


def lit(t_ns: int, node: str) -> Draw:
    return Draw(t_ns, node, 12.0, {"server": 4.0, "lamp": 6.0})


def test_breaches_sum_over_the_nodes_is_found_at_its_moment() -> None:
    trace = (*START, lit(2, "a"), lit(3, "b"))
    assert breaches(trace, 24.0, ["server"]) == []
    (breach,) = breaches(trace, 23.0, ["server"])
    assert breach.startswith("3: 24.000 W of 23.0 W")


def test_breaches_changes_of_one_moment_count_as_one() -> None:
    dark = Draw(3, "a", 6.0, {"server": 4.0, "lamp": 0.0})
    trace = (*START, lit(2, "a"), lit(3, "b"), dark)
    assert breaches(trace, 18.0, ["server"]) == []


def test_peak_is_the_most_of_any_moment_and_not_of_a_step_within_one() -> None:
    dark = Draw(3, "a", 6.0, {"server": 4.0, "lamp": 0.0})
    assert peak_w(()) == 0.0
    assert peak_w((*START, lit(2, "a"), lit(3, "b"), dark)) == 18.0
    assert peak_w((*START, lit(2, "a"), lit(3, "b"))) == 24.0


def test_breaches_required_load_that_goes_off_is_found() -> None:
    off = Draw(2, "a", 2.0, {"server": 0.0, "lamp": 0.0})
    assert breaches((*START, off), 100.0, ["server"]) == ["2: a server is off"]
    assert breaches((*START, off), 100.0, []) == []
    assert breaches((off, *START), 100.0, ["server"]) == [], "before it was ever on"


def test_edges_are_the_changes_between_nothing_and_something() -> None:
    brighter = Draw(3, "a", 13.0, {"server": 4.0, "lamp": 7.0})
    found = edges((START[0], lit(2, "a"), brighter))
    assert found == [Edge(1, "a", "server", True), Edge(2, "a", "lamp", True)]


def test_draws_incomplete_last_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    assert draws(path) == []
    line = {"t_ns": 1, "node": "a", "event": "draw", "watts": 6.0, "loads": {"server": 4.0}}
    path.write_text(json.dumps(line) + "\n" + json.dumps(line)[:20])
    assert draws(path) == [Draw(1, "a", 6.0, {"server": 4.0})]
