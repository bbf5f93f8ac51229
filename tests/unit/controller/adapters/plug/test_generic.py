"""A plug of any maker, over a line in memory: what confirms a word, and what is known of its timer.

Fails if a word on goes without an end, if a state from before a word confirms it, or if a timer
counts as running that nobody of us has set.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.adapters.plug.device import TopicDevice
from tests.unit.controller.adapters.plug.lamp import Clock
from tests.unit.controller.adapters.plug.topic_desk import (
    OFF,
    ON,
    TIMER,
    TOPICS,
    Desk,
    after,
    play,
)

from rackgrid.adapters.plug import generic
from rackgrid.adapters.plug.remote import Proof, Remote
from rackgrid.deadman import FOREVER_NS, SECOND_NS, latest_end_ns
from rackgrid.errors import TransportError

# --- words ----------------------------------------------------------------------------------------


def test_hold_says_one_word_with_an_end_before_the_deadline(desk: Desk) -> None:
    async def scene() -> None:
        deadline_ns = after(8)
        held = await desk.plug.hold(deadline_ns, starts=True)
        assert held is not None
        assert held.sight.on
        assert held.ends_ns < held.latest_ns <= deadline_ns
        left_s = desk.device.relay.left_s
        assert left_s is not None
        assert time.monotonic_ns() + left_s * SECOND_NS + TIMER.late_ns < deadline_ns
        assert desk.words() == ['{"state": "ON", "on_time": 5}']

    play(scene())


def test_early_timer_is_not_counted_on(desk: Desk) -> None:
    """Of a maker that nobody knows: it may count the second under way as a whole one."""

    async def scene() -> None:
        begun_ns = time.monotonic_ns()
        held = await desk.plug.hold(after(8), starts=True)
        assert held is not None
        assert held.ends_ns - begun_ns < 4 * SECOND_NS + SECOND_NS // 10

    play(scene())


def test_renewal_sets_the_timer_anew(desk: Desk) -> None:
    async def scene() -> None:
        first = await desk.plug.hold(after(6), starts=True)
        second = await desk.plug.hold(after(9), starts=False)
        assert first is not None
        assert second is not None
        assert second.ends_ns > first.ends_ns + 2 * SECOND_NS
        left_s = desk.device.relay.left_s
        assert left_s is not None
        assert left_s > 5

    play(scene())


def test_later_of_two_ends_counts_for_a_maker_that_may_keep_it(desk: Desk) -> None:
    async def scene() -> None:
        first = await desk.plug.hold(after(9), starts=True)
        second = await desk.plug.hold(after(6), starts=False)
        assert first is not None
        assert second is not None
        assert second.latest_ns == first.latest_ns
        assert second.ends_ns < first.ends_ns

    play(scene())


def test_start_with_too_little_time_left_says_nothing(desk: Desk) -> None:
    async def scene() -> None:
        assert await desk.plug.hold(after(2.9), starts=True) is None
        assert desk.wire.said == []

    play(scene())


def test_renewal_of_what_was_heard_to_be_off_starts_nothing(desk: Desk) -> None:
    """Its timer may have ended early, and it said so by itself."""

    async def scene() -> None:
        await desk.plug.hold(after(8), starts=True)
        desk.device.relay.switch(False)
        assert desk.hear(OFF)
        assert await desk.plug.hold(after(8), starts=False) is None
        assert not desk.device.relay.is_on

    play(scene())


def test_release_switches_off_and_hears_it(desk: Desk) -> None:
    async def scene() -> None:
        await desk.plug.hold(after(8), starts=True)
        sight = await desk.plug.release()
        assert (sight.on, sight.left_ns) == (False, None)
        assert not desk.device.relay.is_on

    play(scene())


# --- what confirms a word -------------------------------------------------------------------------


def test_off_that_was_on_its_way_does_not_answer_a_word_on(desk: Desk) -> None:
    async def scene() -> None:
        desk.late_states = [OFF, OFF]
        held = await desk.plug.hold(after(8), starts=True)
        assert held is not None
        assert held.sight.on

    play(scene())


def test_on_that_was_on_its_way_does_not_answer_a_word_off(desk: Desk) -> None:
    async def scene() -> None:
        await desk.plug.hold(after(8), starts=True)
        desk.late_states = [ON]
        assert not (await desk.plug.release()).on

    play(scene())


def test_plug_that_cannot_be_asked_and_says_nothing_is_told_so(
    device: TopicDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic, "ANSWER_S", 0.1)
    desk = Desk(device, replace(TOPICS, ask="", ask_payload=""))
    with pytest.raises(TransportError, match=r"does not say anything .* name an ask_topic"):
        asyncio.run(desk.plug.look())
    assert desk.wire.said == []


def test_plug_that_cannot_be_asked_is_believed_when_it_speaks_by_itself(
    device: TopicDevice,
) -> None:
    desk = Desk(device, replace(TOPICS, ask="", ask_payload=""))

    async def scene() -> None:
        look = asyncio.create_task(desk.plug.look())
        await asyncio.sleep(0)
        assert desk.hear(ON)
        assert (await look).on

    play(scene())


def test_without_a_server_nothing_is_said(desk: Desk) -> None:
    desk.wire._is_open = False
    for word in (desk.plug.look(), desk.plug.release(), desk.plug.hold(after(8), starts=True)):
        with pytest.raises(TransportError, match="no MQTT server at server:1883"):
            asyncio.run(word)
    assert desk.wire.said == []


# --- what is known of its timer -------------------------------------------------------------------


def test_plug_that_is_on_without_a_word_of_ours_has_no_end(desk: Desk) -> None:
    async def scene() -> None:
        desk.device.relay.switch(True)
        sight = await desk.plug.look()
        assert (sight.on, sight.left_ns, sight.sure_ns) == (True, None, 0)

    play(scene())


def test_hand_that_switches_off_and_on_ends_the_timer(desk: Desk) -> None:
    clock = Clock()
    desk.clock = clock

    async def scene() -> None:
        await desk.plug.hold(clock() + 8 * SECOND_NS, starts=True)
        clock.wind(2 * TIMER.deliver_ns / SECOND_NS)
        assert (await desk.plug.look()).left_ns is not None
        desk.hear(OFF)
        desk.hear(ON)
        desk.device.relay.switch(True)
        assert (await desk.plug.look()).left_ns is None

    play(scene())


@given(st.integers(4_100, 60_000), st.integers(0, 3_000))
def test_rest_that_is_told_leads_to_the_same_end(left_ms: int, later_ms: int) -> None:
    """Whoever adds drift and lateness to it finds what the word was counted with."""
    device = TopicDevice()
    try:
        desk, clock = Desk(device), Clock()
        desk.clock = clock

        async def scene() -> None:
            held = await desk.plug.hold(clock() + left_ms * 1_000_000, starts=True)
            assert held is not None
            clock.wind(later_ms / 1000)
            sight = await desk.plug.look()
            if clock() >= held.latest_ns:
                assert sight.left_ns is None
                return
            assert sight.left_ns is not None
            found_ns = latest_end_ns(TIMER, clock(), sight.left_ns)
            least_ns = min(held.latest_ns, clock() + TIMER.late_ns)
            assert least_ns - 2 <= found_ns <= max(held.latest_ns, clock() + TIMER.late_ns + 1)
            assert clock() + sight.sure_ns <= max(held.ends_ns, clock())

        play(scene())
    finally:
        device.close()


def test_on_just_after_its_timer_must_have_ended_is_not_believed_before_it_is_asked_again(
    desk: Desk,
) -> None:
    """It may have said so before; believed, it would be called broken."""
    clock = Clock()
    desk.clock = clock

    async def scene() -> None:
        held = await desk.plug.hold(clock() + 8 * SECOND_NS, starts=True)
        assert held is not None
        clock.wind((held.latest_ns - clock()) / SECOND_NS + 0.1)
        with pytest.raises(TransportError, match="may be from before its timer ended"):
            await desk.plug.look()
        clock.wind(TIMER.deliver_ns / SECOND_NS)
        sight = await desk.plug.look()
        assert (sight.on, sight.left_ns) == (True, None)

    play(scene())


def test_end_is_counted_from_when_the_word_is_heard_at_the_latest(desk: Desk) -> None:
    """What confirms it may have been on its way, so the answer says nothing of that."""

    async def scene() -> None:
        begun_ns = time.monotonic_ns()
        held = await desk.plug.hold(after(8), starts=True)
        assert held is not None
        late_ns = TIMER.deliver_ns + TIMER.late_ns
        assert held.latest_ns - begun_ns >= late_ns + 5 * SECOND_NS

    play(scene())


def known(desk: Desk, clock: Callable[[], int] = time.monotonic_ns) -> Remote:
    """Give it a remote, at whose start no word of a controller before was on its way."""
    remote = Remote("heater", desk.plug, clock, lambda _: None, lambda _: True)
    remote._loose_ns = 0
    return remote


def test_plug_whose_timer_does_not_work_is_floor_from_then_on(desk: Desk) -> None:
    """The last line: it was on for longer than its word said."""
    clock = Clock()
    desk.clock = clock
    remote = known(desk, clock)

    async def scene() -> None:
        await remote.turn()
        assert remote.proof is Proof.PROVEN
        remote.take_over(0)
        desk.device.has_timer = False
        remote.want(clock() + 8 * SECOND_NS)
        await remote.turn()
        assert remote.draws_until_ns() <= clock() + 8 * SECOND_NS
        clock.wind(9)
        remote.want(0)
        await remote.turn()
        assert remote.is_floor

    play(scene())


def test_plug_that_is_on_when_a_controller_starts_counts_without_an_end_and_is_released(
    desk: Desk,
) -> None:
    remote = known(desk)

    async def scene() -> None:
        desk.device.relay.switch(True, 60)
        await remote.turn()
        assert remote.draws_until_ns() == FOREVER_NS
        assert desk.device.relay.is_on, "nobody is in charge yet"
        remote.take_over(0)
        await remote.turn()
        assert not desk.device.relay.is_on
        assert remote.draws_until_ns() == 0

    play(scene())


def test_word_without_an_end_is_no_dead_man_and_is_never_said(device: TopicDevice) -> None:
    desk = Desk(device, replace(TOPICS, on='{"state": "ON"}'))
    remote = known(desk)

    async def scene() -> None:
        await remote.turn()
        assert remote.is_floor
        assert "on_payload has no {seconds}" in remote.why
        assert remote.sight is not None, "it is looked at all the same"
        remote.take_over(0)
        remote.want(after(8))
        await remote.turn()
        assert desk.words() == []

    play(scene())


def test_plug_that_does_not_answer_is_not_proven(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic, "ANSWER_S", 0.05)
    desk.wire.lose = True
    remote = known(desk)
    asyncio.run(remote.turn())
    assert (remote.proof, remote.reachable) == (Proof.UNKNOWN, False)
