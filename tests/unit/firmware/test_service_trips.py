"""Fails if what a meter shows does not reach the pin, the controller and its count of excess power.

The loop, the sampling thread and a register-true chip are the real ones; the plant is in this
process, and its time is the machine's.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rackgrid.core import board as boards
from rackgrid_firmware.board import Board, Ways
from rackgrid_firmware.device import Verdict
from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Clear,
    Command,
    Hold,
    OutputState,
    Refused,
    Report,
    Switched,
    Telemetry,
    decode,
    encode,
)
from rackgrid_firmware.listener import listen_at
from rackgrid_firmware.mock.bus import MockSMBus
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import wiring
from rackgrid_firmware.notify import Notifier
from rackgrid_firmware.output import Outputs
from rackgrid_firmware.profile import (
    MeterMock,
    MeterProfile,
    OutputMock,
    OutputProfile,
    Profile,
    TripProfile,
)
from rackgrid_firmware.registers import Range, configuration_for
from rackgrid_firmware.service import Service

S = 1_000_000_000
PATIENCE_S = 20.0
METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 3.2, "fast", 1.0, 0.0, MeterMock())
FAN = OutputProfile(
    "fan",
    17,
    True,
    False,
    36.0,
    36.0,
    0.0,
    0.0,
    0.0,
    "m",
    OutputMock(10.0, 0.0),
    trip=TripProfile(trip_a=2.0, discharge_s=0.1),
)
PROFILE = Profile("bench", "mock", 3.0, 20.0, 0.0, (METER,), (FAN,))


class World:
    """The plant, for several threads."""

    def __init__(self) -> None:
        self.plant = Plant(ohms=0.0)
        self._lock = threading.Lock()
        self.looks_closely = threading.Event()
        self.plant.plug(time.monotonic_ns(), wiring("node", PROFILE))

    def drive(self, gpio: int, level: bool) -> None:
        with self._lock:
            self.plant.drive(time.monotonic_ns(), "node", gpio, level)

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        with self._lock:
            self.plant.modulate(time.monotonic_ns(), "node", gpio, duty, hz)

    def read_word(self, address: int, register: int) -> int:
        with self._lock:
            return self.plant.read_word(time.monotonic_ns(), "node", 1, address, register)

    def write_word(self, address: int, register: int, value: int) -> None:
        if (register, value & 0x7FF) == (0, configuration_for("inrush", Range.MV_320).word & 0x7FF):
            self.looks_closely.set()
        with self._lock:
            self.plant.write_word(time.monotonic_ns(), "node", 1, address, register, value)

    def close(self) -> None:
        """Nothing to let go of."""

    def weld(self) -> None:
        with self._lock:
            self.plant.weld(time.monotonic_ns(), "node", "fan", True)

    def draw(self, watts: float) -> None:
        with self._lock:
            self.plant.set_load(time.monotonic_ns(), "node", "fan", watts)

    def level(self) -> bool | None:
        with self._lock:
            return self.plant.levels("node")[FAN.gpio]


class Bench:
    """A running firmware and its controller."""

    def __init__(self, path: Path) -> None:
        self.world = World()
        world = self.world
        ways = Ways(lambda: PlantFactory(world), lambda _: MockSMBus(world), lambda: None)
        self.board = Board(PROFILE, ways)
        self.service = Service(
            self.board,
            Outputs(PROFILE, self.board.relays, on_change=self._bar),
            listen_at(str(path)),
            notifier=Notifier({}),
            uids=frozenset({os.getuid()}),
            telemetry_ns=S // 50,
        )
        self.thread = threading.Thread(target=self.service.run)
        self.thread.start()
        self.board.start()
        self.link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.link.settimeout(PATIENCE_S)
        self.link.connect(str(path))
        self.send(Attach(VERSION, 1))
        self.known: boards.Board | None = None

    def send(self, command: Command) -> None:
        self.link.send(encode(command))

    def hear(self, wanted: Callable[[Report], bool]) -> Report:
        """Wait for a report, and let a controller's board follow all that come."""
        ends_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends_s:
            report = decode(self.link.recv(PACKET_MAX))
            match report:
                case Attached():
                    self.known = boards.attached(report)
                case Telemetry() | Switched() if self.known is not None:
                    self.known = boards.told(self.known, report)
                case _:
                    pass
            assert isinstance(report, Report)
            if wanted(report):
                return report
        pytest.fail("it was never said")

    def until(self, wanted: Callable[[OutputState], bool]) -> OutputState:
        """Wait until the telemetry says so of the fan."""
        said = self.hear(lambda report: isinstance(report, Telemetry) and wanted(report.outputs[0]))
        assert isinstance(said, Telemetry)
        return said.outputs[0]

    def hold(self, seq: int) -> None:
        self.send(Hold(seq, "fan", time.monotonic_ns() + 15 * S))

    def close(self) -> None:
        self.service.stop("the test ends")
        self.thread.join(PATIENCE_S)
        self.link.close()
        self.service.close()
        self.board.close()

    def _bar(self, record: object) -> None:
        del record


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    running = Bench(tmp_path / "s")
    yield running
    running.close()


def test_meter_looks_closely_at_a_start_and_not_before(bench: Bench) -> None:
    bench.until(lambda state: not state.on)
    assert not bench.world.looks_closely.is_set()
    bench.hold(1)
    assert bench.world.looks_closely.wait(PATIENCE_S)


def test_overcurrent_opens_the_output_by_itself_and_is_latched_until_cleared(bench: Bench) -> None:
    bench.hold(1)
    bench.until(lambda state: state.on)
    bench.world.draw(30.0)
    said = bench.hear(lambda r: isinstance(r, Switched) and not r.state.on)
    assert isinstance(said, Switched)
    assert said.state.cause == "tripped"
    assert said.state.fault.startswith("overcurrent: 2.")
    assert bench.world.level() is False
    bench.hold(2)
    refused = bench.hear(lambda report: isinstance(report, Refused))
    assert isinstance(refused, Refused)
    assert refused.reason == said.state.fault
    bench.world.draw(10.0)
    # Cleared at once, the last conversion from before the opening would trip it again.
    bench.hear(lambda r: isinstance(r, Telemetry) and abs(r.readings[0].amps) < 0.1)
    bench.send(Clear(3, "fan"))
    bench.hold(4)
    assert bench.until(lambda state: state.on).fault == ""


def test_welded_contact_is_found_barred_and_counted_as_floor_by_the_controller(
    bench: Bench,
) -> None:
    bench.hold(1)
    bench.until(lambda state: state.verdict is Verdict.OK)
    bench.world.weld()
    bench.send(Hold(2, "fan", time.monotonic_ns() + S // 10))
    state = bench.until(lambda state: state.verdict is Verdict.WELDED)
    assert not state.on
    assert state.fault.startswith("welded: switched off, and ")
    assert bench.known is not None
    assert boards.fault_of(bench.known.outputs["fan"]) == state.fault
    assert bench.known.excess_mw == 36_000, "its nameplate counts, whatever it draws"
