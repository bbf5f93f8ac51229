"""Two ends as one board: what passes through, what is merged, and what waits."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.controller.adapters.plug.lamp import TIMER, Clock, Lamp

from rackgrid.adapters.firmware import FirmwareLink
from rackgrid.adapters.outputs import ANEW_NS, Outputs
from rackgrid.adapters.plug.bank import Bank
from rackgrid.adapters.plug.socket import Socket
from rackgrid.deadman import SECOND_NS
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import (
    VERSION,
    Attach,
    Attached,
    Clear,
    Command,
    Hold,
    Lock,
    MakeSafe,
    Malformed,
    OutputSpec,
    OutputState,
    Refused,
    Release,
    Report,
    Switched,
    Telemetry,
    decode,
    encode,
)

PUMP = OutputSpec("pump", False, 5000, 7000, 10, 1, 1, "m")
PUMP_OFF = OutputState("pump", False, 1, 0, 0, "boot", Verdict.UNKNOWN)
PUMP_ON = OutputState("pump", True, 2, 99, 0, "held", Verdict.OK)
READING = Reading("m", 5, 12.0, 0.5, 7, Quality.FRESH)
ATTACHED = Attached(VERSION, "demo", 2500, 20 * SECOND_NS, 50_000_000, (PUMP,), (PUMP_OFF,))
EVERY = (
    ATTACHED,
    Telemetry(1, (READING,), (PUMP_OFF,), 3),
    Switched(2, PUMP_ON, 4),
    Refused(5, "pump", "deadline past", 0),
)


class Desk:
    """The firmware's end of a real socket, and the outputs over it."""

    def __init__(self, folder: Path, lamps: tuple[str, ...]) -> None:
        self.clock = Clock()
        self.lamps = {name: Lamp(self.clock) for name in lamps}
        sockets = [Socket(name, lamp, 40_000, 60_000, 0, 0, 0) for name, lamp in self.lamps.items()]
        self.clock.wind(-TIMER.deliver_ns / SECOND_NS)  # no word from before is on its way
        self.bank = Bank(sockets, self.clock) if sockets else None
        self.clock.wind(TIMER.deliver_ns / SECOND_NS)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(str(folder / "firmware.sock"))
        self._listener.listen()
        self.outputs = Outputs(FirmwareLink(folder / "firmware.sock", 42), self.bank, self.clock)
        self.peer: socket.socket | None = None
        self.connect()

    def connect(self) -> None:
        if self.peer is not None:
            self.peer.close()
        assert self.outputs.connect()
        self.peer, _ = self._listener.accept()
        assert self.heard() == [Attach(VERSION, 42)]

    @property
    def end(self) -> socket.socket:
        assert self.peer is not None
        return self.peer

    def say(self, *reports: Report) -> None:
        for report in reports:
            self.end.send(encode(report))

    def heard(self) -> list[Command | Report | Malformed]:
        found: list[Command | Report | Malformed] = []
        while True:
            try:
                found.append(decode(self.end.recv(65536, socket.MSG_DONTWAIT)))
            except BlockingIOError:
                return found

    async def turn(self, after_s: float = 0.0) -> None:
        self.clock.wind(after_s)
        assert self.bank is not None
        for remote in self.bank._remotes.values():
            await remote.turn()

    async def attach(self) -> Attached:
        await self.turn()
        self.say(ATTACHED)
        (attached,) = self.outputs.receive()
        assert isinstance(attached, Attached)
        return attached

    def close(self) -> None:
        self.outputs.close()
        self.end.close()
        self._listener.close()


