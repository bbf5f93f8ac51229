from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.core.settings import SECOND_NS
from rackgrid.simulation.fault import Deaf, Fault, Join, Leave, Scrap, kind
from rackgrid.simulation.guest import Clone
from rackgrid.simulation.mishap import LostDisk
from rackgrid.simulation.script import FORM_NS, HEAL_NS, PLOTS, scripted
from rackgrid.simulation.weather import Delay, Duplication, Loss


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(18, 60))
@settings(max_examples=50, deadline=None)
def test_script_same_arguments_write_the_same(seed: int, nodes: int, seconds: int) -> None:
    script = scripted(seed, nodes, seconds)
    assert script == scripted(seed, nodes, seconds)
    moments = [timed.at_ns for timed in script.timed]
    assert moments == sorted(moments)
    assert script.sun_mw < script.capacity_mw


def test_script_random_faults_wait_until_the_rack_has_formed_and_end_before_it_heals() -> None:
    for seed in range(0, 50 * len(PLOTS), len(PLOTS)):
        for timed in scripted(seed, 5, 30, "noise").timed:
            if not isinstance(timed.fault, Loss | Duplication | Delay):
                assert timed.at_ns >= FORM_NS
            assert timed.at_ns < 30 * SECOND_NS - HEAL_NS


def test_script_plot_begins_before_the_rack_heals_and_ends_long_before_the_run() -> None:
    for seed in range(50):
        moments = [timed.at_ns for timed in scripted(seed, 5, 30).timed]
        assert max(moments) < 30 * SECOND_NS - SECOND_NS


def test_script_other_seed_is_another() -> None:
    assert scripted(1, 5, 30).timed != scripted(5, 5, 30).timed


DIRECTED = {Clone, Deaf, LostDisk}
"""Kinds for directed scripts only: a copied or an empty disk is more than chance may deal out."""


def test_scripts_together_have_every_kind_but_the_directed() -> None:
    seen = {type(t.fault) for seed in range(200) for t in scripted(seed, 5, 30).timed}
    assert seen == set(get_args(Fault)) - DIRECTED


@pytest.mark.parametrize(
    ("plot", "kinds"),
    [(1, {"bridge", "amnesia"}), (2, {"slow link", "kill"}), (3, {"power cycle"})],
)
def test_script_plots_take_turns(plot: int, kinds: set[str]) -> None:
    for seed in range(plot, 40, len(PLOTS)):
        assert kinds <= {kind(t.fault) for t in scripted(seed, 5, 30).timed}


def test_script_keeps_a_reserve_for_those_who_come_and_go() -> None:
    for seed in range(60):
        script = scripted(seed, 5, 30)
        guests = [t for t in script.timed if isinstance(t.fault, Join | Leave | Scrap)]
        assert script.reserve_mw == 5000 * len(guests)


def test_script_plot_that_was_asked_for_is_the_one_and_unknown_ones_are_named() -> None:
    script = scripted(5, 5, 30, "welded-contact")
    assert script.plot == "welded-contact"
    assert {kind(t.fault) for t in script.timed} == {"weld", "capacity"}, "and the day is calm"
    with pytest.raises(ValueError, match="no plot 'rain': there are noise, bridge"):
        scripted(5, 5, 30, "rain")


def test_script_kept_is_the_same_rack_with_fewer_faults() -> None:
    script = scripted(3, 5, 30)
    fewer = script.kept([2, 0])
    assert fewer.timed == (script.timed[0], script.timed[2])
    assert (fewer.seed, fewer.capacity_mw) == (script.seed, script.capacity_mw)


@pytest.mark.parametrize(("nodes", "seconds"), [(1, 30), (13, 30), (5, 17)])
def test_script_out_of_range_says_so(nodes: int, seconds: int) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        scripted(0, nodes, seconds)


def test_timed_fault_is_one_readable_line() -> None:
    (first, *_) = scripted(0, 5, 30).timed
    assert " ms  " in str(first)
    assert "\n" not in str(first)
