"""A Tasmota over real HTTP: its timer is a setting in its flash, and that is spared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from tests.unit.controller.adapters.plug.device import TasmotaDevice

from rackgrid.adapters.plug.http import HttpTalk
from rackgrid.adapters.plug.talk import Told
from rackgrid.adapters.plug.tasmota import Tasmota
from rackgrid.deadman import MS_NS, SECOND_NS, TIMERS
from rackgrid.errors import TransportError


class Way:
    """Commands as requests, as `assembly` has it."""

    def __init__(self, http: HttpTalk) -> None:
        self._http = http

    async def ask(self, word: Callable[[int], str | None]) -> Told | None:
        def path(now_ns: int) -> str | None:
            command = word(now_ns)
            return None if command is None else f"/cm?cmnd={quote(command)}"

        return await self._http.ask(path)


@pytest.fixture
def device() -> Iterator[TasmotaDevice]:
    made = TasmotaDevice()
    yield made
    made.close()


@pytest.fixture
def tasmota(device: TasmotaDevice) -> Tasmota:
    way = Way(HttpTalk(device.address, time.monotonic_ns))
    return Tasmota(way, 1, TIMERS["tasmota"], 4 * SECOND_NS)


def after(seconds: float) -> int:
    return time.monotonic_ns() + round(seconds * SECOND_NS)


def test_hold_sets_a_timer_that_ends_before_the_deadline(
    device: TasmotaDevice, tasmota: Tasmota
) -> None:
    deadline_ns = after(4.4)
    held = asyncio.run(tasmota.hold(deadline_ns, starts=True))
    assert held is not None
    assert held.sight.on
    assert held.ends_ns < held.latest_ns <= deadline_ns
    assert device.relay.left_s is not None
    assert time.monotonic_ns() + device.relay.left_s * SECOND_NS < deadline_ns


def test_renewals_do_not_wear_the_flash(device: TasmotaDevice, tasmota: Tasmota) -> None:
    for seconds in (4.4, 4.2, 4.3, 4.1):
        assert asyncio.run(tasmota.hold(after(seconds), starts=False)) is not None
    assert device.flash_writes == 1


def test_renewal_under_far_more_uses_it(device: TasmotaDevice, tasmota: Tasmota) -> None:
    asyncio.run(tasmota.hold(after(4.4), starts=True))
    asyncio.run(tasmota.hold(after(15), starts=False))
    assert device.pulse == 111
    assert device.relay.left_s is not None
    assert device.relay.left_s > 10


def test_renewal_with_less_than_usual_waits_for_the_next(
    device: TasmotaDevice, tasmota: Tasmota
) -> None:
    asyncio.run(tasmota.hold(after(4.4), starts=True))
    assert asyncio.run(tasmota.hold(after(3), starts=False)) is None


def test_start_with_less_than_usual_sets_less(device: TasmotaDevice, tasmota: Tasmota) -> None:
    assert asyncio.run(tasmota.hold(after(3), starts=True)) is not None
    assert 0 < device.pulse < 20


def test_start_with_too_little_time_left_does_not_switch_on(
    device: TasmotaDevice, tasmota: Tasmota
) -> None:
    assert asyncio.run(tasmota.hold(after(0.9), starts=True)) is None
    assert not device.relay.is_on


def test_release_switches_off_and_hears_it(device: TasmotaDevice, tasmota: Tasmota) -> None:
    asyncio.run(tasmota.hold(after(4.4), starts=True))
    assert not asyncio.run(tasmota.release()).on
    assert not device.relay.is_on


def test_look_tells_watts_and_what_is_left_of_the_timer(
    device: TasmotaDevice, tasmota: Tasmota
) -> None:
    device.pulse = 100
    device.command("Power1 ON")
    sight = asyncio.run(tasmota.look())
    assert (sight.on, sight.watts, sight.volts) == (True, 40.0, 230.0)
    assert sight.left_ns is not None
    assert sight.sure_ns <= 10 * SECOND_NS <= sight.left_ns + SECOND_NS
    assert sight.left_ns - sight.sure_ns == 200 * MS_NS


def test_look_at_one_whose_timer_is_not_set_finds_none(
    device: TasmotaDevice, tasmota: Tasmota
) -> None:
    device.relay.switch(True)
    sight = asyncio.run(tasmota.look())
    assert sight.on
    assert sight.left_ns is None


def test_plug_without_a_meter_is_asked_for_it_once(device: TasmotaDevice, tasmota: Tasmota) -> None:
    device.has_meter = False
    for _ in range(3):
        assert asyncio.run(tasmota.look()).watts is None
    assert len([path for path in device.asked if "Status" in path]) == 1


@pytest.mark.parametrize("state", [1, 2, 3, 4, 5])
def test_tasmota_that_may_come_up_on_has_no_dead_man(
    device: TasmotaDevice, tasmota: Tasmota, state: int
) -> None:
    assert asyncio.run(tasmota.prove()) == ""
    device.power_on_state = state
    assert "PowerOnState 0" in asyncio.run(tasmota.prove())


def test_tasmota_with_another_password_says_so(device: TasmotaDevice, tasmota: Tasmota) -> None:
    device.password = "secret"
    with pytest.raises(TransportError, match="password"):
        asyncio.run(tasmota.look())


def test_relay_that_is_not_there_is_named(device: TasmotaDevice) -> None:
    way = Way(HttpTalk(device.address, time.monotonic_ns))
    with pytest.raises(TransportError, match="no relay 7"):
        asyncio.run(Tasmota(way, 7, TIMERS["tasmota"], 4 * SECOND_NS).look())
