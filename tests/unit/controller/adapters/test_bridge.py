"""What the bridge tells the MQTT server, and when. The server's side is in tests/rack/test_mqtt.py.

The client is a recorder of the same calls; that the real one keeps its promises is tested in
test_mqtt.py.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.controller.cli.daemon import VIEW

from rackgrid.adapters import view_json
from rackgrid.adapters.bridge import Bridge
from rackgrid.adapters.mqtt import MqttBridge
from rackgrid.adapters.view_json import Json
from rackgrid.core.action import Action, Noted, PriceApplied, PriceLost, PriceSent, RoleChanged
from rackgrid.core.view import View
from rackgrid.identity import BootId, NodeId, Pair, Term
from rackgrid.wire.vocabulary import Role

PAIR = Pair(Term(7), NodeId(0xBB), BootId(1))


class Recorder(MqttBridge):
    """Keeps what is published."""

    def __init__(self) -> None:
        self.prices: list[tuple[float, str, int, int, datetime, datetime]] = []
        self.states: list[Json] = []
        self.loads: dict[str, Json] = {}
        self.withdrawn = 0
        self.life: list[str] = []

    def publish_price(
        self, value: float, currency: str, term: int, round_: int, start: datetime, end: datetime
    ) -> None:
        self.prices.append((value, currency, term, round_, start, end))

    def withdraw_price(self) -> None:
        self.withdrawn += 1

    def publish_state(self, state: Json) -> None:
        self.states.append(state)

    def publish_load(self, load: str, state: Json) -> None:
        self.loads[load] = state

    def start(self) -> None:
        self.life.append("start")

    def alive(self) -> bool:
        return "start" in self.life

    def stop(self, timeout_s: float = 0) -> None:
        self.life.append("stop")


def bridge(recorder: Recorder, view: View = VIEW) -> Bridge:
    return Bridge(recorder, "EUR", lambda: view)


def test_bridge_price_that_was_sent_is_published_with_its_validity() -> None:
    recorder, before = Recorder(), datetime.now(UTC)
    bridge(recorder).publish(PriceSent(PAIR, 31, 420_000, 2_000_000_000))
    ((value, currency, term, round_, start, end),) = recorder.prices
    assert (value, currency, term, round_) == (0.42, "EUR", 7, 31)
    assert before <= start <= datetime.now(UTC)
    assert end - start == timedelta(seconds=2)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.BROKER])
def test_bridge_node_that_is_no_broker_takes_its_price_back(role: Role) -> None:
    recorder = Recorder()
    bridge(recorder).publish(RoleChanged(role, PAIR, "a cause"))
    assert recorder.withdrawn == 1


@pytest.mark.parametrize(
    "action",
    [
        RoleChanged(Role.BROKER, PAIR, "elected"),
        PriceApplied(PAIR, 1, 1, 1, scarce=False),
        PriceLost(),
        Noted("a note"),
    ],
)
def test_bridge_other_actions_say_nothing_about_the_price(action: Action) -> None:
    recorder = Recorder()
    bridge(recorder).publish(action)
    assert recorder.prices == []
    assert recorder.withdrawn == 0


def test_bridge_tells_its_node_and_its_own_loads_and_no_others() -> None:
    recorder = Recorder()
    bridge(recorder).tell()
    assert recorder.states == [view_json.node_state(VIEW)]
    assert set(recorder.loads) == {load.name for load in VIEW.loads if load.node == "pi-1"}
    assert recorder.loads["fan"] == view_json.load_state(VIEW.loads[1])


def test_bridge_of_a_node_without_loads_tells_its_state_alone() -> None:
    recorder = Recorder()
    bridge(recorder, replace(VIEW, loads=())).tell()
    assert len(recorder.states) == 1
    assert recorder.loads == {}


def test_bridge_lives_as_its_client_does() -> None:
    recorder = Recorder()
    joined = bridge(recorder)
    assert not joined.alive()
    joined.start()
    assert joined.alive()
    joined.close()
    assert recorder.life == ["start", "stop"]
