"""Two nodes on one feed, and a load on one of them that no pin switches.

The plug is a device of its own (`device.py`, `fake_systemd.py`), which outlives whoever commands
it; what truly flows is the plant's trace and the plug's own record together.

Fails if the feed is oversubscribed at any moment, if a plug outlives the grant of a controller that
was killed, if a planned restart blinks it, or if one that does not answer holds up its node.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.rack.patience import DEADLINE_S, until
from tests.rack.plug_rack import CAPACITY_W, GRANT_S, PLUG_W, Rack
from tests.unit.controller.adapters.plug.device import ShellyDevice, TasmotaDevice
from tests.unit.controller.adapters.plug.fake_systemd import FakeSystemd


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Callable[..., Rack]]:
    with ExitStack() as stack:

        def make(plug: str, env: dict[str, str] | None = None) -> Rack:
            rack = Rack(tmp_path, plug, env or {})
            stack.callback(rack.close)
            rack.start()
            return rack

        yield make


@pytest.fixture
def shelly() -> Iterator[ShellyDevice]:
    device = ShellyDevice()
    device.watts = PLUG_W
    yield device
    device.close()


@pytest.fixture
def tasmota() -> Iterator[TasmotaDevice]:
    device = TasmotaDevice()
    device.watts = PLUG_W
    yield device
    device.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[FakeSystemd]:
    folder = tmp_path / "systemd"
    folder.mkdir()
    made = FakeSystemd(folder)
    made.add("burn.service").stop_timeout = "500ms"
    yield made
    made.close()


def all_spans(device: ShellyDevice | TasmotaDevice) -> list[tuple[float, float]]:
    device.relay.switch(False)
    return device.relay.spans


def price(rack: Rack) -> float | None:
    """The price in force; None while there is none."""
    return rack.node.state().get("price", {}).get("value")


def is_lost(plug: dict[str, Any]) -> bool:
    """Whether a plug is said to be off, with a fault."""
    return plug.get("on") is False and bool(plug["fault"])


def test_plug_trades_and_the_feed_is_never_oversubscribed(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    rack = build(f'http = "shelly://{shelly.address}/0"')
    until("the plug is on", lambda: shelly.relay.is_on)
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    until("it is metered", lambda: rack.node.load("plug").get("watts") == PLUG_W)

    def capacity(watts: float) -> None:
        words = ["-m", "rackgrid", "capacity", str(watts), "--config", str(rack.node.config)]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    capacity(20)
    until("the plug has made room", lambda: not shelly.relay.is_on)
    until("it is said to be off", lambda: rack.node.load("plug").get("on") is False)
    capacity(CAPACITY_W)
    until("the plug is on again", lambda: shelly.relay.is_on)
    assert PLUG_W + 13 - 1 < rack.peak_w(all_spans(shelly)) <= CAPACITY_W


@pytest.mark.parametrize("make", ["shelly", "tasmota"])
def test_plug_of_a_killed_controller_goes_off_before_its_grant_ends(
    build: Callable[..., Rack], shelly: ShellyDevice, tasmota: TasmotaDevice, make: str
) -> None:
    """A grant lives `grant_s` from the sending of its bid, which was before the kill."""
    device = shelly if make == "shelly" else tasmota
    rack = build(f'http = "{make}://{device.address}"')
    until("the plug is on", lambda: device.relay.is_on)
    until(
        "it was renewed", lambda: len([x for x in device.asked if "on=true" in x or " ON" in x]) > 3
    )
    assert not device.relay.spans, "it did not blink before"
    rack.node.end(signal.SIGKILL)
    killed = time.monotonic()
    until("the plug is off", lambda: not device.relay.is_on)
    (span,) = device.relay.spans
    assert span[1] <= killed + GRANT_S
    assert rack.peak_w(device.relay.spans) <= CAPACITY_W


def test_plug_of_a_stopped_controller_goes_off_in_time_and_comes_back(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    """What it had in mind when it was stopped is not done when it goes on."""
    rack = build(f'http = "shelly://{shelly.address}"')
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    until("the plug is on", lambda: shelly.relay.is_on)
    assert rack.node.controller is not None
    rack.node.controller.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    until("the plug is off", lambda: not shelly.relay.is_on)
    assert shelly.relay.spans[-1][1] <= stopped + GRANT_S
    until("its grant is over for all", lambda: time.monotonic() > stopped + 2 * GRANT_S)
    rack.node.controller.send_signal(signal.SIGCONT)
    until("it is on again", lambda: shelly.relay.is_on)
    assert rack.peak_w(all_spans(shelly)) <= CAPACITY_W


def test_unit_of_a_killed_controller_ends_before_its_grant(
    build: Callable[..., Rack], systemd: FakeSystemd
) -> None:
    burn = systemd.units["burn.service"]
    rack = build('unit = "burn.service"', systemd.environment)
    until("the unit runs", lambda: burn.is_active)
    made = lambda: [argv for argv in systemd.said if argv[0] == "systemd-run"]  # noqa: E731
    until("its timer was made anew", lambda: len(made()) > 2)
    assert not burn.spans, "it was not interrupted before"
    rack.node.end(signal.SIGKILL)
    killed = time.monotonic()
    until("the unit has ended", lambda: burn.spans)
    assert burn.spans[0][1] <= killed + GRANT_S
    assert rack.peak_w(burn.spans) <= CAPACITY_W


@pytest.mark.parametrize("make", ["shelly", "tasmota"])
def test_planned_restart_does_not_blink_a_plug(
    build: Callable[..., Rack], shelly: ShellyDevice, tasmota: TasmotaDevice, make: str
) -> None:
    device = shelly if make == "shelly" else tasmota
    rack = build(f'http = "{make}://{device.address}"')
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    until("the plug is on", lambda: device.relay.is_on)
    assert rack.node.end(signal.SIGTERM) == 0
    assert (device.relay.left_s or 0) > GRANT_S, "it runs on for longer than a grant"
    rack.node.start()
    until("it is adopted", lambda: rack.node.load("plug").get("on"))
    asked = len(device.asked)

    def renewed() -> bool:
        return any("on=true" in x or " ON" in x for x in device.asked[asked:])

    until("it is renewed by the new controller", renewed)
    assert not device.relay.spans
    assert rack.peak_w(all_spans(device)) <= CAPACITY_W


def test_node_that_leaves_switches_its_plug_off(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    rack = build(f'http = "shelly://{shelly.address}"')
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    words = ["-m", "rackgrid", "leave", "--config", str(rack.node.config)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert rack.node.controller is not None
    assert rack.node.controller.wait(DEADLINE_S) == 0
    assert not shelly.relay.is_on


def test_plug_that_comes_up_on_is_floor_and_is_not_switched(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    shelly.config["initial_state"] = "restore_last"
    rack = build(f'http = "shelly://{shelly.address}"')
    until("its node is admitted", lambda: rack.node.state().get("feed", {}).get("floors_w") == 21.0)
    until("the rack has a price", lambda: price(rack) is not None)
    assert "count as floor" in rack.node.said()
    assert not [path for path in shelly.asked if "Switch.Set" in path and "Config" not in path]
    assert not shelly.relay.is_on


def test_plug_is_locked_out_also_while_it_does_not_answer(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    """Fails if a lockout is refused, forgotten by a killed controller, or undone by an answer."""
    rack = build(f'http = "shelly://{shelly.address}"')

    def ask(deed: str) -> str:
        words = ["-m", "rackgrid", "load", deed, "plug", "--config", str(rack.node.config)]
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr

    until("the plug is on", lambda: shelly.relay.is_on)
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    assert "it is off: locked out" in ask("lock")
    until("it is off", lambda: not shelly.relay.is_on)
    ask("unlock")
    until("it is on again", lambda: shelly.relay.is_on)
    shelly.is_deaf = True
    until("it is out of reach", lambda: rack.node.load("plug").get("fault") == "unavailable")
    assert "nobody has seen that it is off" in ask("lock")
    rack.node.end(signal.SIGKILL)
    rack.node.start()
    until("it is still locked out", lambda: "locked" in (rack.node.load("plug").get("fault") or ""))
    shelly.is_deaf = False
    shelly.relay.switch(True)  # a hand at its button
    until("it is switched off", lambda: not shelly.relay.is_on)
    until("it is said to be off", lambda: rack.node.load("plug").get("reason") == "off: locked out")
    shelly.relay.spans.clear()
    until("a lamp has its watts", lambda: any(node.load("lamp").get("on") for node in rack.nodes))
    assert not shelly.relay.is_on
    ask("unlock")
    until("it is on again", lambda: shelly.relay.is_on)


def test_plug_that_does_not_answer_holds_nothing_up_and_comes_back(
    build: Callable[..., Rack], shelly: ShellyDevice
) -> None:
    rack = build(f'http = "shelly://{shelly.address}"')
    until("the plug is on", lambda: shelly.relay.is_on)
    until("it is said to be on", lambda: rack.node.load("plug").get("on"))
    shelly.is_deaf = True
    until("it is off by its own timer", lambda: not shelly.relay.is_on)
    until("it is said to be off, and why", lambda: is_lost(rack.node.load("plug")))
    until("the rack has a price", lambda: price(rack) is not None)
    until(
        "another load has its watts",
        lambda: any(node.load("lamp").get("on") for node in rack.nodes),
    )
    shelly.is_deaf = False
    until("it is on again", lambda: shelly.relay.is_on)
    assert rack.peak_w(all_spans(shelly)) <= CAPACITY_W
