"""A Shelly over real HTTP: what it is asked, and what is made of its answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from tests.unit.controller.adapters.plug.device import ShellyDevice

from rackgrid.adapters.plug.http import HttpTalk
from rackgrid.adapters.plug.shelly import Rpc, Shelly
from rackgrid.adapters.plug.talk import Told
from rackgrid.deadman import SECOND_NS, TIMERS
from rackgrid.errors import TransportError

TIMER = TIMERS["shelly"]


class Way:
    """Calls as requests, as `assembly` has it."""

    def __init__(self, http: HttpTalk) -> None:
        self._http = http

    async def ask(self, word: Callable[[int], Rpc | None]) -> Told | None:
        def path(now_ns: int) -> str | None:
            call = word(now_ns)
            return None if call is None else call.path

        return await self._http.ask(path)


@pytest.fixture
def device() -> Iterator[ShellyDevice]:
    made = ShellyDevice()
    yield made
    made.close()


@pytest.fixture
def shelly(device: ShellyDevice) -> Shelly:
    return Shelly(Way(HttpTalk(device.address, time.monotonic_ns)), 0, TIMER)


def test_hold_sets_a_timer_that_ends_before_the_deadline(
    device: ShellyDevice, shelly: Shelly
) -> None:
    deadline_ns = time.monotonic_ns() + 4500 * 10**6
    held = asyncio.run(shelly.hold(deadline_ns, starts=True))
    assert "/rpc/Switch.Set?id=0&on=true&toggle_after=3" in device.asked
    assert held is not None
    assert held.sight.on
    assert held.ends_ns < held.latest_ns <= deadline_ns
    assert device.relay.left_s is not None
    assert time.monotonic_ns() + device.relay.left_s * SECOND_NS < deadline_ns


def test_hold_with_too_little_time_left_says_nothing(device: ShellyDevice, shelly: Shelly) -> None:
    assert asyncio.run(shelly.hold(time.monotonic_ns() + 10**9, starts=True)) is None
    assert not [path for path in device.asked if "Set" in path]
    assert not device.relay.is_on


def test_renewal_that_might_be_heard_too_late_is_not_said(
    device: ShellyDevice, shelly: Shelly
) -> None:
    deadline_ns = time.monotonic_ns() + 60 * SECOND_NS
    by_ns = time.monotonic_ns() + TIMER.deliver_ns
    assert asyncio.run(shelly.hold(deadline_ns, starts=False, by_ns=by_ns)) is None
    assert not [path for path in device.asked if "Set" in path]
    assert asyncio.run(shelly.hold(deadline_ns, starts=True, by_ns=by_ns)) is not None
    by_ns = time.monotonic_ns() + TIMER.deliver_ns + SECOND_NS
    assert asyncio.run(shelly.hold(deadline_ns, starts=False, by_ns=by_ns)) is not None


def test_renewal_is_measured_again_after_the_plug_has_asked_who_we_are(
    device: ShellyDevice,
) -> None:
    """The first request of the two changes nothing, and may take long."""
    device.password = "open sesame"
    written: list[int] = []

    class Slow(Way):
        async def ask(self, word: Callable[[int], Rpc | None]) -> Told | None:
            def later(now_ns: int) -> Rpc | None:
                written.append(now_ns)
                return word(now_ns + (len(written) - 1) * SECOND_NS)

            return await super().ask(later)

    way = Slow(HttpTalk(device.address, time.monotonic_ns, "admin", "open sesame"))
    by_ns = time.monotonic_ns() + TIMER.deliver_ns + SECOND_NS // 2
    deadline_ns = time.monotonic_ns() + 60 * SECOND_NS
    assert asyncio.run(Shelly(way, 0, TIMER).hold(deadline_ns, starts=False, by_ns=by_ns)) is None
    assert len(written) == 2
    assert not device.relay.is_on


def test_release_switches_off_and_hears_it(device: ShellyDevice, shelly: Shelly) -> None:
    device.relay.switch(True, 60)
    assert not asyncio.run(shelly.release()).on
    assert not device.relay.is_on


def test_look_tells_watts_and_what_is_left_of_the_timer(
    device: ShellyDevice, shelly: Shelly
) -> None:
    device.call("Switch.Set", {"id": 0, "on": True, "toggle_after": 9})
    sight = asyncio.run(shelly.look())
    assert (sight.on, sight.watts, sight.volts) == (True, 40.0, 230.0)
    assert sight.left_ns is not None
    assert sight.sure_ns <= 9 * SECOND_NS <= sight.left_ns + 2 * SECOND_NS
    assert sight.left_ns - sight.sure_ns <= SECOND_NS


def test_look_without_the_plugs_clock_is_sure_of_nothing(
    device: ShellyDevice, shelly: Shelly
) -> None:
    device.knows_time = False
    device.call("Switch.Set", {"id": 0, "on": True, "toggle_after": 9})
    sight = asyncio.run(shelly.look())
    assert (sight.left_ns, sight.sure_ns) == (9 * SECOND_NS, 0)


@pytest.mark.parametrize("step_s", [3600, 11, -3, -3600])
def test_look_after_the_plugs_clock_was_set_counts_the_whole_timer(
    device: ShellyDevice, shelly: Shelly, step_s: int
) -> None:
    """The timer counts by itself: fails if it counts as ended, or as running for sure."""
    device.call("Switch.Set", {"id": 0, "on": True, "toggle_after": 9})
    device._set_at -= step_s
    sight = asyncio.run(shelly.look())
    assert (sight.on, sight.left_ns, sight.sure_ns) == (True, 9 * SECOND_NS, 0)


def test_look_at_what_a_hand_has_switched_on_finds_no_timer(
    device: ShellyDevice, shelly: Shelly
) -> None:
    device.relay.switch(True)
    sight = asyncio.run(shelly.look())
    assert sight.on
    assert sight.left_ns is None


def test_shelly_that_comes_up_off_is_proven(shelly: Shelly) -> None:
    assert asyncio.run(shelly.prove()) == ""


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("initial_state", "restore_last", 'set its initial_state to "off"'),
        ("initial_state", "on", 'set its initial_state to "off"'),
        ("auto_on", True, "auto_on"),
    ],
)
def test_shelly_that_may_come_up_on_has_no_dead_man(
    device: ShellyDevice, shelly: Shelly, key: str, value: object, said: str
) -> None:
    device.config[key] = value
    assert said in asyncio.run(shelly.prove())


def test_what_is_no_shelly_is_not_understood(device: ShellyDevice, shelly: Shelly) -> None:
    device.config = {}
    with pytest.raises(TransportError, match="initial_state"):
        asyncio.run(shelly.prove())
    other = Shelly(Way(HttpTalk(device.address, time.monotonic_ns)), 3, TIMER)
    with pytest.raises(TransportError, match="no switch 3"):
        asyncio.run(other.look())
