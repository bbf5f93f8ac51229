"""What real daemons record of a rack in trouble is sound line by line, and tells of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from tests.rack.rig import DEADLINE_S, QUICK, Rig, RigNode, wait_until

pytestmark = pytest.mark.root

DEAR, CHEAP = 0.45, 0.25
"""Above the pump's worth and below the lamp's, and below both."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(3, rack=QUICK) as made:
        for node in made.nodes:
            text = node.config.read_text()
            node.config.write_text(
                text.replace("price = 0.25\n", f'price = {CHEAP}\ntariff_file = "tariff.json"\n')
            )
            tell(node, CHEAP)
        made.start()
        yield made


def tell(node: RigNode, price: float) -> None:
    """Let a node's source cost that from now on; a file is replaced whole."""
    fresh = node.folder / "fresh.json"
    fresh.write_text(json.dumps({"price": price}))
    fresh.replace(node.folder / "tariff.json")


def pumps(rig: Rig, on: bool) -> None:
    """Wait until every node's pump truly draws, or none does."""

    def followed() -> bool:
        truth = rig.control.draws()["nodes"]
        return all((truth[n.name]["loads"]["pump"] > 0) is on for n in rig.nodes)

    wait_until(f"every pump {'on' if on else 'off'}", followed)


def node_why(rig: Rig) -> dict[str, Any]:
    return rig.node(1).ask("/api/why/pump")


def is_dear(told: dict[str, Any]) -> bool:
    return (told["why"], told["on"]) == ("price_above_worth", False)


def is_told(node: RigNode, load: str, why: str) -> bool:
    """Whether that is the last that was recorded of a load."""
    changes = node.ask(f"/api/why/{load}").get("changes")
    return bool(changes) and changes[-1]["why"] == why


def detach(node: RigNode) -> None:
    assert node.controller is not None
    node.controller.send_signal(signal.SIGINT)
    assert node.controller.wait(DEADLINE_S) == 0


def record_of(node: RigNode) -> list[dict[str, Any]]:
    (path,) = (node.folder / "state/record").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_record_of_prices_that_change_and_a_broker_that_is_killed_is_sound(rig: Rig) -> None:
    state = rig.wait_for_broker()
    rig.wait_for_loads()
    for node in rig.nodes:
        tell(node, DEAR)
    pumps(rig, on=False)
    wait_until("pi-1 knows that its pump is off, and why", lambda: is_dear(node_why(rig)))
    why = rig.node(1).rackgrid("why", "pump", "--json")
    assert why.returncode == 0
    told = json.loads(why.stdout)
    assert (told["why"], told["on"], told["worth_uc"]) == ("price_above_worth", False, 400_000)
    assert told["price_uc"] >= 450_000
    assert any(change["from"] and not change["to"] for change in told["changes"])

    killed = next(node for node in rig.nodes if node.name == state["broker"])
    killed.kill()
    left = rig.others(killed)
    rig.wait_for_broker(among=left)
    killed.start()
    for node in rig.nodes:
        tell(node, CHEAP)
    rig.wait_for_broker()
    pumps(rig, on=True)
    for node in rig.nodes:
        detach(node)

    rounds = 0
    for node in rig.nodes:
        lines = record_of(node)
        (path,) = (node.folder / "state/record").glob("*.jsonl")
        checked = node.rackgrid("replay", "--verify", str(path))
        assert checked.returncode == 0, checked.stdout
        assert node.rackgrid("replay", str(path)).stdout.count("\n") == len(lines)
        switched = [x for x in lines if x["event"] == "load" and x["from"] is not x["to"]]
        assert {x["load"] for x in switched} >= {"lamp", "pump"}
        rounds += sum(line["event"] == "round" for line in lines)
    assert rounds > 3, "somebody has led, and says how"


def test_lie_in_a_real_record_is_found(rig: Rig) -> None:
    rig.wait_for_broker()
    rig.wait_for_loads()
    node = rig.node(1)
    # It draws before its firmware says so.
    wait_until("its lamp is seen to be on", lambda: is_told(node, "lamp", "worth_it"))
    detach(node)
    lines = record_of(node)
    number = next(i for i, x in enumerate(lines) if x["event"] == "load" and x["why"] == "worth_it")
    lines[number]["worth_uc"] = lines[number]["bid_uc"] = lines[number]["price_uc"] - 1
    lie = node.folder / "lie.jsonl"
    lie.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    checked = node.rackgrid("replay", "--verify", str(lie))
    assert checked.returncode == 1
    assert f"line {number + 1}: " in checked.stdout
