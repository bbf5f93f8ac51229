"""A script of the world: checked as a whole, played at its times."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.firmware.mock.test_rail import node

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.mock.deed import DEEDS
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.script import load_script

S = 1_000_000_000


def write(folder: Path, text: str) -> Path:
    path = folder / "script.toml"
    path.write_text(text)
    return path


def event(at_s: float, do: str, rest: str = "") -> str:
    return f'[[event]]\nat_s = {at_s}\ndo = "{do}"\n{rest}\n'


def playing(folder: Path, text: str) -> Plant:
    plant = Plant()
    plant.plug(0, node())
    plant.set_source(0, "n1", "panel", 0.0)
    plant.set_source(0, "n1", "pack", 0.0)
    plant.follow(load_script(write(folder, text), 10 * S))
    return plant


def test_script_happens_at_its_times_after_the_start(tmp_path: Path) -> None:
    plant = playing(
        tmp_path,
        event(2, "set-source", 'node = "n1"\nmeter = "panel"\nwatts = 5')
        + event(1, "weld", 'node = "n1"\noutput = "power"\nwelded = true')
        + event(4, "lose-feed"),
    )
    plant.drive(0, "n1", 10, True)
    plant.drive(12 * S, "n1", 10, False)
    assert plant.draws(12 * S)["n1"].loads["power"] > 0, "it is welded"
    assert plant.feed.amps == pytest.approx(
        (plant.draws(12 * S)["n1"].watts - 5.0) / plant.feed.volts
    )
    assert plant.next_change_ns is not None
    plant.advance(14 * S)
    assert plant.feed.volts == 0.0
    assert plant.take_complaints() == []


def test_script_that_asks_for_what_is_not_there_says_so_when_its_time_comes(
    tmp_path: Path,
) -> None:
    plant = playing(
        tmp_path,
        event(1, "weld", 'node = "n9"\noutput = "power"\nwelded = true')
        + event(1, "cut", 'node = "n1"'),
    )
    plant.advance(12 * S)
    (complaint,) = plant.take_complaints()
    assert "script.toml: weld: the plant knows no node 'n9'" in complaint
    assert plant.take_fallen() == ["n1"], "and goes on"


VALUES = {
    "node": '"n1"',
    "output": '"thermal"',
    "meter": '"panel"',
    "watts": "4.0",
    "through": "0.5",
    "ambient_c": "30",
    "welded": "true",
    "stuck": "true",
    "bounces": "2",
    "bounce_s": "0.002",
    "bus": "1",
    "kind": '"nack"',
    "volts": "11",
    "ohms": "0.1",
    "amps_max": "9",
    "amps_short": "5",
    "address": "0x41",
    "count": "2",
}


@pytest.mark.parametrize("do", DEEDS)
def test_script_knows_every_deed_and_each_of_its_values(tmp_path: Path, do: str) -> None:
    deed = DEEDS[do]
    rest = "\n".join(f"{key} = {VALUES[key]}" for key in (*deed.needs, *deed.may))
    plant = playing(tmp_path, event(0, do, rest))
    plant.advance(11 * S)
    assert plant.take_complaints() == []
    assert deed.meaning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (event(1, "explode"), ":3: [[event]] #1 do:"),
        (event(1, "weld", 'node = "n1"'), '[[event]] #1 output: missing: do = "weld" needs it'),
        (
            event(1, "cut", 'node = "n1"\nwatts = 3'),
            ':5: [[event]] #1 watts: do = "cut" has no such key; allowed: node',
        ),
        (event(-1, "lose-feed"), ":2: [[event]] #1 at_s:"),
        ("[[event]]\nat_s = 1\n", "do: missing"),
        ("[event]\nat_s = 1\ndo = 'lose-feed'\n", "there may be several"),
        ("not TOML", "not TOML"),
    ],
)
def test_script_that_is_wrong_is_refused_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ProfileError) as caught:
        load_script(write(tmp_path, text), 0)
    assert any(said in finding for finding in caught.value.findings)


def test_script_with_two_mistakes_names_both(tmp_path: Path) -> None:
    text = event(1, "cut") + event(2, "stick", 'node = "n1"\noutput = "power"\nstuck = 1')
    with pytest.raises(ProfileError) as caught:
        load_script(write(tmp_path, text), 0)
    assert len(caught.value.findings) == 2
