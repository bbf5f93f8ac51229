"""One output beyond the board: what is known of it can only err to the safe side."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.controller.adapters.plug.bench import Bench

from rackgrid.adapters.plug.remote import (
    LOOK_NS,
    LOOK_OFF_NS,
    PROVE_NS,
    RETRY_NS,
    Proof,
)
from rackgrid.deadman import FOREVER_NS, SECOND_NS


def test_dead_man_is_proven_before_anything_else(bench: Bench) -> None:
    assert bench.remote.is_floor
    bench.turn()
    assert bench.lamp.said == ["prove", "look", "look"]
    assert bench.remote.proof is Proof.PROVEN
    assert not bench.remote.is_floor


def test_lamp_is_switched_on_with_an_end_before_its_deadline(bench: Bench) -> None:
    deadline_ns = bench.want(4)
    bench.turn()
    assert bench.lamp.is_on
    assert bench.lamp.off_ns is not None
    assert bench.lamp.off_ns < bench.remote.draws_until_ns() <= deadline_ns


def test_lamp_is_renewed_before_its_timer_may_have_ended(bench: Bench) -> None:
    """Two holds a second, for a minute: the lamp never blinks, and is spared most words."""
    bench.want(2.5)
    bench.turn()
    for _ in range(120):
        bench.clock.wind(0.5)
        bench.want(2.5)
        bench.turn()
        assert bench.lamp.is_on
    assert len(bench.lamp.starts) == 1
    assert bench.lamp.said.count("renew") <= 120


def test_renewal_can_wait_while_the_timer_runs_long(bench: Bench) -> None:
    bench.want(20)
    bench.turn()
    bench.clock.wind(0.5)
    bench.want(20)
    bench.turn()
    assert "renew" not in bench.lamp.said


def test_timer_that_may_have_ended_is_not_set_anew(bench: Bench) -> None:
    """The word would start the lamp again, without its minimum off-time."""
    bench.want(2)
    bench.turn()
    assert bench.lamp.off_ns is not None
    left_s = (bench.lamp.off_ns - bench.clock()) / SECOND_NS
    bench.clock.wind(left_s - 0.1)  # a word takes up to 0.2 s
    bench.want(2)
    bench.turn()
    assert bench.lamp.said[-1] == "look"
    bench.turn(after_s=0.5)
    assert bench.remote.has_dropped
    assert not bench.remote.draws_until_ns()
    assert len(bench.lamp.starts) == 1


def test_lamp_is_off_once_it_says_so(bench: Bench) -> None:
    bench.want(4)
    bench.turn()
    bench.remote.want(0)
    assert bench.remote.draws_until_ns()
    bench.turn()
    assert bench.lamp.said[-1] == "release"
    assert not bench.remote.draws_until_ns()


def test_lamp_that_does_not_answer_draws_until_its_timer_must_have_ended(bench: Bench) -> None:
    deadline_ns = bench.want(4)
    bench.turn()
    bench.lamp.is_away = True
    bench.remote.want(0)
    bench.turn(after_s=0.1)
    assert bench.clock() < bench.remote.draws_until_ns() <= deadline_ns
    bench.clock.now_ns = deadline_ns
    assert not bench.remote.draws_until_ns()
    assert not bench.lamp.is_on


def test_lost_answer_counts_as_heard(bench: Bench) -> None:
    bench.turn()
    bench.lamp.loses_answers = True
    deadline_ns = bench.want(4)
    bench.turn()
    assert bench.lamp.is_on
    assert bench.remote.draws_until_ns() == deadline_ns


def test_renewal_whose_answer_was_lost_may_have_brought_the_end_nearer(bench: Bench) -> None:
    bench.turn()
    bench.lamp.loses_answers = True
    bench.want(3)
    bench.turn()
    was_off_ns = bench.lamp.off_ns
    bench.turn(after_s=1)  # looked at, it runs
    bench.want(1.5)  # less was granted
    bench.turn()
    assert bench.lamp.off_ns is not None
    assert was_off_ns is not None
    assert bench.lamp.off_ns < was_off_ns
    bench.turn(after_s=0.3)
    bench.want(4)
    bench.clock.now_ns = (bench.lamp.off_ns + was_off_ns - bench.lamp.timer.deliver_ns) // 2
    bench.turn()
    assert len(bench.lamp.starts) == 1, "what should renew it must not start it"


def test_off_that_a_late_word_may_still_change_is_not_believed(bench: Bench) -> None:
    bench.turn()
    bench.lamp.loses_answers = True
    deadline_ns = bench.want(4)
    bench.turn()
    bench.lamp.by_hand(False)  # as if the word were still on its way
    bench.turn(after_s=0.1)
    assert bench.remote.draws_until_ns() == deadline_ns
    bench.turn(after_s=0.2)
    assert not bench.remote.draws_until_ns()


def test_after_a_lost_answer_it_is_looked_at_before_there_is_a_new_word(bench: Bench) -> None:
    bench.turn()
    bench.lamp.loses_answers = True
    bench.want(4)
    bench.turn()
    bench.lamp.loses_answers = False
    bench.lamp.said.clear()
    bench.turn(after_s=0.1)
    bench.turn(after_s=0.2)
    assert bench.lamp.said == ["look", "look"]
    assert len(bench.lamp.starts) == 1


def test_start_whose_answer_was_lost_and_that_is_over_has_dropped(bench: Bench) -> None:
    """It may have been on: to start again is for the guard to decide, after its off-time."""
    bench.turn()
    bench.lamp.loses_answers = True
    bench.want(2)
    bench.turn()
    bench.clock.wind(2)
    bench.want(4)
    bench.turn()
    assert bench.remote.has_dropped
    bench.turn()
    assert len(bench.lamp.starts) == 1


def test_lamp_by_hand_counts_without_an_end_and_is_switched_off(bench: Bench) -> None:
    bench.turn()
    bench.lamp.by_hand(True)
    bench.lamp.is_away = False
    seen: list[int] = []

    async def look_and_stop() -> None:
        await bench.remote._look()
        seen.append(bench.remote.draws_until_ns())

    asyncio.run(look_and_stop())
    assert seen == [FOREVER_NS]
    bench.turn()
    assert not bench.lamp.is_on
    assert not bench.remote.draws_until_ns()
    assert not bench.remote.is_floor


def test_lamp_whose_timer_was_not_set_is_floor(bench: Bench) -> None:
    bench.turn()
    bench.lamp.timer_works = False
    bench.want(4)
    bench.turn()
    assert bench.remote.is_floor
    bench.turn()
    assert bench.remote.proof is Proof.NONE
    assert "own timer has failed" in bench.remote.why


def test_lamp_that_is_on_after_its_end_is_floor_for_good(bench: Bench) -> None:
    bench.want(4)
    bench.turn()
    bench.lamp.off_ns = None  # the timer said that it runs, and does not
    bench.clock.wind(5)
    bench.turn()
    assert bench.remote.is_floor
    bench.turn(after_s=PROVE_NS / SECOND_NS + 1)
    assert bench.remote.is_floor


def test_lamp_without_a_dead_man_is_not_switched(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.lamp.missing = "it comes up on"
    bench.want(4)
    bench.turn()
    assert not bench.lamp.is_on
    assert bench.remote.proof is Proof.NONE
    assert "it comes up on" in caplog.text


def test_proof_is_asked_for_again_now_and_then(bench: Bench) -> None:
    bench.turn()
    bench.lamp.missing = "somebody changed its settings"
    bench.turn()
    assert not bench.remote.is_floor
    bench.turn(after_s=PROVE_NS / SECOND_NS + 1)
    assert bench.remote.is_floor


def test_lamp_that_never_answered_is_out_of_reach_at_once(bench: Bench) -> None:
    bench.lamp.is_away = True
    bench.turn()
    assert not bench.remote.reachable
    assert bench.remote.is_floor
    assert "no route" in bench.remote.why


def test_lamp_is_out_of_reach_after_a_while_and_comes_back(bench: Bench) -> None:
    bench.turn()
    bench.lamp.is_away = True
    bench.turn()
    assert bench.remote.reachable
    bench.turn(after_s=1.1)
    assert not bench.remote.reachable
    bench.lamp.is_away = False
    bench.lamp.said.clear()
    bench.turn()
    assert bench.remote.reachable
    assert bench.remote.why == ""
    assert bench.lamp.said[0] == "prove"


def test_patience_grows_with_failures_and_is_short_while_it_is_on(bench: Bench) -> None:
    bench.turn()
    assert bench.remote.patience_ns() == LOOK_OFF_NS
    bench.want(4)
    assert bench.remote.patience_ns() == LOOK_NS
    bench.lamp.is_away = True
    waits: list[int] = []
    for _ in range(8):
        bench.turn()
        waits.append(bench.remote.patience_ns())
    assert waits[:3] == [RETRY_NS[0], 2 * RETRY_NS[0], 4 * RETRY_NS[0]]
    assert waits[-1] == RETRY_NS[1]


def test_adopted_lamp_is_renewed_and_not_started(bench: Bench) -> None:
    bench.remote._in_charge = False
    bench.lamp.off_ns = bench.clock() + 3 * SECOND_NS
    bench.turn()
    assert bench.lamp.is_on, "it is left as it is until somebody is in charge"
    bench.remote.take_over(bench.remote.draws_until_ns())
    bench.turn(after_s=2)
    bench.want(5)
    bench.turn()
    assert bench.lamp.said[-1] == "renew"
    assert bench.lamp.starts == []


def test_end_waits_until_the_lamp_was_heard_to_follow(bench: Bench) -> None:
    async def play() -> None:
        await bench.remote.turn()
        bench.want(4)
        task = asyncio.create_task(bench.remote.run())
        await bench.remote.settled(5)
        assert bench.lamp.is_on
        bench.remote.want(0)
        await bench.remote.settled(5)
        assert not bench.lamp.is_on
        task.cancel()

    asyncio.run(play())


def test_end_does_not_wait_for_a_lamp_that_is_out_of_reach(bench: Bench) -> None:
    async def play() -> None:
        bench.lamp.is_away = True
        await bench.remote.turn()
        await asyncio.wait_for(bench.remote.settled(60), 5)

    asyncio.run(play())


def test_end_gives_up_on_a_lamp_that_does_not_follow(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.remote.want(0)
    bench.want(4)
    asyncio.run(bench.remote.settled(0.01))
    assert "was not heard to follow" in caplog.text
