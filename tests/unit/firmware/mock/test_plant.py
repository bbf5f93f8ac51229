"""Fails if watts appear or vanish: between loads, feed, chips and the truth that is handed out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.chip import BUS, CALIBRATION, CONFIGURATION, POWER_ON, SHUNT
from rackgrid_firmware.mock.fault import Fault
from rackgrid_firmware.mock.plant import NODES_MAX, Plant
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring

S = 1_000_000_000
MS = 1_000_000


def load(
    name: str, gpio: int, watts: float, *, required: bool = False, noise: float = 0.0
) -> LoadWiring:
    return LoadWiring(
        name, gpio, True, required, 2 * watts, 3 * watts, 0.5, watts, noise, f"{name}-meter"
    )


def node(name: str = "n1", *, noise: float = 0.0) -> NodeWiring:
    return NodeWiring(
        node=name,
        base_w=3.0,
        loads=(load("fan", 17, 10.0, noise=noise), load("switch", 18, 4.0, required=True)),
        chips=(
            ChipWiring("fan-meter", 1, 0x40, 0.01, 0.0),
            ChipWiring("panel", 1, 0x41, 0.01, 20.0),
            ChipWiring("supply", 1, 0x42, 0.01, 0.0),
        ),
    )


@pytest.fixture
def plant() -> Plant:
    made = Plant(seed=1)
    made.plug(S, node())
    return made


def amps(plant: Plant, at_ns: int, address: int, name: str = "n1") -> float:
    raw = plant.read_word(at_ns, name, 1, address, SHUNT)
    return (raw - 0x10000 if raw & 0x8000 else raw) * 10e-6 / 0.01


def test_plant_new_node_draws_its_electronics(plant: Plant) -> None:
    (draw,) = plant.take_draws()
    assert (draw.t_ns, draw.node, draw.watts, draw.required_w, draw.flexible_w) == (
        S,
        "n1",
        3.0,
        3.0,
        0.0,
    )
    assert draw.loads == {"fan": 0.0, "switch": 0.0}
    assert plant.take_draws() == []


def test_plant_known_node_keeps_its_state(plant: Plant) -> None:
    plant.drive(2 * S, "n1", 17, True)
    plant.plug(3 * S, node())
    assert plant.levels("n1") == {17: True, 18: None}
    assert plant.draws(3 * S)["n1"].loads["fan"] == 10.0


def test_plant_same_name_with_another_board_is_refused(plant: Plant) -> None:
    with pytest.raises(ValueError, match="another board"):
        plant.plug(2 * S, node(noise=0.5))


def test_plant_too_many_nodes_are_refused() -> None:
    full = Plant()
    for number in range(NODES_MAX):
        full.plug(0, NodeWiring(f"n{number}", 1.0, (), ()))
    with pytest.raises(ValueError, match="full"):
        full.plug(0, NodeWiring("one more", 1.0, (), ()))


def test_plant_truth_tells_the_start_the_end_of_the_inrush_and_the_stop(plant: Plant) -> None:
    plant.take_draws()
    plant.drive(2 * S, "n1", 17, True)
    assert plant.next_change_ns == 2 * S + S // 2
    plant.drive(4 * S, "n1", 17, False)
    told = [(draw.t_ns, draw.flexible_w) for draw in plant.take_draws()]
    assert told == [(2 * S, 30.0), (2 * S + S // 2, 10.0), (4 * S, 0.0)]


def test_plant_required_loads_count_as_required(plant: Plant) -> None:
    plant.drive(2 * S, "n1", 18, True)
    draw = plant.draws(3 * S)["n1"]
    assert (draw.watts, draw.required_w, draw.flexible_w) == (7.0, 7.0, 0.0)


def test_plant_pin_that_drives_nothing_changes_nothing(plant: Plant) -> None:
    plant.take_draws()
    plant.drive(2 * S, "n1", 4, True)
    assert plant.take_draws() == []


def test_plant_chip_sees_its_load_its_source_or_the_whole_node(plant: Plant) -> None:
    plant.drive(2 * S, "n1", 17, True)
    at_ns = 4 * S
    volts = (plant.read_word(at_ns, "n1", 1, 0x40, BUS) >> 3) * 4e-3
    assert amps(plant, at_ns, 0x40) * volts == pytest.approx(10.0, abs=0.2)
    assert amps(plant, at_ns, 0x41) * volts == pytest.approx(20.0, abs=0.2)
    assert amps(plant, at_ns, 0x42) * volts == pytest.approx(13.0, abs=0.2)


def test_plant_channels_of_one_chip_each_see_their_own_load() -> None:
    plant = Plant(seed=1, volts=12.0, ohms=0.0)
    loads = (load("fan", 17, 9.6), load("pump", 18, 4.8))
    chips = tuple(
        ChipWiring(f"{name}-meter", 1, 0x40, 0.01, 0.0, "ina3221", channel)
        for name, channel in (("fan", 1), ("pump", 3))
    )
    plant.plug(S, NodeWiring("n1", 3.0, loads, chips))
    plant.drive(2 * S, "n1", 17, True)
    plant.drive(2 * S, "n1", 18, True)
    at_ns = 4 * S
    words = [plant.read_word(at_ns, "n1", 1, 0x40, register) >> 3 for register in range(1, 7)]
    assert words == [
        pytest.approx(200, abs=2),  # 0.8 A through 10 mOhm, by 40 µV
        pytest.approx(1500, abs=2),
        0,
        0,
        pytest.approx(100, abs=2),
        pytest.approx(1500, abs=2),
    ]
    plant.brown_out(5 * S, "n1")
    assert plant.read_word(5 * S, "n1", 1, 0x40, 1) == 0


def test_plant_source_under_a_cloud_shows_in_its_chip_and_the_feed(plant: Plant) -> None:
    assert plant.feed.watts == pytest.approx(3.0 - 20.0)
    assert plant.feed.volts > 12.0
    plant.set_source(2 * S, "n1", "panel", 0.0)
    assert plant.feed.watts == pytest.approx(3.0)
    assert amps(plant, 3 * S, 0x41) == pytest.approx(0.0, abs=0.02)


def test_plant_one_nodes_load_lowers_the_voltage_of_all(plant: Plant) -> None:
    plant.plug(S, node("n2"))
    before = plant.read_word(2 * S, "n2", 1, 0x40, BUS) >> 3
    for name in ("n1", "n2"):
        plant.set_load(2 * S, name, "fan", 20.0)
        plant.drive(2 * S, name, 17, True)
    plant.set_source(2 * S, "n1", "panel", 0.0)
    after = plant.read_word(4 * S, "n2", 1, 0x40, BUS) >> 3
    assert after < before


def test_plant_beyond_what_the_feed_gives_the_voltage_collapses_and_nothing_breaks() -> None:
    weak = Plant(volts=12.0, ohms=10.0)
    weak.plug(0, node())
    weak.set_source(0, "n1", "panel", 0.0)
    weak.drive(0, "n1", 17, True)
    assert weak.feed.volts < 6.0, "regulators give up below half the feed's voltage"


def test_plant_set_load_is_bounded_by_the_nameplate(plant: Plant) -> None:
    plant.drive(2 * S, "n1", 17, True)
    plant.set_load(3 * S, "n1", "fan", 1000.0)
    assert plant.draws(4 * S)["n1"].loads["fan"] == 20.0


def test_plant_welded_contact_draws_on(plant: Plant) -> None:
    plant.drive(2 * S, "n1", 17, True)
    plant.weld(3 * S, "n1", "fan", True)
    plant.drive(4 * S, "n1", 17, False)
    assert plant.draws(4 * S)["n1"].flexible_w == 10.0
    plant.weld(5 * S, "n1", "fan", False)
    assert plant.draws(5 * S)["n1"].flexible_w == 0.0


def test_plant_brown_out_resets_the_chips(plant: Plant) -> None:
    plant.write_word(2 * S, "n1", 1, 0x40, CALIBRATION, 4096)
    plant.brown_out(3 * S, "n1")
    assert plant.read_word(3 * S, "n1", 1, 0x40, CALIBRATION) == 0


def test_plant_fault_hits_the_bus_of_one_node_even_before_it_comes() -> None:
    plant = Plant()
    plant.faults("n1", 1).add(Fault.NACK, address=0x40)
    plant.plug(0, node())
    plant.plug(0, node("n2"))
    assert plant.read_word(0, "n2", 1, 0x40, CONFIGURATION) == POWER_ON
    with pytest.raises(OSError, match="121"):
        plant.read_word(0, "n1", 1, 0x40, CONFIGURATION)
    assert plant.read_word(0, "n1", 1, 0x40, CONFIGURATION) == POWER_ON


def test_plant_garbage_on_the_bus_reads_wrong_bits(plant: Plant) -> None:
    plant.faults("n1", 1).add(Fault.GARBAGE)
    assert plant.read_word(S, "n1", 1, 0x40, CONFIGURATION) != POWER_ON


def test_plant_address_without_a_chip_gives_121(plant: Plant) -> None:
    with pytest.raises(OSError, match="121"):
        plant.read_word(S, "n1", 1, 0x4F, CONFIGURATION)
    with pytest.raises(OSError, match="121"):
        plant.write_word(S, "n1", 2, 0x40, CONFIGURATION, 0)


@pytest.mark.parametrize(
    ("name", "thing"), [("nobody", "fan"), ("n1", "oven")], ids=["no node", "no output"]
)
def test_plant_unknown_names_are_named_in_the_error(plant: Plant, name: str, thing: str) -> None:
    with pytest.raises(ValueError, match=r"nobody|oven"):
        plant.weld(S, name, thing, True)


def test_plant_unknown_meter_is_named_in_the_error(plant: Plant) -> None:
    with pytest.raises(ValueError, match="sun"):
        plant.set_source(S, "n1", "sun", 1.0)


STEPS = st.lists(
    st.tuples(st.integers(0, 3 * S), st.sampled_from(["n1", "n2"]), st.booleans()),
    min_size=1,
    max_size=10,
)


@settings(max_examples=40)
@given(STEPS, st.booleans())
def test_plant_draws_add_up_and_repeat_however_often_one_looks(
    steps: list[tuple[int, str, bool]], peek: bool
) -> None:
    def run(looking: bool) -> list[tuple[int, str, float]]:
        plant = Plant(seed=9)
        plant.plug(0, node("n1", noise=0.1))
        plant.plug(0, node("n2", noise=0.1))
        now_ns = 0
        for wait_ns, name, level in steps:
            if looking:
                plant.draws(now_ns + wait_ns // 2)
                plant.read_word(now_ns + wait_ns // 2, name, 1, 0x40, SHUNT)
            now_ns += wait_ns
            plant.drive(now_ns, name, 17, level)
        plant.advance(now_ns + 5 * S)
        draws = plant.take_draws()
        for draw in draws:
            assert draw.watts == pytest.approx(3.0 + sum(draw.loads.values()))
            assert draw.watts == draw.required_w + draw.flexible_w
        assert [draw.t_ns for draw in draws] == sorted(draw.t_ns for draw in draws)
        return [(draw.t_ns, draw.node, draw.watts) for draw in draws]

    assert run(peek) == run(False)
