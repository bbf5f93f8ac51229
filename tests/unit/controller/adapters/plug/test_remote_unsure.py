"""A remote whose words get lost or come late, or whose plug tells what cannot be: it errs safely.

Fails if a lamp is started by what should renew it, is kept on without a timer, or draws untold.
"""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.adapters.plug.bench import Bench

from rackgrid.adapters.plug.actuator import Sight
from rackgrid.deadman import SECOND_NS


def test_word_that_came_without_its_timer_is_found_out_although_its_answer_was_lost(
    bench: Bench,
) -> None:
    bench.turn()
    bench.lamp.timer_works, bench.lamp.loses_answers = False, True
    bench.want(4)
    bench.turn()
    bench.lamp.loses_answers = False
    bench.turn(after_s=1)
    assert bench.remote.is_broken


def test_lamp_that_is_wanted_and_that_somebody_has_left_without_an_end_is_released(
    bench: Bench,
) -> None:
    bench.turn()
    bench.want(9)
    bench.turn()
    bench.lamp.by_hand(True)
    bench.turn(after_s=1)
    assert not bench.lamp.is_on
    assert bench.remote.has_dropped


def test_clock_of_a_plug_that_is_set_forward_brings_no_end_nearer(bench: Bench) -> None:
    bench.turn()
    deadline_ns = bench.want(9)
    bench.turn()
    looks = bench.lamp.look

    async def look() -> Sight:
        return replace(await looks(), left_ns=0, sure_ns=0)

    bench.lamp.look = look  # type: ignore[method-assign]
    bench.turn(after_s=1)
    assert bench.lamp.off_ns is not None
    assert bench.lamp.off_ns < bench.remote.draws_until_ns() <= deadline_ns


def test_renewal_that_is_written_late_is_not_written(bench: Bench) -> None:
    bench.turn()
    bench.want(3)
    bench.turn()
    assert bench.lamp.off_ns is not None
    bench.clock.now_ns = bench.lamp.off_ns - bench.lamp.timer.deliver_ns - SECOND_NS // 10
    bench.want(5)
    bench.lamp.connects_after_s = 0.4
    bench.turn()
    assert len(bench.lamp.starts) == 1
    assert bench.remote.has_dropped


def test_lamp_is_not_started_while_another_forbids_it(bench: Bench) -> None:
    bench.turn()
    bench.is_free = False
    bench.want(9)
    bench.turn()
    assert not bench.lamp.is_on
    assert bench.remote.why_off() == "excluded"
    bench.is_free = True
    bench.turn()
    assert bench.lamp.is_on
    bench.is_free = False
    bench.turn(after_s=1)
    assert bench.lamp.is_on, "it runs: that others wait for it is theirs to know"
    assert bench.remote.why_off() == ""


def test_timer_that_was_set_longer_than_asked_counts_as_what_it_is(bench: Bench) -> None:
    bench.turn()
    looks = bench.lamp._sight

    def sight() -> Sight:
        seen = looks()
        return replace(seen, left_ns=60 * SECOND_NS) if seen.on else seen

    bench.lamp._sight = sight  # type: ignore[method-assign]
    deadline_ns = bench.want(9)
    bench.turn()
    assert bench.remote.draws_until_ns() > deadline_ns + 50 * SECOND_NS


def test_plug_without_a_clock_is_not_renewed_when_a_word_was_lost(bench: Bench) -> None:
    """It tells the whole of its time, whatever has run of it, and nothing for sure."""
    bench.turn()
    looks = bench.lamp._sight

    def sight() -> Sight:
        seen = looks()
        return replace(seen, left_ns=3 * SECOND_NS, sure_ns=0) if seen.on else seen

    bench.lamp._sight = sight  # type: ignore[method-assign]
    bench.want(5)
    bench.turn()
    bench.lamp.loses_answers = True
    bench.turn(after_s=2.5)
    bench.want(1.5)  # less was granted
    bench.remote._held_ns = 0
    bench.turn()
    off_ns = bench.lamp.off_ns
    bench.turn(after_s=0.3)
    assert off_ns is not None
    bench.clock.now_ns = off_ns + SECOND_NS // 10
    bench.want(4)
    bench.turn()
    assert len(bench.lamp.starts) == 1
