"""Fails if a command that is not allowed, stale, twice or no command does anything, or raises."""

from __future__ import annotations

import json
import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inputs import HEARD, mutated

from rackgrid.adapters.ears import Ears
from rackgrid.adapters.orders import EXPIRES_S, Orders, obey
from rackgrid.adapters.plug.line import Listener
from rackgrid.config import Config, MqttConfig
from rackgrid.config_file import load_config
from rackgrid.core.event import OutputRequested, Tend

BOARD = Path(__file__).parents[4] / "hardware" / "profiles" / "mock-demo.toml"
NOW_S = 1_770_000_000
TOPIC = "rackgrid/shed/alfa/fan/set"


class Desk:
    """Orders, a clock that can be unknown, and what the node was asked for."""

    def __init__(self, *allowed: Tend) -> None:
        self.wall_ns: int | None = NOW_S * 10**9
        self.asked: list[tuple[str, Tend]] = []
        self.orders = Orders(frozenset(allowed), lambda: self.wall_ns, lambda: 7, self.ask)

    def ask(self, request: OutputRequested) -> None:
        assert request.now_ns == 7
        self.asked.append((request.load, request.what))

    def hear(self, payload: object, load: str = "fan") -> bool:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.orders.hear(load, TOPIC, raw)


def command(do: object = "lock", expires: object = NOW_S + 30) -> dict[str, object]:
    return {"do": do, "expires": expires}


@pytest.fixture
def desk() -> Desk:
    return Desk(Tend.LOCK, Tend.CLEAR)


def test_command_that_is_allowed_and_counts_is_done(desk: Desk) -> None:
    assert desk.hear(command())
    assert desk.hear(command("clear", NOW_S + 30.5))
    assert desk.asked == [("fan", Tend.LOCK), ("fan", Tend.CLEAR)]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (command("unlock"), "must be one of those in [mqtt] commands: clear, lock"),
        (command(None), "must be one of those"),
        (command(["lock"]), "must be one of those"),
        (command(expires=None), "must be Unix time"),
        (command(expires=True), "must be Unix time"),
        (command(expires=str(NOW_S)), "must be Unix time"),
        (command(expires=NOW_S), "is over, or more than 60 s ahead"),
        (command(expires=NOW_S - 1), "is over"),
        (command(expires=NOW_S + EXPIRES_S + 0.1), "more than 60 s ahead"),
        (command(expires=10**400), "more than 60 s ahead"),
        (command(expires=float("nan")), "is over"),
        (["lock"], "it says list, not an object"),
        (b"lock", "it says what is not JSON"),
        (b"[" * 100_000, "it says what is not JSON"),
        (b"", "it says what is not JSON"),
    ],
)
def test_command_that_does_not_count_does_nothing_and_is_said_once(
    desk: Desk, payload: object, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not desk.hear(payload)
    assert not desk.hear(payload)
    assert desk.asked == []
    (said,) = caplog.messages
    assert TOPIC in said
    assert why in said


def test_command_that_comes_twice_or_is_overtaken_is_done_once(desk: Desk) -> None:
    assert desk.hear(command(expires=NOW_S + 30))
    assert not desk.hear(command(expires=NOW_S + 30))
    assert not desk.hear(command("clear", NOW_S + 20))
    assert desk.hear(command("clear", NOW_S + 20), load="pump")
    assert desk.asked == [("fan", Tend.LOCK), ("pump", Tend.CLEAR)]


def test_command_while_nobody_vouches_for_the_clock_does_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.wall_ns = None
    assert not desk.hear(command())
    assert "the clock is not synchronised" in caplog.text
    desk.wall_ns = NOW_S * 10**9
    with caplog.at_level(logging.INFO):
        assert desk.hear(command())
    assert "load fan: lock, asked for over MQTT" in caplog.text


@given(st.sampled_from(HEARD), st.integers(0, 2**32))
def test_command_of_any_bytes_never_raises_nor_does_what_is_not_allowed(
    payload: bytes, seed: int
) -> None:
    desk = Desk(Tend.LOCK)
    chance = random.Random(seed)
    for raw in (payload, mutated(chance, payload), mutated(chance, json.dumps(command()).encode())):
        desk.hear(raw)
    assert {what for _, what in desk.asked} <= {Tend.LOCK}


class Ear(Ears):
    """Remembers what it was to listen to."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[Listener, bool]] = {}

    def listen(self, topic: str, listener: Listener, *, retained: bool) -> None:
        self.heard[topic] = (listener, retained)


def config_of(folder: Path, *commands: str) -> Config:
    path = folder / "rackgrid.toml"
    path.write_text(
        '[rack]\nname = "shed"\ninterface = "lo"\nexpect = 3\n[feed]\ncapacity_w = 60\n'
        f'[node]\nname = "alfa"\nboard = "{BOARD}"\n[[load]]\nname = "fan"\nworth = 1\n'
    )
    config = load_config(path)
    mqtt = MqttConfig("127.0.0.1", 1883, "", None, None, "home", commands=commands)
    return replace(config, mqtt=mqtt)


def test_obey_listens_under_each_load_and_to_nothing_retained(tmp_path: Path) -> None:
    ear, desk = Ear(), Desk()
    obey(config_of(tmp_path, "lock"), ear, lambda: NOW_S * 10**9, lambda: 7, desk.ask)
    ((topic, (listener, retained)),) = ear.heard.items()
    assert (topic, retained) == ("home/shed/alfa/fan/set", False)
    assert not listener(topic, json.dumps(command("unlock")).encode())
    assert listener(topic, json.dumps(command()).encode())
    assert desk.asked == [("fan", Tend.LOCK)]


def test_obey_hears_nothing_where_nothing_is_allowed(tmp_path: Path) -> None:
    ear, desk = Ear(), Desk()
    obey(config_of(tmp_path), ear, lambda: 0, lambda: 7, desk.ask)
    obey(config_of(tmp_path, "lock"), None, lambda: 0, lambda: 7, desk.ask)
    assert ear.heard == {}
