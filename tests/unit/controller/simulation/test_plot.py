"""Plots: faults that belong together."""

from __future__ import annotations

import random

import pytest

from rackgrid.core.franchise import VOTERS_MAX
from rackgrid.simulation import fault, guest, mishap
from rackgrid.simulation.fault import kind
from rackgrid.simulation.plot import DEMOTE_MS, PLOTS, Author, Written
from rackgrid.simulation.target import BROKER


def author(seed: int, nodes: int = 5) -> Author:
    return Author(random.Random(seed), nodes, 60_000, 15_000)


def written(plot: str, seed: int, nodes: int = 5) -> Written:
    return PLOTS[plot](author(seed, nodes), 7000)


@pytest.mark.parametrize(
    ("plot", "kinds"),
    [
        ("bridge", {"bridge", "amnesia"}),
        ("slow-broker", {"slow link", "kill"}),
        ("clock-reset", {"power cycle"}),
        ("late-decision", {"pause", "partition", "heal"}),
        ("lost-rosters", {"bridge", "heal"}),
        ("churn", {"join"}),
        ("wreck", {"wreck"}),
        ("one-word", {"one word", "kill"}),
        ("demotion", {"partition", "heal"}),
        ("restarts", {"planned restart"}),
        ("hung-firmware", {"partition", "firmware hang"}),
        ("lying-load", {"liar"}),
        ("welded-contact", {"weld", "capacity"}),
        ("noise", set[str]()),
    ],
)
def test_plot_has_its_faults_in_every_rack_and_begins_at_its_moment(
    plot: str, kinds: set[str]
) -> None:
    for nodes in range(2, 13):
        faults = written(plot, nodes, nodes)
        assert kinds <= {kind(one) for _, one in faults}
        assert all(at_ms >= 7000 for at_ms, _ in faults)
        assert all(str(one) for _, one in faults)


def test_plots_are_all_tried_here() -> None:
    assert len(PLOTS) == 14


def test_plot_lost_rosters_are_always_fewer_than_half() -> None:
    """Fails if the scripts ask of P7 what no protocol can give."""
    for seed in range(200):
        for nodes in (2, 3, 5, 8):
            one = author(seed, nodes)
            faults = PLOTS["lost-rosters"](one, 7000) + one.noise(3000, 90_000)
            lost = sum(isinstance(f, mishap.LostRoster) for _, f in faults)
            assert 2 * lost < min(nodes, VOTERS_MAX)
            assert lost == 0 or one.demote_ms == DEMOTE_MS[1]


def test_plot_churn_and_its_noise_take_no_majority_out_for_good() -> None:
    for seed in range(300):
        for nodes in (3, 4, 5, 8):
            one = author(seed, nodes)
            faults = [f for _, f in PLOTS["churn"](one, 7000) + one.noise(3000, 90_000)]
            goers = mishap.LostRoster | guest.Scrap | guest.Leave
            out = sum(isinstance(f, goers) for f in faults)
            assert 2 * out < min(nodes, VOTERS_MAX)


def test_plot_demotion_is_long_enough_and_loses_no_roster_beside_it() -> None:
    one = author(3)
    faults = PLOTS["demotion"](one, 7000)
    assert one.demote_ms == DEMOTE_MS[0]
    assert one.losses == 0
    assert isinstance(one.lost(), fault.Restart)
    (begins, _), (ends, _), _ = faults
    assert ends - begins >= DEMOTE_MS[0] - 200


def test_plot_wreck_takes_half_or_more_and_never_whom_it_tells() -> None:
    for seed in range(60):
        (_, wrecked), _ = written("wreck", seed)
        assert isinstance(wrecked, guest.Wreck)
        assert wrecked.told not in wrecked.nodes
        assert len(wrecked.nodes) in (2, 3)


@pytest.mark.parametrize("plot", ["lying-load", "welded-contact"])
def test_plot_of_a_surprise_wants_a_calm_day(plot: str) -> None:
    one = author(1)
    PLOTS[plot](one, 7000)
    assert one.is_calm


def test_plot_churn_takes_nobody_out_of_a_small_rack() -> None:
    kinds = {type(f) for seed in range(60) for _, f in written("churn", seed, 3)}
    assert not kinds & {guest.Leave, guest.Scrap}
    kinds = {type(f) for seed in range(60) for _, f in written("churn", seed, 5)}
    assert {guest.Leave, guest.Scrap, guest.HandOver, mishap.DiskStall} <= kinds


def test_author_others_leaves_one_out_and_never_asks_for_too_many() -> None:
    one = author(1)
    for node in range(1, 6):
        assert node not in one.others(node, 3)
    assert one.others(BROKER, 99) == (1, 2, 3, 4, 5)


def test_author_noise_keeps_its_gaps_and_ends_in_time() -> None:
    moments = [at_ms for at_ms, _ in author(4).noise(3000, 20_000)]
    assert moments[0] == 3000
    assert moments == sorted(moments)
    assert moments[-1] < 20_000


def test_author_weather_is_good_and_bad() -> None:
    kinds = [{kind(one) for one in author(seed).weather(900)} for seed in range(60)]
    assert set() in kinds
    assert {"loss", "duplication", "delay"} in kinds
