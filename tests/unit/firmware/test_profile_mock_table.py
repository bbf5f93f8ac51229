"""The mock tables of a board profile: what goes together, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_mock import BoardMock, ContactMock, LoadMock, SourceMock

BOARD = '[board]\nname = "b"\ndriver = "mock"\nbase_w = 4\n'
OUTPUT = '[[output]]\nname = "o"\ngpio = 17\nnominal_w = 10\n'
METER = '[[meter]]\nname = "m"\naddress = 0x40\n'


def load(folder: Path, text: str) -> Profile:
    path = folder / "board.toml"
    path.write_text(text)
    return load_profile(path)


def findings(folder: Path, text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        load(folder, text)
    return [finding.split(": ", 1)[1] for finding in caught.value.findings]


def test_mock_by_default_is_a_plain_world(tmp_path: Path) -> None:
    profile = load(tmp_path, BOARD + OUTPUT + METER)
    assert profile.mock == BoardMock()
    assert profile.outputs[0].mock.load == LoadMock(
        hz=profile.outputs[0].mock.load.hz,
        period_s=profile.outputs[0].mock.load.period_s,
        settle_s=profile.outputs[0].mock.load.settle_s,
    )
    assert profile.outputs[0].mock.load.contact == ContactMock()
    assert profile.meters[0].mock.source.kind == SourceMock().kind


def test_mock_values_are_read(tmp_path: Path) -> None:
    text = BOARD + "mock = { reset_v = 8.5, dead_v = 6 }\n"
    text += OUTPUT + (
        'min_off_s = 90\nmock = { kind = "motor", draw_w = 8, stall_s = 90, operate_s = 0.008,'
        " bounces = 2, bounce_s = 0.003, weld_chance = 0.001, life = 100000 }\n"
    )
    text += METER + 'mock = { source = "solar", peak_w = 60, latitude_deg = 52, clouds = 0.3 }\n'
    profile = load(tmp_path, text)
    assert profile.mock == BoardMock(8.5, 6.0)
    made = profile.outputs[0].mock.load
    assert (made.kind, made.stall_s) == ("motor", 90.0)
    assert made.contact == ContactMock(0.008, 0.0, 2, 0.003, 0.001, 100_000)
    source = profile.meters[0].mock.source
    assert (source.kind, source.peak_w, source.latitude_deg, source.clouds) == (
        "solar",
        60.0,
        52.0,
        0.3,
    )


@pytest.mark.parametrize(
    ("mock", "said"),
    [
        ('kind = "fan"', "kind: not one of the words that are known"),
        ('kind = "pwm"', 'hz: missing: kind = "pwm" needs it'),
        ('kind = "motor", duty = 0.5', 'duty: kind = "motor" has no such key; allowed: stall_s'),
        ("draw_w = 11", "draw_w: a load draws at most its nameplate (got 11)"),
        ("bounces = 3", "bounces: they take time"),
        ('kind = "motor", stall_s = 30', "stall_s: started after min_off_s, 0 s, it stalls"),
        (
            'kind = "thermal", reach_c = 4, settle_s = 60, low_c = 3, high_c = 7',
            "reach_c: it never meets the end of its thermostat (got 4)",
        ),
        (
            'kind = "thermal", reach_c = -20, settle_s = 60, low_c = 7, high_c = 3',
            "high_c: not above low_c (got 3)",
        ),
    ],
)
def test_mock_load_that_cannot_be_is_refused(tmp_path: Path, mock: str, said: str) -> None:
    (finding,) = findings(tmp_path, f"{BOARD}{OUTPUT}mock = {{ {mock} }}\n")
    assert said.split(": ")[0] in finding
    assert said.split(": ", 1)[1].split(" (got")[0][:30] in finding or "allowed" in finding


@pytest.mark.parametrize("mock", ["draw_w = 30, lies = true", 'kind = "motor", stall_s = 0'])
def test_mock_load_that_lies_or_never_stalls_is_taken(tmp_path: Path, mock: str) -> None:
    load(tmp_path, f"{BOARD}{OUTPUT}mock = {{ {mock} }}\n")


@pytest.mark.parametrize(
    ("mock", "said"),
    [
        ('source = "solar"', "peak_w: missing"),
        ('source = "battery", capacity_ah = 5', "give_w_max: missing"),
        ('source = "solar", peak_w = 9, charge = 0.5', "charge: source"),
        ('source = "wind"', "source:"),
        ("peak_w = 9", 'peak_w: source = "steady" has no such key'),
    ],
)
def test_mock_source_that_cannot_be_is_refused(tmp_path: Path, mock: str, said: str) -> None:
    assert any(said in each for each in findings(tmp_path, f"{BOARD}{METER}mock = {{ {mock} }}\n"))
