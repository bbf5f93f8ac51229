"""An output that modulates, in a real process: its level is held until the deadline and no longer.

Fails if a level outlives its deadline, if a killed firmware's pulses end at a level that the helper
does not undo, or if a controller that knows no levels gives less than full power. Needs no root.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

from tests.rack.bench import PATIENCE_S, Link, S, World, take, until

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.link import Attached, Hold, Refused, Switched, Telemetry

HEATER = """
[[output]]
name = "heater"
pwm = 12
active_high = false
min_level = 0.2
nominal_w = 20.0
mock = { draw_w = 20.0, noise = 0.0 }
"""


def started(build: Callable[..., World]) -> tuple[World, subprocess.Popen[bytes]]:
    world = build()
    world.profile.write_text(world.profile.read_text() + HEATER)
    return world, world.start_firmware()


def test_level_is_given_changed_and_ended_by_the_deadline(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world, _ = started(build)
    link = link_to(world)
    attached = take(link, Attached)
    assert [spec.min_level for spec in attached.specs] == [LEVEL_FULL, LEVEL_FULL, 200]
    link.send(Hold(1, "heater", time.monotonic_ns() + 4 * S, level=250))
    assert take(link, Switched).state.level == 250
    assert until(lambda: world.loads()["heater"] == 5.0)
    link.send(Hold(2, "heater", time.monotonic_ns() + 4 * S, level=100))
    assert take(link, Refused).reason == "level"
    link.send(Hold(3, "heater", time.monotonic_ns() + S, starts=False, level=750))
    assert take(link, Telemetry, lambda t: t.outputs[2].level == 750).handled == 3
    drawn = [line["loads"]["heater"] for line in world.truth() if "heater" in line["loads"]]
    assert 15.0 in drawn
    ended = take(link, Switched)
    assert (ended.state.on, ended.state.cause) == (False, "deadline")
    assert until(lambda: world.loads()["heater"] == 0.0)


def test_level_of_a_controller_that_knows_none_is_full_power(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world, _ = started(build)
    link = link_to(world)
    older = {"k": "hold", "seq": 1, "output": "heater", "starts": True}
    link.socket.send(json.dumps({**older, "deadline_ns": time.monotonic_ns() + 4 * S}).encode())
    assert take(link, Switched).state.level == LEVEL_FULL
    assert until(lambda: world.loads()["heater"] == 20.0)


def test_level_of_a_firmware_that_was_killed_is_undone_by_the_helper(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world, firmware = started(build)
    link = link_to(world)
    link.send(Hold(1, "heater", time.monotonic_ns() + 4 * S, level=250))
    assert until(lambda: world.loads()["heater"] == 5.0)
    firmware.kill()
    firmware.wait(PATIENCE_S)
    assert until(lambda: world.loads()["heater"] == 20.0), "the worse of its two levels"
    helper = world.start(
        "rackgrid_firmware.safe",
        *(str(world.profile), "--plant", str(world.plant_socket), "--node", "n1"),
    )
    assert helper.wait(PATIENCE_S) == 0
    assert until(lambda: world.loads()["heater"] == 0.0)
