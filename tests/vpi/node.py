"""A virtual Pi with a rackgrid on it: its board, its firmware, a hand on its outputs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TypeVar

from tests.vpi.bench import Pi, wait_until
from tests.vpi.plant import Edge

from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.link import Command, Malformed, OutputState, Report, Telemetry, decode

FIRMWARE = "rackgrid-firmware.service"
CONTROLLER = "rackgrid.service"
RACKGRID = "/opt/rackgrid/venv/bin/rackgrid"
HAND = "runuser -u rackgrid -- vpi-hand"
LEFT = "hand.service"
SAID = "/run/hand.said"
BEGUN = "/run/begun"

SERVER, LAMP, PUMP = 17, 22, 27
"""The lines of the three loads. The pump's relay closes at a low level."""
SHUNT_OHMS = {0x40: 0.1, 0x41: 0.02}
MIN_OFF_S = 15.0
BUS_MV = 12_000

BOARD = f"""\
[board]
name = "vpi"
driver = "pi"
base_w = 2.5
stagger_s = 0.05
hold_max_s = 20.0

[[meter]]
name = "server"
address = 0x40
shunt_ohms = {SHUNT_OHMS[0x40]}

[[meter]]
name = "flexible"
address = 0x41
shunt_ohms = {SHUNT_OHMS[0x41]}

[[output]]
name = "server"
gpio = {SERVER}
required = true
nominal_w = 4.0
meter = "server"

[[output]]
name = "lamp"
gpio = {LAMP}
nominal_w = 6.0
meter = "flexible"

[[output]]
name = "pump"
gpio = {PUMP}
active_high = false
nominal_w = 8.0
min_off_s = {MIN_OFF_S}
meter = "flexible"
"""

R = TypeVar("R", bound=Report)


class Node:
    """The node on a Pi that is up.

    Args:
        pi: that it runs on.
    """

    def __init__(self, pi: Pi) -> None:
        self.pi = pi
        self.plant = pi.plant

    def install(self) -> None:
        """Put the board's profile where the firmware's unit looks for it, and wire the loads."""
        self.pi.write("/etc/rackgrid/board.toml", BOARD)
        self.wire()

    def wire(self) -> None:
        """Let the meters see what the relays switch: 4 W, 6 W and 8 W at 12 V."""
        self.plant.meter(0x40, bus_mv=BUS_MV, **{f"high{SERVER}": microvolts(4.0, 0x40)})
        self.plant.meter(
            0x41,
            bus_mv=BUS_MV,
            **{f"high{LAMP}": microvolts(6.0, 0x41), f"low{PUMP}": microvolts(8.0, 0x41)},
        )

    def start(self, unit: str = FIRMWARE) -> None:
        """Start a unit, which has its word that it is ready when this returns."""
        self.pi.run(f"systemctl start {unit}")

    def reset(self) -> None:
        """Bring everything back to before the first start: units, memory, board, faults."""
        self.pi.run(
            f"systemctl stop {LEFT} {CONTROLLER} {FIRMWARE} 2>/dev/null; systemctl reset-failed;"
            "rm -rf /run/rackgrid-firmware /var/lib/rackgrid-firmware;"
            "rm -rf /run/systemd/system/rackgrid*.service.d;"
            "systemctl daemon-reload; modprobe -r vpi_board; /usr/local/sbin/vpi-board;"
            f"udevadm settle; date +@%s.%6N >{BEGUN}"
        )
        self.install()

    def hand(self, words: str) -> list[Report]:
        """Let a controller's hand do something at the firmware's socket; say what it was told.

        Args:
            words: see guest/bin/vpi-hand.
        """
        return reports(self.pi.run(f"{HAND} {words}"))

    def leave_hand(self, words: str) -> None:
        """Let a hand do something by itself, as the unit `hand` that may be killed."""
        self.pi.run(
            f"systemctl stop {LEFT} 2>/dev/null; rm -f {SAID};"
            f"systemd-run -q --collect --unit={LEFT} --property=StandardOutput=append:{SAID} "
            f"--property=StandardError=journal --uid=rackgrid -- /usr/local/sbin/vpi-hand {words}"
        )

    def left_hand_was_told(self) -> list[Report]:
        """All that the hand which was left has been told so far."""
        return reports(self.pi.run(f"cat {SAID}"))

    def newest(self) -> Telemetry | None:
        """The last telemetry that the hand which was left has been told; None before the first."""
        said = self.pi.run(f"grep telemetry {SAID} | tail -n 1")
        return next(iter(of(Telemetry, reports(said))), None)

    def wait_for_readings(self, what: str, **wanted: Quality) -> Telemetry:
        """Wait for a telemetry, to the hand which was left, in which meters are of that quality."""

        def such() -> Telemetry | None:
            newest = self.newest()
            if newest is None:
                return None
            found = {name: reading(newest, name).quality for name in wanted}
            return newest if found == wanted else None

        telemetry = wait_until(what, such)
        assert telemetry is not None
        return telemetry

    def show(self, unit: str, key: str) -> str:
        """One property of a unit."""
        return self.pi.run(f"systemctl show --value -p {key} {shlex.quote(unit)}").strip()

    def pid(self, unit: str = FIRMWARE) -> int:
        """The main process of a unit; 0 if none runs."""
        return int(self.show(unit, "MainPID"))

    def wait_for_restart(self, killed: int, unit: str = FIRMWARE) -> int:
        """Wait until systemd has started another process for a unit, and it is ready."""

        def another() -> int:
            pid = self.pid(unit)
            return pid if pid not in (0, killed) and self.show(unit, "SubState") == "running" else 0

        return wait_until(f"{unit} is back", another)

    def journal(self, unit: str = FIRMWARE) -> str:
        """What a unit, and systemd about it, has said since the board was brought back."""
        return self.pi.run(f'journalctl -o cat --no-pager --since "$(cat {BEGUN})" -u {unit}')

    def on(self) -> dict[str, bool]:
        """Which loads have power in truth, by the levels of their lines."""
        lines = self.plant.lines()
        return {
            "server": lines[SERVER].level,
            "lamp": lines[LAMP].level,
            "pump": not lines[PUMP].level,
        }


def reports(said: str) -> list[Report]:
    """Read the packets that a hand has printed."""
    found: list[Report] = []
    for line in said.splitlines():
        message = decode(line.encode())
        assert not isinstance(message, Malformed | Command), line
        found.append(message)
    return found


def of(kind: type[R], found: list[Report]) -> list[R]:
    """Those of a kind."""
    return [report for report in found if isinstance(report, kind)]


def reading(telemetry: Telemetry, meter: str) -> Reading:
    """What a meter says in a telemetry."""
    return next(each for each in telemetry.readings if each.meter == meter)


def output(states: Iterable[OutputState], name: str) -> OutputState:
    """How an output stands."""
    return next(state for state in states if state.name == name)


def levels(edges: list[Edge]) -> list[tuple[bool, bool]]:
    """(is output, level) of each edge."""
    return [(edge.is_output, edge.level) for edge in edges]


def microvolts(watts: float, address: int) -> int:
    """What so much power at 12 V lets fall off at a chip's shunt, uV."""
    return round(watts / (BUS_MV / 1e3) * SHUNT_OHMS[address] * 1e6)
