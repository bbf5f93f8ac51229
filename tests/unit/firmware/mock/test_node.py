"""A node: its parts, what its chips feel, and how it goes down and comes up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.firmware.mock.test_rail import PACK, S, node

from rackgrid_firmware.mock.chip import BUS, SHUNT
from rackgrid_firmware.mock.node import RESTART_NS, Node
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import ChipWiring
from rackgrid_firmware.profile_mock import BoardMock

POWER_ON = 0x399F


def amps(plant: Plant, at_ns: int, address: int) -> float:
    raw = plant.read_word(at_ns, "n1", 1, address, SHUNT)
    return (raw - 0x10000 if raw & 0x8000 else raw) * 10e-6 / 0.01


def test_node_meter_of_a_battery_sits_at_its_terminals() -> None:
    plant = Plant()
    plant.plug(0, node())
    plant.set_source(0, "n1", "pack", 10.0)
    battery = plant.state(S, "n1").sources["pack"]
    terminals = battery.terminals
    assert terminals is not None
    assert (plant.read_word(S, "n1", 1, 0x42, BUS) >> 3) * 4e-3 == pytest.approx(
        terminals[0], abs=0.01
    )
    assert amps(plant, S, 0x42) == pytest.approx(terminals[1], abs=0.02)
    assert terminals[0] != pytest.approx(plant.feed.volts, abs=0.1)


def test_node_that_was_cut_stays_down_until_it_gets_its_supply_back() -> None:
    plant = Plant()
    plant.plug(0, node())
    plant.drive(0, "n1", 10, True)
    plant.cut(S, "n1")
    assert (plant.take_fallen(), plant.draws(50 * S)["n1"].watts) == (["n1"], 0.0)
    assert set(plant.levels("n1").values()) == {None}
    with pytest.raises(OSError, match="Remote I/O error"):
        plant.read_word(50 * S, "n1", 1, 0x43, BUS)
    with pytest.raises(ValueError, match="has no power"):
        plant.plug(50 * S, node())
    plant.restore(60 * S, "n1")
    assert plant.draws(60 * S)["n1"].watts == 3.0
    assert plant.levels("n1")[10] is None, "whoever drove its pins has to begin anew"
    plant.restore(61 * S, "n1")
    plant.plug(61 * S, node())


def test_node_meters_forget_their_registers_when_the_rail_dips() -> None:
    plant = Plant(ohms=0.5)
    plant.plug(0, node(mock=BoardMock(reset_v=10.0)))
    plant.set_source(0, "n1", "panel", 0.0)
    plant.set_source(0, "n1", "pack", 0.0)
    plant.write_word(S, "n1", 1, 0x43, 0, 0x1234)
    for gpio in (10, 11, 12, 13):  # 4 * 14 W at the start: 2.7 V over the feed's resistance
        plant.drive(2 * S, "n1", gpio, True)
    with pytest.raises(OSError, match="Remote I/O error"):
        plant.read_word(2 * S, "n1", 1, 0x43, 0)
    assert plant.read_word(4 * S, "n1", 1, 0x43, 0) == POWER_ON


def test_node_comes_up_only_where_the_rail_lets_it() -> None:
    made = Node(node(mock=BoardMock(dead_v=9.0)), seed=1, now_ns=0, volts=12.0)
    made.fall(S)
    assert made.next_change_ns(S) == S + RESTART_NS
    made.rise(S + RESTART_NS, volts=8.0)
    assert (made.is_up, made.rises_ns) == (False, S + 2 * RESTART_NS)
    made.rise(S + 2 * RESTART_NS, volts=9.5)
    assert (made.is_up, made.next_change_ns(9 * S)) == (True, None)


def test_node_two_channels_of_one_chip_are_one_chip() -> None:
    chips = (
        ChipWiring("a", 1, 0x40, 0.1, 0.0),
        replace(ChipWiring("b", 1, 0x40, 0.1, 3.0), source=PACK),
    )
    made = Node(replace(node(), chips=chips), seed=1, now_ns=0, volts=12.0)
    assert (len(made.chips), len(made.sources)) == (1, 2)


def test_node_chip_converts_at_a_pace_of_its_own_unless_its_wiring_says_which() -> None:
    """Fails if all chips are exactly typical, as no real one is."""

    def converted(pace: float, seed: int = 1) -> int:
        chips = (ChipWiring("a", 1, 0x40, 0.1, 0.0, pace=pace),)
        made = Node(replace(node(), chips=chips), seed=seed, now_ns=0, volts=12.0)
        chip = made.chips[1, 0x40]
        chip.read(10 * S, 0)
        return chip.converted[1]

    assert converted(1.1) == pytest.approx(converted(1.0) / 1.1, abs=1)
    assert converted(0.0) == converted(0.0)
    assert len({converted(0.0, seed) for seed in range(5)}) == 5
