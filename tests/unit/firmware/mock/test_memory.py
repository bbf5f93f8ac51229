"""What chips feel late is what they would have felt at once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.firmware.mock.test_rail import SWITCHES, S, node

from rackgrid_firmware.mock.chip import BUS, SHUNT
from rackgrid_firmware.mock.memory import KEPT_NS
from rackgrid_firmware.mock.plant import Plant


def made(seed: int = 3) -> Plant:
    plant = Plant(seed=seed, ohms=0.05)
    plant.plug(0, node())
    return plant


def read(plant: Plant, at_ns: int, address: int = 0x43) -> tuple[int, int]:
    words = (plant.read_word(at_ns, "n1", 1, address, register) for register in (BUS, SHUNT))
    bus, shunt = words
    return bus, shunt


@settings(max_examples=40, deadline=None)
@given(SWITCHES, st.lists(st.integers(0, 2 * S), min_size=1, max_size=8))
def test_chip_says_the_same_whether_it_was_looked_at_before_or_not(
    switches: list[tuple[int, int, bool]], looks: list[int]
) -> None:
    """Fails if catching up differs from feeling every change as it comes.

    But for the converter's noise: both chips have made the same number of conversions.
    """
    seldom, often, now_ns = made(), made(), 0
    for number, (span_ns, gpio, on) in enumerate(switches):
        look_ns = now_ns + looks[number % len(looks)] % (span_ns + 1)
        read(often, look_ns)
        now_ns += span_ns
        for plant in (seldom, often):
            plant.drive(now_ns, "n1", gpio, on)
    now_ns += 3 * S
    assert read(seldom, now_ns) == read(often, now_ns)


def test_chip_averages_the_ripple_that_lies_in_its_window() -> None:
    """A pwm load of 6 W at 40 %: single conversions see it on or off, their mean is the truth."""
    plant = made()
    plant.set_source(0, "n1", "panel", 0.0)
    plant.drive(0, "n1", 15, True)
    seen: list[float] = []
    for number in range(600):
        at_ns = 10 * S + number * 7_300_000
        raw = read(plant, at_ns)[1]
        seen.append((raw - 0x10000 if raw & 0x8000 else raw) * 10e-6 / 0.01 * plant.feed.volts)
    low, high = min(seen), max(seen)
    assert high - low > 5.0, "it meets the load on and off"
    base_w = plant.draws(15 * S)["n1"].watts - plant.draws(15 * S)["n1"].loads["pwm"]
    mean_w = sum(seen) / len(seen)
    assert abs(mean_w - base_w - plant.draws(15 * S)["n1"].loads["pwm"]) < 0.35


def test_memory_of_a_chip_that_nobody_reads_stays_small() -> None:
    plant = made()
    for second in range(1, 4000):
        plant.drive(second * S, "n1", 10, second % 2 == 0)
    assert len(plant._rail.memory._notes) < 3 * 1024 + KEPT_NS // S * 20
