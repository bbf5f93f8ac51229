"""Loads that have something to do, on real daemons: a fridge by its thermometer, a goal by a time.

Fails if a temperature or a counter does not reach the bid, or if work that is done goes on.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.rack.rig import DEADLINE_S, QUICK, Rig, RigNode, wait_until

pytestmark = pytest.mark.root

GOAL_WH = 0.01
"""Of a pump with 8 W: it runs for 4.5 s."""


def planned(node: RigNode) -> None:
    """Make the lamp a fridge and give the pump a goal that may not wait."""
    by = datetime.now(UTC) + timedelta(minutes=2)
    text = node.config.read_text()
    fridge = 'kind = "thermal"\nworth = 0.50\nlow_c = 2\nhigh_c = 6\ntemperature_file = "warm"'
    goal = f'kind = "deadline"\nenergy_wh = {GOAL_WH}\nby = "{by:%H:%M}"'
    text = text.replace('kind = "flexible"\nworth = 0.50', fridge)
    text = text.replace('kind = "flexible"\nworth = 0.40', goal)
    text = text.replace("[node]", "[node]\ntrust_clock = true")
    node.config.write_text(text)
    temperature(node, 3.0)


def temperature(node: RigNode, celsius: float) -> None:
    fresh = node.folder / "warm.new"
    fresh.write_text(f"{round(celsius * 1000)}\n")
    fresh.rename(node.folder / "warm")


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(1, rack=QUICK) as made:
        planned(made.node(1))
        made.start()
        yield made


def load(node: RigNode, name: str) -> dict[str, object]:
    return next((each for each in node.state().get("loads", ()) if each["name"] == name), {})


def is_idle(shown: dict[str, object]) -> bool:
    """Whether a load wants nothing and is off: the first is decided before the second is seen."""
    return (shown.get("reason"), shown.get("on")) == ("wants nothing now", False)


def test_fridge_runs_when_it_is_warm_and_a_goal_until_it_is_reached(rig: Rig) -> None:
    node = rig.node(1)
    rig.wait_for_broker()
    # 3 °C is a quarter of the way: worth 0.125, and the price is 0.25.
    wait_until("the fridge is valued", lambda: load(node, "lamp").get("worth") == 0.125)
    assert not any(edge.load == "lamp" for edge in rig.edges(0, [node])), "and never ran"
    temperature(node, 6.5)
    wait_until("the fridge runs", lambda: load(node, "lamp").get("on"))
    temperature(node, 1.5)
    wait_until("the fridge wants nothing, and is off", lambda: is_idle(load(node, "lamp")))
    wait_until("the goal is reached, and the pump off", lambda: is_idle(load(node, "pump")))
    accounts = {each["load"]: each for each in node.ask("/api/ledger")["accounts"]}
    drawn_wh = accounts["pump"]["energy_wh"]
    # Looked at once a second: it may run a little longer than it needs.
    assert GOAL_WH <= drawn_wh <= GOAL_WH + 8.0 * 2.5 / 3600
    assert node.controller is not None
    node.controller.send_signal(signal.SIGINT)
    assert node.controller.wait(DEADLINE_S) == 0
    (record,) = (node.folder / "state/record").glob("*.jsonl")
    checked = node.rackgrid("replay", "--verify", str(record))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    worths = {line["worth_uc"] for line in lines if line.get("load") == "lamp"}
    assert worths >= {None, 125_000, 10_000_000}
