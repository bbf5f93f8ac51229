"""An output that modulates, on a real line: lgpio's own pulses, and that none outlives its process.

The lamp is behind a MOSFET here. Pulses come from a thread of the firmware, so whatever ends or
stops the process ends them too, at any level; these tests look at the line afterwards.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.vpi.bench import wait_until
from tests.vpi.node import BOARD, FIRMWARE, LAMP, SERVER, Node, of
from tests.vpi.plant import FOLDER, Edge

from rackgrid_firmware.link import Refused, Switched, Telemetry

pytestmark = pytest.mark.vpi

HZ = 50
THIRD, MOST = 300, 800
"""Parts of full power, in thousandths."""


@pytest.fixture
def dimmer(node: Node) -> Node:
    """A node whose lamp is dimmed by pulses, on an idle firmware."""
    relay = f"gpio = {LAMP}\n"
    assert relay in BOARD
    node.pi.write(
        "/etc/rackgrid/board.toml",
        BOARD.replace(relay, f"pwm = {LAMP}\npwm_hz = {HZ}\nmin_level = 0.1\n"),
    )
    node.start()
    return node


@pytest.fixture
def dimmed(dimmer: Node) -> Node:
    """The lamp pulses, under a hold that outlasts the test, by a hand that was left to itself."""
    dimmer.leave_hand(f"dim lamp 19.9 {THIRD} listen 600")
    wait_until("it pulses", lambda: len(dimmer.plant.edges(LAMP)) > HZ)
    dimmer.plant.forget_edges()
    return dimmer


def duty(edges: list[Edge]) -> float:
    """The part of the time, from the first rising edge to the last, during which a line is high."""
    rising = [at for at, edge in enumerate(edges) if edge.level]
    whole = edges[rising[0] : rising[-1] + 1]
    high_ns = sum(after.t_ns - edge.t_ns for edge, after in pairwise(whole) if edge.level)
    return high_ns / (whole[-1].t_ns - whole[0].t_ns)


def wait_for_quiet(node: Node) -> list[Edge]:
    """Wait until the lamp's line has been still for many periods; return all its edges."""
    before: list[list[Edge]] = [[]]

    def is_still() -> bool:
        before.append(node.plant.edges(LAMP))
        node.pi.run("sleep 0.5")
        return node.plant.edges(LAMP) == before[-1]

    wait_until("its line is still", is_still)
    return before[-1]


def test_dimmed_load_gets_its_part_by_pulses_and_another_part_when_told(dimmer: Node) -> None:
    dimmer.plant.forget_edges()
    heard = dimmer.hand(f"dim lamp 15 {THIRD} until switched listen 3")
    third = dimmer.plant.edges(LAMP)
    assert duty(third) == pytest.approx(THIRD / 1000, abs=0.1), "a busy machine's edges come late"
    assert [report.state.level for report in of(Switched, heard)] == [THIRD]
    assert of(Telemetry, heard)[-1].outputs[1].level == THIRD
    dimmer.plant.forget_edges()
    dimmer.hand(f"dim lamp 15 {MOST} listen 3 release lamp until switched")
    edges = wait_for_quiet(dimmer)
    most = [edge for edge in edges if edge.t_ns > edges[0].t_ns + 500_000_000]
    assert duty(most) == pytest.approx(MOST / 1000, abs=0.1)
    assert not edges[-1].level, "let go of, it is off"
    assert not dimmer.on()["lamp"]


def test_full_power_and_off_are_levels_without_pulses(dimmer: Node) -> None:
    dimmer.plant.forget_edges()
    dimmer.hand("hold lamp 15 until switched listen 1 release lamp until switched listen 1")
    up, down = dimmer.plant.edges(LAMP)
    assert (up.level, down.level) == (True, False)


def test_less_than_its_least_part_is_refused_and_nothing_moves(dimmer: Node) -> None:
    dimmer.plant.forget_edges()
    (refused,) = of(Refused, dimmer.hand("dim lamp 15 50 until refused"))
    assert refused.output == "lamp"
    assert not dimmer.plant.edges(LAMP)


def test_pulses_end_low_at_the_deadline_of_a_dead_hand(dimmed: Node) -> None:
    dimmed.leave_hand("listen 1")  # the one before is ended by this, and its hold is not renewed
    edges = wait_for_quiet(dimmed)
    assert not edges[-1].level
    assert "output=lamp on=0 cause=deadline" in dimmed.journal()


def test_pulses_of_a_killed_firmware_end_and_the_helper_leaves_the_line_low(dimmed: Node) -> None:
    killed = dimmed.pid()
    dimmed.pi.run(f"systemctl kill --kill-whom=main -s KILL {FIRMWARE}")
    dimmed.wait_for_restart(killed)
    edges = wait_for_quiet(dimmed)
    assert not edges[-1].level
    assert not dimmed.on()["lamp"]
    assert not dimmed.plant.edges(SERVER), "a required load does not notice"


def test_stopped_firmware_cannot_leave_a_pulse_on_beyond_the_watchdog(dimmed: Node) -> None:
    """Stopped in the middle of a pulse, the load has all of its power until then: see `pwm`."""
    hung = dimmed.pid()
    is_high = f"grep -q '^{LAMP} out 1' {FOLDER}/lines"
    dimmed.pi.run(f"while ! {is_high}; do :; done; kill -STOP {hung}")
    dimmed.wait_for_restart(hung)
    edges = wait_for_quiet(dimmed)
    assert not edges[-1].level
    assert not dimmed.on()["lamp"]
    assert "Watchdog timeout" in dimmed.journal()


def test_orderly_end_stops_the_pulses_low(dimmed: Node) -> None:
    dimmed.pi.run(f"systemctl stop {FIRMWARE}")
    edges = wait_for_quiet(dimmed)
    assert not edges[-1].level
    assert dimmed.show(FIRMWARE, "Result") == "success"
    assert dimmed.on() == {"server": True, "lamp": False, "pump": False}
