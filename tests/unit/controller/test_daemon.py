"""The daemon in this very process: a real loop, real loopback multicast, a real link.

The firmware at the other end of the link is played by the test, so that it can be lost, found and
silent at will; what real firmwares and whole racks do is in tests/rack.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
import urllib.request
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.played import PlayedFirmware, write_config

from rackgrid import daemon as daemons
from rackgrid.adapters import roster_shelf
from rackgrid.adapters.roster_shelf import RosterShelf
from rackgrid.config import Config
from rackgrid.config_file import load_config
from rackgrid.core.event import CapacityChanged, Event, HandoverRequested
from rackgrid.core.roster import Roster
from rackgrid.daemon import Daemon, serve
from rackgrid.errors import StoreError
from rackgrid.identity import NO_RACK
from rackgrid.parts import Parts, assemble
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.link import (
    Hold,
    MakeSafe,
    Release,
    Telemetry,
)

DEADLINE_S = 10.0
S = 1_000_000_000


async def until(what: str, condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.005)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path))


@asynccontextmanager
async def running(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[tuple[Daemon, asyncio.Task[int]]]:
    """Serve, and catch the daemon that `serve` makes."""
    made: list[Daemon] = []

    class Caught(Daemon):
        def __init__(self, parts: Parts, api_port: int) -> None:
            super().__init__(parts, api_port)
            made.append(self)

    monkeypatch.setattr(daemons, "Daemon", Caught)
    task = asyncio.create_task(serve(parts))
    await until("the daemon is made", lambda: made or task.done())
    try:
        yield made[0], task
    finally:
        if not task.done():
            made[0].stop()
        await asyncio.wait([task], timeout=DEADLINE_S)
        task.result()


def lamp_is_held(firmware: PlayedFirmware) -> bool:
    return any(isinstance(command, Hold) for command in firmware.commands)


def test_daemon_alone_leads_switches_and_detaches_on_sigterm(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, task):
            await until("the lamp is held", lambda: lamp_is_held(firmware))
            await until("it is on", lambda: daemon.view().loads[0].on)
            assert daemon.health() == (True, "broker")
            view = daemon.view()
            assert (view.role, view.authority, view.price.value) == ("broker", True, 0.25)
            asked_ns = time.monotonic_ns()
            os.kill(os.getpid(), signal.SIGTERM)
            code = await task
        last = firmware.commands[-1]
        assert isinstance(last, Hold), "the outputs run on to their deadlines"
        assert last.deadline_ns - asked_ns > 3 * S, (
            "and those are a pledge's: no grant lasts so long"
        )
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 0
    lines = (config.path.parent / "trace.pi-1").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {"role", "price", "price_sent", "switch"} <= {event["event"] for event in events}


def test_daemon_asked_to_leave_makes_its_outputs_safe_and_ends_well(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, task):
            await until("the lamp is held", lambda: lamp_is_held(firmware))
            await until("it is on", lambda: daemon.view().loads[0].on)
            daemon.leave()
            code = await task
            await until("made safe", lambda: isinstance(firmware.commands[-1], MakeSafe))
        assert any(isinstance(command, Release) for command in firmware.commands)
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 0


def test_daemon_answers_on_its_api_while_it_runs(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def ask(url: str) -> dict[str, object]:
        with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
            return json.load(answer)

    async def scenario() -> None:
        async with running(assemble(config), monkeypatch) as (daemon, _):
            await until("it says where", lambda: "API at http" in caplog.text)
            url = caplog.text.split("API at ")[1].split()[0]
            state = await asyncio.to_thread(ask, url)
            assert state["node"] == {
                "id": daemon.view().node.id,
                "name": "pi-1",
                "priority": 1,
            }
            port = daemon.view().members[0].api_port
            assert f":{port}/" in url, "the others are told the port that the kernel chose"

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())


def test_daemon_whose_api_port_is_taken_goes_on_without(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(port: int) -> None:
        taken = replace(config, web=replace(config.web, port=port))
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(taken), monkeypatch) as (daemon, _):
            await until("it leads", lambda: daemon.health()[0])
        firmware.close()

    with socket.create_server(("127.0.0.1", 0)) as holder:
        asyncio.run(scenario(holder.getsockname()[1]))
    assert "the port is in use" in caplog.text


def test_daemon_without_firmware_stays_up_and_finds_it_again_each_time_it_comes(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with running(assemble(config), monkeypatch) as (daemon, _):
            assert daemon.health() == (False, "the firmware is not attached")
            firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
            await until("it leads", lambda: daemon.health() == (True, "broker"))
            firmware.close()
            await until("it is lost", lambda: daemon.node.state.agent.board is None)
            assert not daemon.health()[0]
            assert daemon.node.state.office is None, "without its firmware it does not lead"
            again = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
            await until("it leads again", lambda: daemon.health() == (True, "broker"))
            again.hang_up()
            await until("attached twice", lambda: again.attached == 2)
            await until("adopted", lambda: daemon.node.state.agent.board is not None)
            again.close()

    asyncio.run(scenario())


def test_daemon_metered_source_offers_what_its_meter_reads(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, _):
            await until("attached", lambda: firmware.attached)
            await until("adopted", lambda: daemon.node.state.agent.board is not None)
            now_ns = time.monotonic_ns()
            reading = Reading("panel", now_ns, 12.0, 2.0, 0, Quality.FRESH)
            firmware.send(Telemetry(now_ns, (reading,), ()))

            def offers() -> dict[str, int]:
                return {o.source: o.power_mw for o in daemon.node.state.agent.offers}

            await until("24 W of sun", lambda: offers() == {"solar": 24_000, "grid": 50_000})
        firmware.close()

    asyncio.run(scenario())


def test_daemon_bug_ends_it_with_its_outputs_safe_and_one_report(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, task):
            await until("attached", lambda: firmware.attached)

            def broken(_event: Event) -> list[object]:
                raise AssertionError("a promise of the core is broken")

            monkeypatch.setattr(daemon.node, "handle", broken)
            code = await task
            await until("made safe", lambda: isinstance(firmware.commands[-1], MakeSafe))
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 1
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.levelno == logging.CRITICAL
    assert "a promise of the core is broken" in (caplog.text)


def test_daemon_promise_that_cannot_be_kept_ends_it_with_a_line(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        parts = assemble(config)

        def full(_pair: object) -> None:
            raise StoreError("no space left in run/")

        monkeypatch.setattr(parts.store, "remember", full)
        async with running(parts, monkeypatch) as (_, task):
            code = await task
        assert not any(isinstance(c, MakeSafe) for c in firmware.commands), "it detaches"
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 1
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert errors == ["no space left in run/"]


def test_daemon_of_a_machine_that_slept_makes_safe_and_starts_anew(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, task):
            await until("attached", lambda: firmware.attached)
            monkeypatch.setattr(daemon._suspend, "slept_ns", lambda: 10**9)
            code = await task
            await until("made safe", lambda: isinstance(firmware.commands[-1], MakeSafe))
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 1
    assert "the machine was suspended" in caplog.text


def test_daemon_restarted_uses_new_terms_and_remembers_whom_it_followed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def boot() -> tuple[int, int]:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, _):
            quiet_ns = daemon.node.state.quiet_until_ns - time.monotonic_ns()
            await until("it leads", lambda: daemon.health()[0])
            term = daemon.view().term
        firmware.close()
        return term, quiet_ns

    first, quiet_ns = asyncio.run(boot())
    assert quiet_ns > 0, "nothing is remembered: it waits before it votes"
    second, quiet_ns = asyncio.run(boot())
    assert second > first
    assert quiet_ns <= 0


def test_daemon_keeps_its_roster_and_finds_it_again(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if a restart makes another rack of this one, and forgets its floors."""

    async def boot() -> Roster:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        parts = assemble(config)
        began = parts.shelf.roster
        async with running(parts, monkeypatch) as (daemon, _):
            state = daemon.node.state
            assert state.roster == began
            await until("it leads", lambda: daemon.health()[0] and daemon.view().authority)
            await until("stored", lambda: state.roster.stamp > began.stamp and not state.storing)
            kept = state.roster
        firmware.close()
        assert RosterShelf(config.node.state_dir).roster.stamp >= kept.stamp
        return kept

    first, second = asyncio.run(boot()), asyncio.run(boot())
    assert first.rack == second.rack != NO_RACK
    assert [line.name for line in second.lines] == ["pi-1"]
    assert second.stamp > first.stamp


