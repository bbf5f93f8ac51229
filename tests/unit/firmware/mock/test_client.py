"""Fails if a call from another process does less, or says less, than one in this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.mock.chip import CALIBRATION, CONFIGURATION, POWER_ON
from rackgrid_firmware.mock.client import PlantControl, PlantLine, RemotePins, RemotePort
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.process import PlantProcess
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring
from rackgrid_firmware.profile_mock import LoadMock

NODE = NodeWiring(
    "n1",
    3.0,
    (LoadWiring("fan", 17, True, False, 12.0, 12.0, 0.0, 10.0, 0.0, "m1"),),
    (ChipWiring("m1", 1, 0x40, 0.1, 5.0),),
)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    socket_path = str(tmp_path / "plant")
    process = PlantProcess(Plant(), socket_path)
    thread = threading.Thread(target=process.run)
    thread.start()
    yield socket_path
    process.stop()
    thread.join(5)
    process.close()


def test_client_pins_switch_and_control_sees_it(path: str) -> None:
    pins, control = RemotePins(path, NODE), PlantControl(path)
    pins.drive(17, True)
    assert control.levels("n1") == {17: True}
    truth = control.draws()
    assert truth["nodes"]["n1"]["flexible_w"] == 10.0
    control.set_load("n1", "fan", 4.0)
    control.set_source("n1", "m1", 0.0)
    control.weld("n1", "fan", True)
    pins.drive(17, False)
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 4.0}
    pins.close()
    control.close()


def test_client_modulates_a_pin_and_does_any_deed(path: str) -> None:
    pins, control = RemotePins(path, NODE), PlantControl(path)
    pins.modulate(17, 0.5, 100.0)
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 5.0}
    control.do("stick", node="n1", output="fan", stuck=True)
    assert control.draws()["nodes"]["n1"]["loads"] == {"fan": 0.0}
    with pytest.raises(ValueError, match="cannot do 'fly'"):
        control.do("fly")
    with pytest.raises(ValueError, match="a duty of"):
        pins.modulate(17, 2.0, 100.0)
    assert control.celsius("n1") == {}
    pins.close()
    control.close()


def test_client_tells_the_temperature_of_a_thermal_load(path: str) -> None:
    fridge = LoadMock(kind="thermal", reach_c=-20.0, settle_s=9.0, low_c=3.0, high_c=7.0)
    loads = (replace(NODE.loads[0], load=fridge),)
    pins, control = RemotePins(path, replace(NODE, node="n2", loads=loads)), PlantControl(path)
    (celsius,) = control.celsius("n2").values()
    assert celsius == pytest.approx(20.0, abs=0.1)
    pins.close()
    control.close()


def test_client_bus_reads_writes_and_raises_as_the_kernel(path: str) -> None:
    pins, control, bus = RemotePins(path, NODE), PlantControl(path), RemotePort(path, "n1", 1)
    assert bus.read_word(0x40, CONFIGURATION) == POWER_ON
    bus.write_word(0x40, CALIBRATION, 4096)
    assert bus.read_word(0x40, CALIBRATION) == 4096
    control.brown_out("n1")
    assert bus.read_word(0x40, CALIBRATION) == 0
    control.fault("n1", 1, "timeout", address=0x40)
    with pytest.raises(TimeoutError):
        bus.read_word(0x40, CONFIGURATION)
    control.fault("n1", 1, "nack", count=-1)
    control.repair("n1", 1)
    assert bus.read_word(0x40, CONFIGURATION) == POWER_ON
    for line in (pins, control, bus):
        line.close()


def test_client_refused_request_says_why_and_the_line_lives_on(path: str) -> None:
    control = PlantControl(path)
    with pytest.raises(ValueError, match="nobody"):
        control.weld("nobody", "fan", True)
    assert control.draws()["nodes"] == {}
    control.close()


def test_client_refused_introduction_raises(path: str) -> None:
    with pytest.raises(ValueError, match="spy"):
        PlantLine(path, "spy")


def test_client_without_a_plant_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match=r"rackgrid_firmware\.mock\.process"):
        PlantControl(tmp_path / "nothing")


def test_client_plant_that_goes_away_is_unavailable(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.bind(str(tmp_path / "plant"))
    server.listen()

    def answer_once() -> None:
        connection, _ = server.accept()
        connection.recv(4096)
        connection.send(b"{}")
        connection.recv(4096)
        connection.close()

    thread = threading.Thread(target=answer_once)
    thread.start()
    control = PlantControl(tmp_path / "plant")
    with pytest.raises(DeviceUnavailable, match="no answer"):
        control.draws()
    with pytest.raises(DeviceUnavailable):
        control.draws()
    thread.join(5)
    control.close()
    server.close()
