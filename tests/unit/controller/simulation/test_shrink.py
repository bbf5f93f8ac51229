from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.simulation.script import Script, scripted
from rackgrid.simulation.shrink import shrunk

SCRIPT = scripted(1, 5, 60)
PLACES = range(len(SCRIPT.timed))


@given(st.sets(st.sampled_from(PLACES), max_size=4))
@settings(max_examples=60, deadline=None)
def test_shrunk_leaves_exactly_what_it_takes(needed: set[int]) -> None:
    """Fails if a fault that matters is dropped, or one that does not is kept."""
    wanted = {SCRIPT.timed[place] for place in needed}

    def fails(script: Script) -> bool:
        return wanted <= set(script.timed)

    assert shrunk(SCRIPT, fails, runs_max=1000) == sorted(needed)


def test_shrunk_stops_after_so_many_runs_with_a_script_that_fails() -> None:
    runs: list[Script] = []

    def fails(script: Script) -> bool:
        runs.append(script)
        return len(script.timed) > 5

    places = shrunk(SCRIPT, fails, runs_max=3)
    assert len(runs) == 3
    assert fails(SCRIPT.kept(places))


def test_shrunk_of_a_script_without_faults_is_itself() -> None:
    assert shrunk(SCRIPT.kept([]), lambda _: True) == []
