from dataclasses import replace

import pytest
from tests.unit.controller.simulation.small import QUIET

from rackgrid.core.action import Action
from rackgrid.core.event import Event
from rackgrid.core.node import Node
from rackgrid.simulation import recipe
from rackgrid.simulation.fault import Kill, Partition
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import disagreement, heal, run
from rackgrid.simulation.script import Script, Timed, scripted
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.witness import NEAR, SOMETIMES
from rackgrid.simulation.world import World


def test_run_same_script_is_the_same_to_the_byte() -> None:
    script = scripted(1, 3, 20)
    assert run(script) == run(script)
    assert run(script).digest != run(scripted(2, 3, 20)).digest


def test_run_without_faults_breaks_nothing_and_uses_the_feed() -> None:
    outcome = run(QUIET)
    assert outcome.violations == ()
    assert outcome.peak_percent >= 90
    assert outcome.sometimes[NEAR] == 1
    assert outcome.elapsed_ns == seconds(18)
    assert outcome.faults == {}


def test_run_gives_the_rack_out_before_anything_happens_in_it() -> None:
    given: list[tuple[int, int]] = []
    outcome = run(QUIET, lambda world: given.append((world.now_ns, len(world.seats))))
    assert given == [(0, QUIET.nodes)]
    assert outcome == run(QUIET)


def test_run_counts_its_faults_and_says_them_in_the_transcript() -> None:
    script = replace(QUIET, timed=(Timed(seconds(4), Kill(BROKER)),))
    outcome = run(script)
    assert outcome.violations == ()
    assert outcome.faults == {"kill": 1}
    assert any("the broker is killed" in line for line in outcome.lines)
    assert set(outcome.sometimes) <= set(SOMETIMES)


def test_run_plot_that_ends_late_moves_the_healing_and_not_the_clock() -> None:
    late = replace(QUIET, timed=(Timed(seconds(9), Kill(BROKER)),))
    outcome = run(late)
    assert outcome.violations == ()
    assert outcome.elapsed_ns == seconds(9 + 12)
    moments = [float(text.split()[0]) for text in outcome.lines]
    assert moments == sorted(moments)


def test_run_core_that_crashes_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_self: Node, _event: Event) -> list[Action]:
        raise AssertionError("a broken promise")

    def break_it(_self: Kill, _world: World) -> None:
        monkeypatch.setattr(Node, "handle", crash)

    monkeypatch.setattr(Kill, "apply", break_it)
    script = replace(QUIET, timed=(Timed(seconds(4), Kill(BROKER)),))
    (violation,) = run(script).violations
    assert "I9 AssertionError in crash" in violation
    assert "a broken promise" in violation


def test_run_rack_that_never_agrees_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def repair_nothing(_world: World, _script: Script) -> None:
        pass

    monkeypatch.setattr("rackgrid.simulation.run.heal", repair_nothing)
    deaths = (Timed(seconds(4), Kill(BROKER)),) * 3
    never = replace(QUIET, timed=(*deaths, Timed(seconds(5), Partition((1,)))))
    (violation,) = run(never).violations
    assert "I7" in violation


def test_heal_repairs_all_that_a_script_breaks() -> None:
    world = recipe.rack(1, nodes=3, capacity_w=36)
    world.run(seconds(4))
    assert disagreement(world) is None
    Kill(BROKER).apply(world)
    Partition((1,)).apply(world)
    world.network.loss = 0.5
    next(iter(world.seats.values())).stall_ns = seconds(4)
    assert disagreement(world) == "0 brokers"
    heal(world, QUIET)
    assert (world.network.cut, world.network.loss) == (set(), 0)
    assert not any(seat.stall_ns for seat in world.seats.values()), "it would strike much later"
    assert all(seat.node for seat in world.seats.values())
    world.run(world.now_ns + seconds(9))
    assert disagreement(world) is None
