"""A process stands still and goes on as if nothing had been: a controller, a firmware."""

from __future__ import annotations

import functools
import select
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.rack.rig import Rig, RigNode, wait_until
from tests.rack.tight import (
    abreast,
    assert_bound,
    drawn_w,
    pumps_on,
    tight,
    wait_more_pumps,
    wait_settled,
)

pytestmark = pytest.mark.root

WATCHDOG_S = 2.0
"""`WatchdogSec` of the firmware's unit: so long it may be silent before systemd kills it."""
LONG_S = 8.0
"""A pause that outlives every promise: others have the sleeper's watts by then."""


def stop(process: subprocess.Popen[str] | None) -> None:
    """Let a process stand still, and see that it does."""
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{process.pid}/stat")
    wait_until("it stands still", lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")


def pause(rig: Rig, sleeper: RigNode, pause_s: float) -> None:
    """Stop a controller for so long and see it give everything up, and nothing come of it after."""
    assert sleeper.controller is not None
    others = rig.others(sleeper)
    led = sleeper.state()["role"] == "broker"
    pumps, start_s = pumps_on(rig, others), time.monotonic()
    stop(sleeper.controller)
    rig.wait_for_loads([sleeper], on=False)
    rig.wait_for_broker(among=others)
    if pause_s >= LONG_S:
        wait_more_pumps(rig, others, than=pumps)
    select.select([], [], [], max(0.0, start_s + pause_s - time.monotonic()))
    woken_ns = time.monotonic_ns()
    sleeper.controller.send_signal(signal.SIGCONT)
    broker = wait_settled(rig)
    assert not [x for x in sleeper.said("role", woken_ns) if x["role"] == "broker"]
    assert not led or broker is not sleeper


def pauses(rig: Rig, broker_s: float, member_s: float) -> None:
    """On one rack: the broker stands still for so long, then a member."""
    rig.start()
    pause(rig, wait_settled(rig), broker_s)
    pause(rig, rig.others(wait_settled(rig))[0], member_s)
    assert_bound(rig)


def test_pause_of_a_controller_ends_its_loads_by_the_firmware_and_its_office_by_the_others() -> (
    None
):
    """Three seconds, which a grant does not outlive, and ten, in which others take its watts."""
    with ExitStack() as stack:
        rigs = [stack.enter_context(tight()) for _ in range(2)]
        abreast(
            [
                functools.partial(pauses, rigs[0], 3.0, 10.0),
                functools.partial(pauses, rigs[1], 10.0, 3.0),
            ]
        )


def test_pause_of_a_firmware_is_ended_by_its_watchdog_before_its_watts_are_given_away() -> None:
    """The margin of every count is for this: nothing opens the contacts at the deadline.

    What systemd does is done here by hand: SIGKILL when the watchdog has not been fed, the unit's
    own helper, and a new start. One node's controller has died with it, so that its grants are
    counted to their last moment and then given to others; the other's goes on.
    """
    with tight() as rig:
        rig.start()
        broker = wait_settled(rig)
        orphan, other, *_ = rig.others(broker)
        rest = [node for node in rig.nodes if node not in (orphan, other)]
        pumps = pumps_on(rig, rest)
        for node in (orphan, other):
            stop(node.firmware)
        orphan.kill()
        select.select([], [], [], WATCHDOG_S)
        assert all(drawn_w(rig, "lamp", (orphan, other))), "both have outlived their grants"
        for node in (orphan, other):
            assert node.firmware is not None
            node.firmware.kill()
            node.firmware.wait()
            node.make_safe()
        assert drawn_w(rig, "lamp", (orphan, other)) == [0.0, 0.0]
        wait_more_pumps(rig, rest, than=pumps)
        rig.bring_back()
        assert wait_settled(rig) is broker
        assert_bound(rig)
