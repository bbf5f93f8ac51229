"""Deeds by hand: what is wrong with one is said, and changes nothing."""

from __future__ import annotations

import pytest
from tests.unit.firmware.mock.test_rail import node

from rackgrid_firmware.mock.deed import perform
from rackgrid_firmware.mock.plant import Plant

S = 1_000_000_000


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    made.plug(0, node())
    return made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"do": "fly"}, "cannot do 'fly'; allowed: set-source, "),
        ({}, "cannot do None"),
        ({"do": "cut", "node": "n9"}, "knows no node 'n9'"),
        ({"do": "set-feed"}, "changes nothing"),
        ({"do": "set-feed", "ohms": -1}, "a feed behind -1.0 ohm"),
        ({"do": "fault", "node": "n1", "bus": 1, "kind": "moths"}, "moths"),
        (
            {"do": "surround", "node": "n1", "output": "power", "ambient_c": 3},
            "has no temperature",
        ),
        ({"do": "cloud", "node": "n1", "meter": "pack", "through": 0.5}, "is no solar panel"),
        ({"do": "weld", "node": "n1", "output": "none", "welded": True}, "has no output 'none'"),
    ],
)
def test_deed_that_cannot_be_done_is_refused(
    plant: Plant, given: dict[str, object], said: str
) -> None:
    plant.advance(S)
    before = plant.feed
    with pytest.raises(ValueError, match=said):
        perform(plant, S, given)
    assert plant.feed == before


def test_deed_without_a_value_that_it_needs_names_it(plant: Plant) -> None:
    with pytest.raises(KeyError, match="output"):
        perform(plant, S, {"do": "weld", "node": "n1"})


def test_deed_feed_may_be_made_weaker(plant: Plant) -> None:
    perform(plant, S, {"do": "set-feed", "volts": 10.0, "ohms": 0.5})
    assert plant.feed.volts == pytest.approx(10.0 - 0.5 * plant.feed.amps)
