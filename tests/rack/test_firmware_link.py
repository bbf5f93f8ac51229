"""A firmware's socket, from outside: who may speak, and what it makes of what is said.

Fails if two controllers drive one board, if a bad packet does more than earn an answer, or if a
controller that does not read makes the firmware wait. Needs no root.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable

from tests.rack.bench import PATIENCE_S, Link, S, World, take, until

from rackgrid_firmware.device import Quality
from rackgrid_firmware.link import (
    PACKET_MAX,
    VERSION,
    Attach,
    Attached,
    Hold,
    MakeSafe,
    Refused,
    Release,
    Switched,
    Telemetry,
    decode,
    encode,
)


def test_second_controller_is_refused_until_the_first_is_gone(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    first = link_to(world)
    take(first, Attached)
    second = link_to(world, generation=2)
    assert take(second, Refused).reason == "busy"
    first.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    assert take(first, Switched).state.on, "the first goes on as if nothing had been"
    first.socket.close()
    third = link_to(world, generation=3)
    adopted = take(third, Attached).outputs[0]
    assert (adopted.name, adopted.on, adopted.cause) == ("fan", True, "held")
    third.socket.close()
    late = link_to(world, generation=2)
    assert take(late, Refused).reason == "superseded"


def test_garbage_packets_are_answered_and_survived(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    firmware = world.start_firmware()
    link = link_to(world)
    take(link, Attached)
    chance = random.Random(4)
    for length in [1, 7, 300, PACKET_MAX, PACKET_MAX + 1, 3 * PACKET_MAX]:
        link.socket.send(chance.randbytes(length))
        assert take(link, Refused).reason.startswith("malformed")
    link.socket.send(encode(Refused(0, "", "", 0)))
    assert "report" in take(link, Refused).reason
    link.send(Hold(9, "oven", time.monotonic_ns() + S))
    assert take(link, Refused).reason == "unknown output"
    link.send(Hold(10, "fan", time.monotonic_ns() + S))
    assert take(link, Switched).handled == 10
    assert firmware.poll() is None


def test_commands_before_attaching_do_nothing(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
        stranger.settimeout(PATIENCE_S)
        stranger.connect(str(world.socket))
        stranger.send(encode(Hold(5, "fan", time.monotonic_ns() + S)))
        assert decode(stranger.recv(PACKET_MAX)) == Refused(5, "", "not attached", 0)
        stranger.send(encode(Attach(VERSION + 1, 1)))
        assert decode(stranger.recv(PACKET_MAX)) == Refused(0, "", "version", 0)
    assert world.loads()["fan"] == 0.0


def test_telemetry_brings_readings_and_decided_commands(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.start_firmware()
    link = link_to(world)
    link.send(Hold(1, "fan", time.monotonic_ns() + 4 * S))
    # The meter averages over the switch for a while, and comes to the load's 10 W.
    told = take(link, Telemetry, lambda t: abs(t.readings[0].watts - 10.0) < 0.5 and t.handled == 1)
    assert [reading.meter for reading in told.readings] == ["m1", "m2"]
    assert told.outputs[0].on
    link.send(MakeSafe(2))
    link.send(Release(3, "fan", urgent=False))
    assert take(link, Switched).state.cause == "safe"
    take(link, Telemetry, lambda t: t.handled == 3 and t.readings[0].watts < 0.5)


def test_telemetry_nobody_reads_does_not_pile_up(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    firmware = world.start_firmware("--telemetry-s", "0.01")
    link = link_to(world)
    start_ns = time.monotonic_ns()
    until(lambda: time.monotonic_ns() > start_ns + S)
    world.stop(firmware)  # What waits now is all: nothing comes while it is read.
    link.socket.setblocking(False)
    waiting: list[object] = []
    with contextlib.suppress(BlockingIOError):
        while len(waiting) < 20:
            waiting.append(decode(link.socket.recv(PACKET_MAX)))
    assert isinstance(waiting[0], Attached)
    assert len(waiting) <= 4, "the answer, and the newest"


def test_chip_absent_process_stays_up_and_says_so(
    build: Callable[..., World], link_to: Callable[..., Link]
) -> None:
    world = build()
    world.control.fault("n1", 1, "nack", address=0x41, count=-1)
    firmware = world.start_firmware()
    link = link_to(world)
    until(lambda: world.says("meter-failing meter=m2"))
    assert world.says("no chip answers at 0x41")
    wanted = [Quality.FRESH, Quality.STALE]
    take(link, Telemetry, lambda t: [reading.quality for reading in t.readings] == wanted)
    link.send(Hold(1, "fan", time.monotonic_ns() + S))
    assert take(link, Switched).state.on
    world.control.repair("n1", 1)
    take(link, Telemetry, lambda t: t.readings[1].quality is Quality.FRESH)
    assert firmware.poll() is None
