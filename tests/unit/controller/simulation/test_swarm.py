import gc
from collections.abc import Iterator
from dataclasses import replace

from rackgrid.simulation.run import run
from rackgrid.simulation.script import Script, scripted
from rackgrid.simulation.swarm import CHUNK, GARBAGE, outcomes

SCRIPTS = [scripted(seed, 3, 18) for seed in range(2 * CHUNK + 1)]


def test_outcomes_of_two_processes_are_those_of_one_in_the_same_order() -> None:
    """Fails if a process sees another script, or one that ends early overtakes."""
    alone = list(outcomes(SCRIPTS, 1))
    assert [one.script for one in alone] == SCRIPTS
    assert list(outcomes(SCRIPTS, 2)) == alone


def test_outcomes_are_the_runs_without_their_transcripts() -> None:
    whole = run(SCRIPTS[0])
    assert whole.lines
    assert list(outcomes(SCRIPTS[:1], 1)) == [replace(whole, lines=())]


def test_outcomes_come_as_they_are_made() -> None:
    """Fails if all scripts run before the first outcome is seen: no progress could be told."""
    taken: list[int] = []

    def watched() -> Iterator[Script]:
        for script in SCRIPTS:
            taken.append(script.seed)
            yield script

    next(outcomes(watched(), 1))
    assert taken == [0]


def test_outcomes_of_one_process_leave_its_collector_as_it_was() -> None:
    """Fails if the caller's process goes on without a search for cycles."""
    usual = gc.get_threshold()
    made = outcomes(SCRIPTS[:2], 1)
    next(made)
    assert gc.get_threshold() == GARBAGE
    assert len(list(made)) == 1
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() == 0
