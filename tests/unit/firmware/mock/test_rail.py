"""The rail: what the feed gives is what loads draw and wires lose, at every moment and in sum."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import ChipWiring, LoadWiring, NodeWiring
from rackgrid_firmware.profile_mock import BoardMock, LoadMock, SourceMock

S = 1_000_000_000
KINDS = (
    LoadMock(),
    LoadMock(kind="resistive"),
    LoadMock(kind="motor", stall_s=2.0),
    LoadMock(kind="supply"),
    LoadMock(kind="lamp"),
    LoadMock(kind="pwm", hz=50.0, duty=0.4),
    LoadMock(kind="cycle", period_s=3.0, duty=0.5),
    LoadMock(kind="thermal", reach_c=-20.0, settle_s=20.0, low_c=3.0, high_c=7.0),
)
SOLAR = SourceMock(kind="solar", peak_w=20.0, hour=10.0, speed=600.0, clouds=0.3)
PACK = SourceMock(kind="battery", capacity_ah=0.01, give_w_max=15.0, take_w_max=15.0)


def node(name: str = "n1", mock: BoardMock | None = None) -> NodeWiring:
    """A node with a load of each kind, a panel, a battery and a meter in its own supply."""
    loads = tuple(
        LoadWiring(
            kind.kind, 10 + at, True, False, 8.0, 14.0, 0.4, 6.0, 0.03, f"{kind.kind}-m", kind
        )
        for at, kind in enumerate(KINDS)
    )
    chips = (
        ChipWiring("panel", 1, 0x41, 0.01, 0.0, source=SOLAR),
        ChipWiring("pack", 1, 0x42, 0.01, 8.0, source=PACK),
        ChipWiring("supply", 1, 0x43, 0.01, 0.0),
    )
    return NodeWiring(name, 3.0, loads, chips, mock or BoardMock())


SWITCHES = st.lists(
    st.tuples(st.integers(0, 3 * S), st.integers(10, 17), st.booleans()), max_size=25
)


@settings(max_examples=60)
@given(SWITCHES, st.floats(0.01, 0.5))
def test_rail_energy_is_conserved(switches: list[tuple[int, int, bool]], ohms: float) -> None:
    """Fails if a J appears or vanishes between feed, wires, sources and loads."""
    plant, now_ns = Plant(seed=3, ohms=ohms), 0
    plant.plug(0, node())
    for span_ns, gpio, on in switches:
        now_ns += span_ns
        plant.drive(now_ns, "n1", gpio, on)
        feed = plant.feed
        assert feed.volts == pytest.approx(12.0 - ohms * feed.amps, rel=1e-9)
    energy = plant.energy(now_ns + 5 * S)
    drawn_j = sum(energy.nodes["n1"].values())
    given_j = sum(energy.sources["n1"].values())
    assert energy.feed_j + given_j == pytest.approx(drawn_j + energy.loss_j, rel=1e-9, abs=1e-6)
    assert all(joules >= 0 for joules in energy.nodes["n1"].values())


@settings(max_examples=40)
@given(SWITCHES, st.lists(st.integers(0, 2 * S), max_size=40), st.integers(0, 99))
def test_rail_truth_does_not_depend_on_how_often_one_looks(
    switches: list[tuple[int, int, bool]], looks: list[int], seed: int
) -> None:
    """One step or a thousand: the same seed and switches give the same watts at the same times."""
    once, often = Plant(seed=seed), Plant(seed=seed)
    now_ns = 0
    for plant in (once, often):
        plant.plug(0, node())
    for number, (span_ns, gpio, on) in enumerate(switches):
        for part in sorted(look % (span_ns + 1) for look in looks[number % 3 :: 3]):
            often.advance(now_ns + part)
        now_ns += span_ns
        for plant in (once, often):
            plant.drive(now_ns, "n1", gpio, on)
    for plant in (once, often):
        plant.advance(now_ns + 10 * S)
    assert once.take_draws() == often.take_draws()
    assert once.feed == often.feed


def test_rail_that_sags_too_far_takes_nodes_down_and_lets_them_come_up_again() -> None:
    plant = Plant(ohms=1.0)
    plant.plug(0, node("weak", BoardMock(reset_v=10.0, dead_v=9.0)))
    plant.plug(0, replace(node("heavy"), chips=()))
    plant.set_source(0, "weak", "panel", 0.0)
    plant.set_source(0, "weak", "pack", 0.0)
    for gpio in (10, 11, 12, 13):
        plant.drive(S, "heavy", gpio, True)
    assert plant.take_fallen() == ["weak"]
    assert plant.draws(S)["weak"].watts == 0.0
    with pytest.raises(ValueError, match="has no power"):
        plant.drive(S, "weak", 10, True)
    for gpio in (10, 11, 12, 13):
        plant.drive(2 * S, "heavy", gpio, False)
    assert plant.draws(9 * S)["weak"].watts == 3.0
    plant.drive(9 * S, "weak", 10, True)


def test_rail_without_a_feed_gives_nothing_and_batteries_rest() -> None:
    plant = Plant()
    plant.plug(0, node())
    plant.drive(0, "n1", 10, True)
    plant.lose_feed(S)
    assert plant.feed.volts == 0.0
    assert plant.draws(S)["n1"].watts == 0.0
    before = plant.energy(S)
    assert plant.energy(100 * S).nodes == before.nodes
    plant.lose_feed(101 * S, lost=False)
    assert plant.draws(103 * S)["n1"].watts == 3.0, "it is up again, its pins are inputs"
    plant.drive(103 * S, "n1", 10, True)
    assert plant.draws(103 * S)["n1"].watts > 3.0
