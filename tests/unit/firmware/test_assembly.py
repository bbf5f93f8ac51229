"""Fails if a board is opened in the wrong world, or its outputs forget what they were left."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware import assembly
from rackgrid_firmware.assembly import Memory, open_board, open_memory, open_outputs
from rackgrid_firmware.board import Board, Ways
from rackgrid_firmware.boot_record import kernel_boot_id
from rackgrid_firmware.energy import Energy, EnergyFile
from rackgrid_firmware.errors import DeviceUnavailable
from rackgrid_firmware.guard import LockAsked
from rackgrid_firmware.link import Lock
from rackgrid_firmware.mock.bus import ChipPort, MockSMBus
from rackgrid_firmware.mock.chip import Ina219Chip
from rackgrid_firmware.mock.pins import PlantFactory
from rackgrid_firmware.option import Options, parse
from rackgrid_firmware.profile import MeterMock, MeterProfile, OutputMock, OutputProfile, Profile

FAN = OutputProfile("fan", 17, True, False, 12.0, 12.0, 0.0, 0.0, 60.0, "", OutputMock(10.0, 0.0))
METER = MeterProfile("m", "ina219", 1, 0x40, 0.1, 3.2, "fast", 1.0, 0.0, MeterMock())
PROFILE = Profile("bench", "mock", 3.0, 5.0, 0.0, (), (FAN,))

NOTHING = Memory({}, None)


class Pins:
    """Takes every level."""

    def drive(self, gpio: int, level: bool) -> None:
        assert gpio == FAN.gpio
        assert not level

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        raise AssertionError(f"GPIO {gpio} pulses at {hz} Hz, {duty}: nothing here modulates")


def options(room: Path, *more: str) -> Options:
    return parse(["--profile", "p.toml", "--socket", str(room / "s"), *more])


def board() -> Board:
    return Board(PROFILE, Ways(lambda: PlantFactory(Pins()), lambda _: None, lambda: None))  # type: ignore[arg-type,return-value]  # pyright: ignore[reportArgumentType]


def test_mock_board_needs_a_plant_and_a_real_one_has_none(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        with pytest.raises(ValueError, match="a mock board needs a plant"):
            open_board(options(tmp_path), PROFILE, stack, NOTHING)
        real = Profile("bench", "pi", 3.0, 5.0, 0.0, (), ())
        with pytest.raises(ValueError, match="a real board has no plant"):
            open_board(options(tmp_path, "--plant", "x"), real, stack, NOTHING)
        with pytest.raises(DeviceUnavailable, match="no answer from the plant"):
            open_board(
                options(tmp_path, "--plant", str(tmp_path / "none")), PROFILE, stack, NOTHING
            )


def test_outputs_take_over_the_dwell_that_this_boot_has_left(tmp_path: Path) -> None:
    since_ns = time.monotonic_ns() - 30_000_000_000
    record = {"boot_id": kernel_boot_id(), "outputs": {"fan": [False, since_ns]}}
    (tmp_path / "dwell.json").write_text(json.dumps(record))
    opened = board()
    (state,) = open_outputs(options(tmp_path, "--runtime", str(tmp_path)), opened, NOTHING).states
    assert state.since_ns == since_ns
    (state,) = open_outputs(options(tmp_path), opened, NOTHING).states
    assert state.since_ns > since_ns
    opened.close()


def test_lockout_outlives_the_process_that_was_told_of_it(tmp_path: Path) -> None:
    words = options(tmp_path, "--state", str(tmp_path))
    with contextlib.ExitStack() as stack:
        memory = open_memory(words, PROFILE, stack)
        outputs = open_outputs(words, board(), memory)
        outputs.handle(LockAsked(time.monotonic_ns(), Lock(1, "fan", True)))
    with contextlib.ExitStack() as stack:
        memory = open_memory(words, PROFILE, stack)
        (state,) = open_outputs(words, board(), memory).states
    assert (state.is_locked, state.cause) == (True, "locked")


def test_counters_outlive_a_process_that_ends_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = MockSMBus(ChipPort({0x40: Ina219Chip()}))
    ways = Ways(lambda: PlantFactory(Pins()), lambda _: bus, lambda: None)

    def ours(*_: object) -> Ways:
        return ways

    monkeypatch.setattr(assembly, "mock_ways", ours)
    words = options(tmp_path, "--runtime", str(tmp_path), "--plant", "in this process")
    profile = replace(PROFILE, meters=(METER,))
    left = {"m": Energy(7_000, 50)}
    EnergyFile(tmp_path / "energy.json", kernel_boot_id()).write(left)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            opened = open_board(words, profile, stack, NOTHING)
            (reading,) = opened.readings
            assert (reading.energy_mj, reading.estimated_mj) == (7_000, 50)
            assert not (tmp_path / "energy.json").exists(), "a crash must not count it twice"
    assert EnergyFile(tmp_path / "energy.json", kernel_boot_id()).take() == left
