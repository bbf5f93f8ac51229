"""Fails if a restart finds an image colder than it can be, or one that was kept is not believed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid_firmware.device import Output, Quality, Reading
from rackgrid_firmware.guard import HoldAsked
from rackgrid_firmware.heat import LIMIT, RISE, SOON_NS, WRITE_NS, HeatFile, heats_of, worst
from rackgrid_firmware.link import Hold
from rackgrid_firmware.output import Outputs
from rackgrid_firmware.profile import (
    OutputMock,
    OutputProfile,
    Profile,
    SwitchProfile,
    TripProfile,
)
from rackgrid_firmware.sight import Sight, Sights, Watch

S = 1_000_000_000
TAU_S = 20.0
DAY_NS = 86_400 * S
FAN = OutputProfile(
    "fan",
    17,
    True,
    False,
    30.0,
    30.0,
    0.5,
    0.0,
    0.0,
    "m",
    OutputMock(10.0, 0.0),
    trip=TripProfile(rating_a=1.0, trip_tau_s=TAU_S),
)
PROFILE = Profile("bench", "mock", 3.0, 60.0, 0.0, (), (FAN,))
TRIP_S = TAU_S * math.log(4 / 3)
"""From cold, at twice the rating (IEC 60255-149)."""


class Relay:
    name = "fan"

    def __init__(self) -> None:
        self.on = False

    def energise(self, on: bool) -> None:
        self.on = on

    def close(self) -> None:
        self.on = False


def file_of(folder: Path, boot_id: str = "boot-a") -> HeatFile:
    return HeatFile(folder / "heat.json", boot_id)


class Process:
    """A firmware that overloads its fan until it trips or is killed."""

    def __init__(self, now_ns: int, heat: HeatFile | None, profile: Profile = PROFILE) -> None:
        self.now_ns, self.relay = now_ns, Relay()
        relays: dict[str, Output] = {"fan": self.relay}
        self.outputs = Outputs(profile, relays, clock=lambda: self.now_ns, heat=heat)
        self.outputs.handle(HoldAsked(now_ns, Hold(1, "fan", now_ns + 60 * S)))

    def overload(self, seconds: float, amps: float = 2.0) -> float | None:
        """Let so much flow; after how long it trips, s."""
        began_ns = self.now_ns
        while self.now_ns < began_ns + seconds * S:
            self.now_ns += S // 100
            self.outputs.read(Reading("m", self.now_ns, 12.0, amps, 0, Quality.FRESH))
            if self.outputs.states[0].fault:
                return (self.now_ns - began_ns) / S
        return None


@pytest.mark.parametrize("life_s", [0.35, 0.9, 2.0])
def test_overload_that_kills_the_process_again_and_again_trips_all_the_same(
    tmp_path: Path, life_s: float
) -> None:
    now_ns, lives, tripped_s = DAY_NS, 0, None
    while lives < 40:
        file = file_of(tmp_path)
        process = Process(now_ns, file)
        tripped_s = process.overload(life_s)
        if tripped_s is not None:
            break
        file.close()
        lives += 1
        now_ns = process.now_ns + S
    assert tripped_s is not None
    # What came after the last writing is lost with each life: 0.02 hotter takes 0.1 to 0.3 s here.
    assert TRIP_S - 0.1 < lives * life_s + tripped_s < TRIP_S + (lives + 1) * 0.3


def test_first_start_after_a_kernel_boot_is_as_hot_as_can_be(tmp_path: Path) -> None:
    booted_s = 10.0
    file = file_of(tmp_path)
    cold = Process(DAY_NS, file).overload(60.0)
    file.close()
    (tmp_path / "heat.json").unlink()
    warm = Process(round(booted_s * S), file_of(tmp_path)).overload(60.0)
    heat = math.exp(-booted_s / TAU_S)
    assert cold == pytest.approx(TRIP_S, abs=0.02)
    assert warm == pytest.approx(TAU_S * math.log((4 - heat) / 3), abs=0.02)


def test_circuit_that_is_as_hot_as_can_be_bears_its_rating_for_ever(tmp_path: Path) -> None:
    switch = SwitchProfile(contact="nc")
    always = replace(PROFILE, outputs=(replace(FAN, switch=switch),))
    process = Process(S, file_of(tmp_path), always)
    assert process.overload(50.0, amps=1.0) is None
    assert process.overload(1.0, amps=1.01) is not None


def test_worst_knows_only_of_circuits_with_a_rating() -> None:
    watches = (
        Watch("fan", "m", False, 30.0, rating_a=1.0, tau_ns=S),
        Watch("nc", "m", False, 30.0, rating_a=1.0, tau_ns=S),
        Watch("pump", "m", False, 30.0),
    )
    assert worst(watches, frozenset({"nc"}), 2 * S) == {"fan": math.exp(-2.0), "nc": LIMIT}
    sights = Sights((Sight(False, 0, heat=0.5), Sight(False, 0), Sight(False, 0)))
    assert heats_of(watches, sights) == {"fan": 0.5, "nc": 0.0}


def kept(file: HeatFile, now_ns: int, heats: dict[str, float]) -> dict[str, float] | None:
    """Tell a file these, and say what is in it then."""
    file.keep(now_ns, heats)
    file.close()
    return file.read()


def test_file_is_written_when_it_is_hotter_or_once_a_second_with_news(
    tmp_path: Path,
) -> None:
    file, path = file_of(tmp_path), tmp_path / "heat.json"
    assert file.read() is None
    assert file.is_due(5)
    assert kept(file, 5, {"fan": 0.1}) == {"fan": 0.1}
    assert not file.is_due(SOON_NS + 4)
    assert file.is_due(SOON_NS + 5)
    assert kept(file, SOON_NS + 5, {"fan": 0.1 + RISE / 2}) == {"fan": 0.1}, "hardly hotter"
    assert kept(file, SOON_NS + 5, {"fan": 0.0}) == {"fan": 0.1}, "colder can wait"
    assert kept(file, SOON_NS + 5, {"fan": 0.1 + RISE}) == {"fan": 0.1 + RISE}
    assert kept(file, SOON_NS + WRITE_NS + 5, {"fan": 0.0}) == {"fan": 0.0}
    path.unlink()
    file.keep(9 * WRITE_NS, {"fan": 0.0})
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_boot_says_nothing(tmp_path: Path) -> None:
    assert kept(file_of(tmp_path), 0, {"fan": 0.9}) == {"fan": 0.9}
    assert file_of(tmp_path, "boot-b").read() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"boot_id": "boot-a"}',
        '{"boot_id": "boot-a", "heats": 5}',
        '{"boot_id": "boot-a", "heats": {"fan": "hot"}}',
        '{"boot_id": "boot-a", "heats": {"fan": -1.0}}',
        '{"boot_id": "boot-a", "heats": {"fan": NaN}}',
        '{"boot_id": "boot-a", "heats": {"fan": Infinity}}',
    ],
)
def test_file_that_is_not_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "heat.json").write_text(text)
    assert file_of(tmp_path).read() is None


def test_file_that_cannot_be_written_is_said_once_and_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    file = file_of(folder)
    assert kept(file, 0, {"fan": 0.1}) is None
    assert kept(file, WRITE_NS, {"fan": 0.2}) is None
    said = capfd.readouterr()
    assert (said.out + said.err).count("heat-not-kept") == 1
    folder.mkdir()
    assert kept(file, 2 * WRITE_NS, {"fan": 0.3}) == {"fan": 0.3}