def play(folder: Path, lamps: tuple[str, ...], scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def whole() -> None:
        desk = Desk(folder, lamps)
        try:
            await scene(desk)
        finally:
            desk.close()

    asyncio.run(whole())


# --- what only a person may ask ---------------------------------------------------------------


def test_lock_and_clear_reach_whose_output_it_is(tmp_path: Path) -> None:
    """Fails if a plug's lockout is handed to the firmware, which does not know the plug."""

    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.outputs.send(Lock(1, "heater", True))
        desk.outputs.send(Lock(2, "pump", True))
        desk.outputs.send(Clear(3, "pump"))
        assert desk.heard() == [Lock(2, "pump", True), Clear(3, "pump")]
        told = [report for report in desk.outputs.receive() if isinstance(report, Switched)]
        assert [(each.state.name, each.state.is_locked) for each in told] == [("heater", True)]
        desk.outputs.send(Clear(4, "heater"))
        desk.outputs.send(Lock(5, "heater", False))
        (told,) = [report for report in desk.outputs.receive() if isinstance(report, Switched)]
        assert not told.state.is_locked
        assert desk.heard() == []

    play(tmp_path, ("heater",), scene)


# --- nothing beyond the board -------------------------------------------------------------------


def test_without_plugs_every_report_passes_as_it_is(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        desk.say(*EVERY)
        assert desk.outputs.receive() == [*EVERY]
        assert desk.outputs.receive() == []

    play(tmp_path, (), scene)


def test_without_plugs_every_command_passes_as_it_is(tmp_path: Path) -> None:
    commands = (Hold(1, "pump", 9, starts=False), Release(2, "lamp", True), MakeSafe(0))

    async def scene(desk: Desk) -> None:
        for command in commands:
            desk.outputs.send(command)
        assert desk.heard() == [*commands]
        desk.outputs.start(lambda: None, lambda _: None)
        await desk.outputs.settle(60)

    play(tmp_path, (), scene)


def test_link_is_the_firmwares(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        assert desk.outputs.connected
        os.fstat(desk.outputs.fileno())
        desk.end.close()
        assert desk.outputs.receive() == []
        assert desk.outputs.lost
        assert not desk.outputs.connected
        desk.outputs.lost = False
        assert not desk.outputs.lost
        assert desk.outputs.fileno() == -1

    play(tmp_path, (), scene)


# --- one board ----------------------------------------------------------------------------------


def test_board_is_both(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        attached = await desk.attach()
        assert [spec.name for spec in attached.specs] == ["pump", "lamp"]
        assert [state.name for state in attached.outputs] == ["pump", "lamp"]
        assert (attached.base_mw, attached.shed_ns) == (ATTACHED.base_mw, ATTACHED.shed_ns)
        assert attached.hold_max_ns == ATTACHED.hold_max_ns

    play(tmp_path, ("lamp",), scene)


def test_board_waits_until_the_plugs_are_known_and_loses_no_report(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        assert desk.bank is not None
        desk.bank._ready_ns = desk.clock() + SECOND_NS
        desk.say(*EVERY[:2], EVERY[1], *EVERY[2:])
        assert desk.outputs.receive() == []
        await desk.turn()
        kinds = [type(report) for report in desk.outputs.receive()]
        assert kinds == [Attached, Telemetry, Switched, Refused]

    play(tmp_path, ("lamp",), scene)


def test_plug_that_does_not_answer_in_time_is_floor(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        assert desk.bank is not None
        desk.lamps["lamp"].is_away = True
        desk.bank._ready_ns = desk.clock() + SECOND_NS
        desk.say(ATTACHED)
        await desk.turn()
        assert desk.outputs.receive() == []
        desk.clock.wind(1.1)
        (attached,) = desk.outputs.receive()
        assert isinstance(attached, Attached)
        assert [spec.required for spec in attached.specs] == [False, True]

    play(tmp_path, ("lamp",), scene)


def test_refusal_to_attach_is_told_at_once(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        refused = Refused(0, "", "busy", 0)
        desk.say(refused)
        assert desk.outputs.receive() == [refused]

    play(tmp_path, ("lamp",), scene)


def test_telemetry_tells_of_both(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        desk.lamps["lamp"].watts = 33.0
        await desk.attach()
        desk.say(Telemetry(9, (READING,), (PUMP_ON,), 0))
        (told,) = desk.outputs.receive()
        assert isinstance(told, Telemetry)
        assert told.t_ns == 9
        assert [reading.meter for reading in told.readings] == ["m", "plug/lamp"]
        assert [state.name for state in told.outputs] == ["pump", "lamp"]

    play(tmp_path, ("lamp",), scene)


def test_command_goes_to_whom_it_names(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.clock.wind(1)
        on_until = desk.clock() + 5 * SECOND_NS
        desk.outputs.send(Hold(1, "lamp", on_until))
        desk.outputs.send(Hold(2, "pump", on_until))
        await desk.turn()
        assert desk.lamps["lamp"].is_on
        assert desk.heard() == [Hold(2, "pump", on_until)]
        (switched,) = desk.outputs.receive()
        assert isinstance(switched, Switched)
        assert (switched.state.name, switched.state.on) == ("lamp", True)
        desk.outputs.send(MakeSafe(0))
        await desk.turn()
        assert not desk.lamps["lamp"].is_on
        assert desk.heard() == [MakeSafe(0)]

    play(tmp_path, ("lamp",), scene)


def test_handled_never_runs_ahead_of_the_firmware(tmp_path: Path) -> None:
    """What the bank decides at once says nothing of a command on its way to the firmware."""

    async def scene(desk: Desk) -> None:
        await desk.attach()

        def handled(by_firmware: int) -> int:
            desk.say(Telemetry(9, (), (), by_firmware))
            told = [r for r in desk.outputs.receive() if isinstance(r, Telemetry)]
            return told[-1].handled

        on_until = desk.clock() + 5 * SECOND_NS
        assert handled(0) == 0
        for seq, name in enumerate(("pump", "lamp", "pump", "lamp"), 1):
            desk.outputs.send(Hold(seq, name, on_until))
        assert handled(0) == 0
        assert handled(1) == 2
        assert handled(3) == 4
        desk.outputs.send(Release(5, "lamp", True))
        assert handled(3) == 5

    play(tmp_path, ("lamp",), scene)


def test_switched_of_the_firmware_tells_what_both_have_decided(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.outputs.send(Hold(1, "pump", desk.clock() + SECOND_NS))
        desk.outputs.send(Hold(2, "lamp", desk.clock() + SECOND_NS))
        desk.say(Switched(3, PUMP_ON, 1))
        told = [r for r in desk.outputs.receive() if isinstance(r, Switched)]
        assert (told[0].state, told[0].handled) == (PUMP_ON, 2)

    play(tmp_path, ("lamp",), scene)


def test_firmware_that_comes_back_is_one_board_again(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.clock.wind(1)
        desk.outputs.send(Hold(7, "lamp", desk.clock() + 9 * SECOND_NS))
        desk.outputs.send(Hold(8, "pump", desk.clock() + 9 * SECOND_NS))
        await desk.turn()
        desk.end.close()
        desk.outputs.receive()
        assert desk.outputs.lost
        desk.outputs.lost = False
        desk.connect()
        attached = await desk.attach()
        lamp = attached.outputs[1]
        assert (lamp.name, lamp.on, lamp.cause) == ("lamp", True, "held")
        desk.say(Telemetry(9, (), (), 0))
        assert [r.handled for r in desk.outputs.receive() if isinstance(r, Telemetry)] == [0]

    play(tmp_path, ("lamp",), scene)


def test_board_that_is_lost_while_plugs_are_awaited_is_not_attached(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        assert desk.bank is not None
        desk.bank._ready_ns = desk.clock() + SECOND_NS
        desk.say(ATTACHED)
        assert desk.outputs.receive() == []
        desk.end.close()
        await desk.turn()
        assert desk.outputs.receive() == []
        assert desk.outputs.lost

    play(tmp_path, ("lamp",), scene)


# --- the floor ----------------------------------------------------------------------------------


def test_plug_that_lost_its_dead_man_raises_the_floor_at_once(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.clock.wind(1)
        desk.lamps["lamp"].timer_works = False
        desk.outputs.send(Hold(1, "lamp", desk.clock() + 5 * SECOND_NS))
        await desk.turn()
        desk.outputs.receive()
        assert desk.outputs.lost
        assert not desk.outputs.connected
        desk.outputs.lost = False
        desk.connect()
        attached = await desk.attach()
        assert [spec.required for spec in attached.specs] == [False, True]

    play(tmp_path, ("lamp",), scene)


def test_plug_that_found_its_dead_man_lowers_the_floor_after_a_while(tmp_path: Path) -> None:
    async def scene(desk: Desk) -> None:
        desk.lamps["lamp"].missing = "PowerOnState 3"
        await desk.attach()
        desk.lamps["lamp"].missing = ""
        assert desk.bank is not None
        desk.bank._remotes["lamp"]._proved_ns = 0  # its settings are looked at now and then
        await desk.turn()
        desk.outputs.receive()
        assert not desk.outputs.lost
        desk.clock.wind(ANEW_NS / SECOND_NS)
        desk.outputs.receive()
        assert desk.outputs.lost

    play(tmp_path, ("lamp",), scene)


@pytest.mark.parametrize("lamps", [("lamp",), ("lamp", "fan")])
def test_end_waits_for_the_plugs(tmp_path: Path, lamps: tuple[str, ...]) -> None:
    async def scene(desk: Desk) -> None:
        await desk.attach()
        desk.outputs.start(lambda: None, lambda _: None)
        desk.clock.wind(1)
        desk.outputs.send(Hold(1, lamps[-1], desk.clock() + 5 * SECOND_NS))
        await desk.outputs.settle(5)
        assert desk.lamps[lamps[-1]].is_on

    play(tmp_path, lamps, scene)
