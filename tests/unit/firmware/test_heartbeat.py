"""Fails if the wave goes on when its loop does not, or makes up for what it missed."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import pytest

from rackgrid_firmware.board import Board, Ways
from rackgrid_firmware.errors import DeviceUnavailable, ProfileError
from rackgrid_firmware.guard import HoldAsked, TimePassed
from rackgrid_firmware.heartbeat import HALF_NS, Heartbeat
from rackgrid_firmware.link import Hold
from rackgrid_firmware.listener import listen_at
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.notify import Notifier
from rackgrid_firmware.output import Outputs
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.service import Service

S = 1_000_000_000
PATIENCE_S = 10.0
BOARD = """
[board]
name = "bench"
driver = "mock"
base_w = 3.0
stagger_s = 0.0
heartbeat_pin = {pin}
[[output]]
name = "fan"
gpio = 17
nominal_w = 12.0
"""


class Pin:
    """A pin that remembers what it was told."""

    name = "heartbeat"

    def __init__(self) -> None:
        self.levels: list[bool] = []
        self.is_broken = False

    def energise(self, on: bool) -> None:
        if self.is_broken:
            raise DeviceUnavailable("GPIO 26 is broken")
        self.levels.append(on)

    def close(self) -> None:
        self.levels.append(False)


def profile(tmp_path: Path, pin: object = 26) -> Any:
    path = tmp_path / "board.toml"
    path.write_text(BOARD.format(pin=pin))
    return load_profile(path)


def test_pulse_is_a_square_wave_of_the_loop_that_calls_it() -> None:
    pin = Pin()
    heartbeat = Heartbeat(pin, 5)
    for _ in range(6):
        heartbeat.beat(heartbeat.next_ns - 1)
        heartbeat.beat(heartbeat.next_ns)
    assert pin.levels == [True, False, True, False, True, False]
    assert heartbeat.next_ns == 5 + 6 * HALF_NS


def test_pulse_that_was_late_makes_up_for_nothing() -> None:
    pin = Pin()
    heartbeat = Heartbeat(pin, 0)
    heartbeat.beat(10 * HALF_NS)
    heartbeat.beat(10 * HALF_NS)
    assert pin.levels == [True]
    assert heartbeat.next_ns == 11 * HALF_NS


def test_outputs_beat_when_they_are_looked_at_and_at_no_other_time(tmp_path: Path) -> None:
    pin, fan = Pin(), Pin()
    outputs = Outputs(profile(tmp_path), {"fan": fan}, None, lambda: 0, heartbeat=pin)
    fan.levels.clear()
    assert outputs.next_deadline_ns == 0
    outputs.handle(HoldAsked(0, Hold(1, "fan", S)))
    assert (pin.levels, fan.levels) == ([], [True]), "a command is no sign of a loop that turns"
    outputs.handle(TimePassed(0))
    assert pin.levels == [True]
    assert outputs.next_deadline_ns == HALF_NS
    outputs.handle(TimePassed(S))
    assert (pin.levels, fan.levels) == ([True, False], [True, False])


def test_outputs_keep_their_deadline_before_they_beat(tmp_path: Path) -> None:
    pin, fan = Pin(), Pin()
    outputs = Outputs(profile(tmp_path), {"fan": fan}, None, lambda: 0, heartbeat=pin)
    outputs.handle(HoldAsked(0, Hold(1, "fan", S)))
    pin.is_broken = True
    with pytest.raises(DeviceUnavailable):
        outputs.handle(TimePassed(S))
    assert fan.levels[-1] is False


def test_outputs_without_a_heartbeat_have_no_deadline_of_its(tmp_path: Path) -> None:
    outputs = Outputs(profile(tmp_path), {"fan": Pin()}, None, lambda: 0)
    assert outputs.next_deadline_ns is None


class Edges:
    """Where the pins of a board lead; counts the edges of each."""

    def __init__(self) -> None:
        self.levels: dict[int, list[bool]] = {17: [], 26: []}
        self.news = threading.Condition()

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        raise AssertionError(f"GPIO {gpio} pulses by itself at {hz} Hz, {duty}")

    def drive(self, gpio: int, level: bool) -> None:
        with self.news:
            self.levels[gpio].append(level)
            self.news.notify_all()


def _no_bus(_: int) -> Any:
    raise AssertionError("there are no meters")


def test_service_pulses_without_a_controller_and_no_longer_than_it_runs(tmp_path: Path) -> None:
    edges = Edges()
    board = Board(profile(tmp_path), Ways(lambda: PlantFactory(edges), _no_bus, lambda: None))
    assert edges.levels == {17: [False], 26: [False]}
    service = Service(
        board,
        Outputs(board.profile, board.relays, heartbeat=board.heartbeat),
        listen_at(str(tmp_path / "s")),
        notifier=Notifier({}),
        uids=frozenset(),
        telemetry_ns=S,
    )
    thread = threading.Thread(target=service.run)
    thread.start()
    with edges.news:
        assert edges.news.wait_for(lambda: len(edges.levels[26]) > 6, PATIENCE_S)
    service.stop("the test ends")
    thread.join(PATIENCE_S)
    count = len(edges.levels[26])
    with edges.news:
        assert not edges.news.wait_for(lambda: len(edges.levels[26]) > count, 3 * HALF_NS / S)
    service.close()
    board.close()
    wave = edges.levels[26][:count]
    assert all(a is not b for a, b in itertools.pairwise(wave))
    assert edges.levels[26][-1] is False
    assert set(edges.levels[17]) == {False}


def test_board_whose_heartbeat_pin_is_taken_says_so_and_works(tmp_path: Path) -> None:
    class Taken(Edges):
        def drive(self, gpio: int, level: bool) -> None:
            if gpio == 26:
                raise DeviceUnavailable("GPIO 26 is in use")
            super().drive(gpio, level)

    ways = Ways(lambda: PlantFactory(Taken()), _no_bus, lambda: None)
    board = Board(profile(tmp_path), ways)
    assert [trouble.device for trouble in board.troubles] == ["heartbeat"]
    assert board.heartbeat is None
    assert list(board.relays) == ["fan"]
    board.close()


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        (17, 'GPIO 17 is [[output]] "fan"\'s'),
        (2, "GPIO 2 may not carry the heartbeat: it is I2C data"),
        (28, "too large"),
        ('"26"', "expected a whole number"),
    ],
)
def test_profile_with_a_pin_that_cannot_pulse_is_refused(
    tmp_path: Path, pin: object, says: str
) -> None:
    with pytest.raises(ProfileError) as refused:
        profile(tmp_path, pin)
    assert says in str(refused.value)
    assert "heartbeat_pin" in str(refused.value)
