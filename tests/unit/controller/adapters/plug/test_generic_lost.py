"""Words to a plug of any maker that come late or get lost: nothing counts as sure that is not.

Fails if a renewal goes that might be heard after what runs has ended, or if a timer counts as
running for sure that a word without an answer may have ended, or if it counts as off while a word
on may be on its way.
"""

from __future__ import annotations

import time

import pytest
from tests.unit.controller.adapters.plug.lamp import Clock
from tests.unit.controller.adapters.plug.topic_desk import OFF, ON, STATE, TIMER, Desk, after, play

from rackgrid.adapters.plug import generic
from rackgrid.deadman import SECOND_NS
from rackgrid.errors import TransportError


def test_renewal_that_might_be_heard_too_late_is_not_said(desk: Desk) -> None:
    async def scene() -> None:
        held = await desk.plug.hold(after(60), starts=True)
        assert held is not None
        by_ns = time.monotonic_ns() + TIMER.deliver_ns
        assert await desk.plug.hold(after(60), starts=False, by_ns=by_ns) is None
        assert len(desk.words()) == 1
        assert await desk.plug.hold(after(60), starts=True, by_ns=by_ns) is not None
        by_ns += SECOND_NS
        assert await desk.plug.hold(after(60), starts=False, by_ns=by_ns) is not None
        assert len(desk.words()) == 3

    play(scene())


def test_renewal_that_had_to_be_quiet_for_long_is_not_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ran when it was asked for may have ended meanwhile."""
    monkeypatch.setattr(generic, "ANSWER_S", 0.1)
    monkeypatch.setattr(generic, "QUIET_NS", SECOND_NS // 2)

    async def scene() -> None:
        desk.wire.lose = True
        with pytest.raises(TransportError):
            await desk.plug.hold(after(60), starts=True)
        desk.wire.lose = False
        by_ns = time.monotonic_ns() + TIMER.deliver_ns + SECOND_NS // 4
        assert await desk.plug.hold(after(60), starts=False, by_ns=by_ns) is None
        assert len(desk.words()) == 1

    play(scene())


def test_word_that_nothing_confirms_is_an_error_and_may_have_been_heard(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic, "ANSWER_S", 0.1)
    monkeypatch.setattr(generic, "QUIET_NS", SECOND_NS // 5)

    async def scene() -> None:
        desk.wire.lose = True
        with pytest.raises(TransportError, match=f'does not say "ON" under {STATE}'):
            await desk.plug.hold(after(8), starts=True)
        desk.wire.lose = False
        begun_ns = time.monotonic_ns()
        sight = await desk.plug.look()
        assert time.monotonic_ns() - begun_ns > SECOND_NS // 10, "what is on its way may arrive"
        assert sight.on
        assert sight.left_ns is not None, "the word was heard, and it carried its end"
        assert sight.sure_ns == 0, "when, nobody knows"

    play(scene())


def test_word_that_nothing_confirms_may_have_brought_the_end_nearer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic, "ANSWER_S", 0.1)
    monkeypatch.setattr(generic, "QUIET_NS", SECOND_NS // 5)

    async def scene() -> None:
        await desk.plug.hold(after(60), starts=True)
        assert (await desk.plug.look()).sure_ns > 40 * SECOND_NS
        desk.wire.lose = True
        with pytest.raises(TransportError):
            await desk.plug.hold(after(20), starts=False)
        desk.wire.lose = False
        assert 0 < (await desk.plug.look()).sure_ns < 20 * SECOND_NS

    play(scene())


def test_release_that_nothing_confirms_may_have_ended_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if its timer counts as running for sure although it may have heard a word off."""
    monkeypatch.setattr(generic, "ANSWER_S", 0.1)

    async def scene() -> None:
        await desk.plug.hold(after(60), starts=True)
        desk.wire.lose = True
        with pytest.raises(TransportError):
            await desk.plug.release()
        desk.wire.lose = False
        desk.wire.answer = lambda _topic, _payload: [(STATE, ON)]  # from before it heard the word
        sight = await desk.plug.look()
        assert sight.sure_ns == 0
        assert not desk.device.relay.is_on

    play(scene())


def test_off_that_was_on_its_way_when_a_word_on_was_confirmed_is_not_believed(
    desk: Desk,
) -> None:
    """A hand at its button just before, and an "on" from before that: it is to go on now."""
    clock = Clock()
    desk.clock = clock

    async def scene() -> None:
        desk.wire.answer = lambda _topic, _payload: [(STATE, ON)]
        assert await desk.plug.hold(clock() + 60 * SECOND_NS, starts=True) is not None
        desk.wire.answer = lambda _topic, _payload: [(STATE, OFF)]
        with pytest.raises(TransportError, match="may be from before it heard the word on"):
            await desk.plug.look()
        clock.wind(1.9 * TIMER.deliver_ns / SECOND_NS)  # there, and back
        with pytest.raises(TransportError, match="may be from before it heard the word on"):
            await desk.plug.look()
        clock.wind(0.2 * TIMER.deliver_ns / SECOND_NS)
        assert not (await desk.plug.look()).on

    play(scene())


def test_off_that_follows_what_confirmed_a_word_on_leaves_it_unknown(desk: Desk) -> None:
    async def scene() -> None:
        desk.wire.answer = lambda _topic, _payload: [(STATE, ON), (STATE, OFF)]
        with pytest.raises(TransportError, match="may be from before it heard the word on"):
            await desk.plug.hold(after(60), starts=True)

    play(scene())


def test_off_from_before_a_word_on_leaves_its_end_as_it_is(desk: Desk) -> None:
    clock = Clock()
    desk.clock = clock

    async def scene() -> None:
        await desk.plug.hold(clock() + 60 * SECOND_NS, starts=True)
        clock.wind(1.5 * TIMER.deliver_ns / SECOND_NS)
        desk.hear(OFF)
        desk.hear(ON)
        sight = await desk.plug.look()
        assert sight.left_ns is not None
        assert sight.sure_ns == 0, "it may be a hand, too"

    play(scene())


def test_off_after_a_word_off_is_believed_at_once(desk: Desk) -> None:
    async def scene() -> None:
        await desk.plug.hold(after(60), starts=True)
        assert not (await desk.plug.release()).on
        assert not (await desk.plug.look()).on

    play(scene())
