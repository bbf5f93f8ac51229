"""What a plug of any maker says of itself: its state and its watts, as text or a place in JSON.

Fails if what is not understood passes for an answer, or old watts for new ones.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.adapters.plug.device import TopicDevice
from tests.unit.controller.adapters.plug.lamp import Clock
from tests.unit.controller.adapters.plug.topic_desk import TOPICS, Desk, after, play

from rackgrid.adapters.plug import generic
from rackgrid.adapters.plug.generic import POWER_NS, found
from rackgrid.deadman import SECOND_NS
from rackgrid.errors import TransportError


def test_watts_come_with_the_state(desk: Desk) -> None:
    async def scene() -> None:
        await desk.plug.hold(after(8), starts=True)
        sight = await desk.plug.look()
        assert (sight.watts, sight.volts) == (40.0, 230.0)

    play(scene())


def test_watts_of_before_it_was_switched_or_of_long_ago_are_not_believed(
    device: TopicDevice,
) -> None:
    desk, clock = Desk(device, replace(TOPICS, power="attic/meter", power_path="")), Clock()
    desk.clock = clock

    async def scene() -> None:
        assert desk.hear(b"0.0", "attic/meter")
        assert (await desk.plug.look()).watts == 0.0
        clock.wind(1)
        await desk.plug.hold(clock() + 60 * SECOND_NS, starts=True)
        assert (await desk.plug.look()).watts is None
        assert desk.hear(b" 41.5\n", "attic/meter")
        clock.wind(POWER_NS / SECOND_NS)
        assert (await desk.plug.look()).watts == 41.5
        clock.wind(0.1)
        assert (await desk.plug.look()).watts is None

    play(scene())


@pytest.mark.parametrize("payload", [b"", b"n/a", b"nan", b"inf", b"1e9", b"\xff", b"41,5"])
def test_watts_that_are_no_number_are_counted_as_not_understood(
    device: TopicDevice, payload: bytes
) -> None:
    desk = Desk(device, replace(TOPICS, power="attic/meter", power_path=""))
    assert not desk.hear(payload, "attic/meter")


@pytest.mark.parametrize(
    "payload", [b"", b"ON", b"{}", b'{"state": "on"}', b'{"state": null}', b"[1]", b"[" * 9999]
)
def test_state_that_is_neither_is_not_understood_and_answers_nothing(
    desk: Desk, payload: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generic, "ANSWER_S", 0.05)
    heard: list[bool] = []

    def answer(topic: str, _: bytes) -> list[tuple[str, bytes]]:
        heard.append(desk.hear(payload))
        return []

    desk.wire.answer = answer
    with pytest.raises(TransportError):
        asyncio.run(desk.plug.look())
    assert heard == [False]


@pytest.mark.parametrize(
    ("payload", "path", "text"),
    [
        (b" on\r\n", "", "on"),
        (b"\xff", "", "\ufffd"),
        (b'{"a": {"b": "x"}}', "a.b", "x"),
        (b'{"on": true}', "on", "true"),
        (b'{"on": 1}', "on", "1"),
        (b'{"w": 2.5}', "w", "2.5"),
        (b'{"a": [1]}', "a", None),
        (b'{"a": [1]}', "a.b", None),
        (b'{"a": 1}', "b", None),
        (b"no", "a", None),
    ],
)
def test_found_is_the_text_at_a_place(payload: bytes, path: str, text: str | None) -> None:
    assert found(payload, path) == text


@given(st.binary(max_size=200), st.sampled_from(["", "a", "a.b"]))
def test_found_never_raises(payload: bytes, path: str) -> None:
    text = found(payload, path)
    assert text is None or isinstance(text, str)
