"""Turns: what counts as finished, and for how long."""

from __future__ import annotations

from rackgrid.market.turn import Turn, Turns, seen

ON, OFF = True, False


def story(*turns: Turn, first: Turns | None = None) -> list[bool]:
    """Say after each look whether the washer has finished."""
    known, told = first or Turns(), list[bool]()
    for turn in turns:
        before = "washer" in known.finished
        known, is_news = seen(known, "washer", turn)
        told.append("washer" in known.finished)
        assert is_news is (told[-1] is not before)
    return told


def test_load_whose_work_has_no_end_is_done_when_it_has_run_and_is_off() -> None:
    looks = (Turn(OFF, 0), Turn(ON, 10), Turn(ON, 10), Turn(OFF, 30), Turn(OFF, 30), Turn(ON, 50))
    assert story(*looks) == [False, False, False, True, True, False]


def test_complete_run_is_what_its_switch_says_and_not_when_somebody_looked() -> None:
    assert story(Turn(ON, 10, 90), Turn(OFF, 100, 90)) == [False, True]
    assert story(Turn(ON, 10, 90), Turn(OFF, 99, 90)) == [False, False]


def test_run_that_was_cut_short_undoes_the_one_before_it() -> None:
    looks = (Turn(ON, 0, 90), Turn(OFF, 90, 90), Turn(ON, 200, 90), Turn(OFF, 210, 90))
    assert story(*looks) == [False, True, False, False]


def test_load_with_a_goal_is_done_when_that_is_reached_and_it_is_off() -> None:
    looks = (
        *(Turn(ON, 0, goal=False), Turn(OFF, 5, goal=False), Turn(ON, 9, goal=True)),
        *(Turn(OFF, 10, goal=True), Turn(OFF, 10, goal=False)),
    )
    assert story(*looks) == [False, False, False, True, False]


def test_what_was_finished_before_a_restart_is_so_after_it() -> None:
    kept = Turns(finished=frozenset({"washer"}))
    assert story(Turn(OFF, 5), Turn(ON, 9), first=kept) == [True, False]


def test_others_are_left_alone() -> None:
    other = Turns({"dryer": 5}, frozenset({"iron"}))
    after, is_news = seen(other, "washer", Turn(ON, 10))
    assert (dict(after.on_since), after.finished) == ({"dryer": 5, "washer": 10}, {"iron"})
    assert not is_news