def test_daemon_whose_disk_takes_no_roster_ends_with_a_line(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_path: Path, _data: bytes, **_: object) -> None:
        raise OSError(28, "No space left on device")

    async def scenario() -> int:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        parts = assemble(config)
        monkeypatch.setattr(roster_shelf, "write_whole", full)
        async with running(parts, monkeypatch) as (_, task):
            code = await task
        assert not any(isinstance(c, MakeSafe) for c in firmware.commands), "it detaches"
        firmware.close()
        return code

    assert asyncio.run(scenario()) == 1
    errors = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "No space left on device: make room" in errors[0]


def test_daemon_passes_on_what_an_operator_asks_for(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(config), monkeypatch) as (daemon, _):
            await until("it leads", lambda: daemon.view().price.value is not None)
            view = daemon.view()
            assert (len(view.rack_id), view.roster_version > 0) == (16, True)
            assert [line.absent for line in view.roster] == [False], "it hears itself"
            assert view.members[0].excess_w == 0
            daemon.ask(CapacityChanged(time.monotonic_ns(), 20_000))
            await until("20 W are shared out", lambda: daemon.view().feed.capacity_w == 20)
            daemon.ask(HandoverRequested(time.monotonic_ns()))
            assert daemon.node.state.office is None
        firmware.close()

    asyncio.run(scenario())


def test_daemon_with_an_mqtt_server_that_is_away_does_its_work(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with config.path.open("a") as file:
        file.write(f'\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n')
    bridged = load_config(config.path)

    async def scenario() -> None:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock")
        async with running(assemble(bridged), monkeypatch) as (daemon, _):
            await until("the lamp is held", lambda: lamp_is_held(firmware))
            assert daemon._bridge is not None
            assert daemon._bridge.alive()
        firmware.close()

    asyncio.run(scenario())
