"""Fails if a client gets another answer than the world gives, or a bad packet changes it."""

from __future__ import annotations

import errno
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.mock.chip import CALIBRATION, CONFIGURATION, POWER_ON
from rackgrid_firmware.mock.client import ANSWER, READ, WORD, WRITE
from rackgrid_firmware.mock.desk import Clerk, Desk
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring, to_json

S = 1_000_000_000
NODE = NodeWiring(
    "n1",
    3.0,
    (LoadWiring("fan", 17, True, False, 12.0, 12.0, 0.0, 10.0, 0.0, "m1"),),
    (ChipWiring("m1", 1, 0x40, 0.1, 0.0),),
)


def packet(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def seat(desk: Desk, **fields: Any) -> Clerk:
    answer, clerk, _ = desk.introduce(S, packet(**fields))
    assert json.loads(answer) == {}
    assert clerk is not None
    return clerk


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def desk(plant: Plant) -> Desk:
    return Desk(plant)


@pytest.fixture
def pins(desk: Desk) -> Clerk:
    return seat(desk, role="pins", wiring=to_json(NODE))


@pytest.fixture
def control(desk: Desk, pins: Clerk) -> Clerk:
    return seat(desk, role="control")


def test_desk_pins_plug_the_node_and_drive_it(plant: Plant, pins: Clerk) -> None:
    assert json.loads(pins(2 * S, packet(gpio=17, level=True))) == {}
    assert plant.draws(2 * S)["n1"].flexible_w == 10.0


def test_desk_pins_connection_belongs_to_its_node(desk: Desk) -> None:
    assert desk.introduce(S, packet(role="pins", wiring=to_json(NODE)))[2] == "n1"
    assert desk.introduce(S, packet(role="control"))[2] == ""


def test_desk_bus_speaks_words(desk: Desk, pins: Clerk) -> None:
    bus = seat(desk, role="bus", node="n1", bus=1)
    assert ANSWER.unpack(bus(S, WORD.pack(READ, 0x40, CONFIGURATION, 0))) == (0, POWER_ON)
    assert ANSWER.unpack(bus(S, WORD.pack(WRITE, 0x40, CALIBRATION, 4096))) == (0, 0)
    assert ANSWER.unpack(bus(S, WORD.pack(READ, 0x40, CALIBRATION, 0))) == (0, 4096)
    assert ANSWER.unpack(bus(S, WORD.pack(READ, 0x41, CONFIGURATION, 0))) == (121, 0)
    assert "error" in json.loads(bus(S, b"short"))


def test_desk_bus_of_a_node_that_nobody_plugged_in_is_not_there(desk: Desk) -> None:
    bus = seat(desk, role="bus", node="nobody", bus=1)
    for operation in (READ, WRITE):
        answer = ANSWER.unpack(bus(S, WORD.pack(operation, 0x40, CONFIGURATION, 0)))
        assert answer == (errno.ENODEV, 0)


@pytest.mark.parametrize(
    ("request_", "node", "expected"),
    [
        ({"do": "set-load", "output": "fan", "watts": 5.0}, "n1", 5.0),
        ({"do": "weld", "output": "fan", "welded": True}, "n1", 10.0),
        ({"do": "brown-out"}, "n1", 10.0),
        ({"do": "repair", "bus": 1}, "n1", 10.0),
        ({"do": "set-source", "meter": "m1", "watts": 2.0}, "n1", 10.0),
    ],
)
def test_desk_control_does_what_it_is_told(
    pins: Clerk, control: Clerk, request_: dict[str, Any], node: str, expected: float
) -> None:
    pins(S, packet(gpio=17, level=True))
    assert json.loads(control(2 * S, packet(node=node, **request_))) == {}
    truth = json.loads(control(3 * S, packet(do="draws")))
    assert truth["nodes"]["n1"]["loads"] == {"fan": expected}
    assert truth["nodes"]["n1"]["watts"] == 3.0 + expected
    assert truth["feed"]["volts"] < 12.0


def test_desk_control_faults_a_bus_and_repairs_it(desk: Desk, pins: Clerk, control: Clerk) -> None:
    bus = seat(desk, role="bus", node="n1", bus=1)
    read = WORD.pack(READ, 0x40, CONFIGURATION, 0)
    fault = packet(do="fault", node="n1", bus=1, kind="nack", address=0x40, count=-1)
    assert json.loads(control(S, fault)) == {}
    assert ANSWER.unpack(bus(S, read))[0] == 121
    control(S, packet(do="repair", node="n1", bus=1))
    assert ANSWER.unpack(bus(S, read)) == (0, POWER_ON)


def test_desk_control_says_how_the_pins_are_driven(pins: Clerk, control: Clerk) -> None:
    pins(S, packet(gpio=17, level=False))
    answer = json.loads(control(S, packet(do="levels", node="n1")))
    assert answer == {"levels": {"17": False}}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"\xff", "utf-8"),
        (b"[]", "object"),
        (packet(do="explode"), "explode"),
        (packet(do="weld", node="n1"), "output"),
        (packet(do="weld", node="nobody", output="fan", welded=True), "nobody"),
        (packet(do="fault", node="n1", bus=1, kind="rust", count=1), "rust"),
    ],
)
def test_desk_bad_request_is_answered_with_what_is_wrong(
    control: Clerk, bad: bytes, says: str
) -> None:
    assert says in json.loads(control(S, bad))["error"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"hello", "Expecting"),
        (packet(role="spy"), "spy"),
        (packet(role="bus", node="n1"), "bus"),
        (packet(role="pins", wiring={}), "wiring"),
    ],
)
def test_desk_bad_introduction_is_refused(desk: Desk, bad: bytes, says: str) -> None:
    answer, clerk, _ = desk.introduce(S, bad)
    assert clerk is None
    assert says in json.loads(answer)["error"]


@given(st.binary(max_size=64))
def test_desk_random_bytes_never_raise(noise: bytes) -> None:
    desk = Desk(Plant())
    clerks = [
        seat(desk, role="pins", wiring=to_json(NODE)),
        seat(desk, role="control"),
        seat(desk, role="bus", node="n1", bus=1),
    ]
    desk.introduce(S, noise)
    for clerk in clerks:
        assert clerk(S, noise)
