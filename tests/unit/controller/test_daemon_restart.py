"""What a daemon knows again after a restart of its process, beside its terms and its roster."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.unit.controller.played import PlayedFirmware
from tests.unit.controller.test_daemon import config as config
from tests.unit.controller.test_daemon import running, until

from rackgrid.config import Config
from rackgrid.daemon import Daemon
from rackgrid.parts import assemble
from rackgrid_firmware.device import Quality, Reading, Verdict
from rackgrid_firmware.link import OutputState, Telemetry

ON = OutputState("lamp", True, 1, 0, 0, "held", Verdict.UNKNOWN)


def learned(daemon: Daemon) -> dict[str, int]:
    board = daemon.node.state.agent.board
    return {} if board is None else dict(board.plates.learned)


def test_daemon_restarted_knows_which_of_its_loads_lied(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if each restart grants a load what its wrong nameplate says, until it is seen again."""

    async def first() -> None:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock", "m-lamp")
        async with running(assemble(config), monkeypatch) as (daemon, _):
            await until("attached", lambda: daemon.node.state.agent.board is not None)
            began_ns = time.monotonic_ns()
            for tenth in range(15):
                now_ns = began_ns + tenth * 100_000_000
                seen = (Reading("m-lamp", now_ns, 12.0, 0.75, 0, Quality.FRESH),)
                firmware.send(Telemetry(now_ns, seen, (ON,)))
            await until("it is learned", lambda: learned(daemon) == {"lamp": 9000})
        firmware.close()

    async def second() -> None:
        firmware = PlayedFirmware(config.node.runtime_dir / "firmware.sock", "m-lamp")
        async with running(assemble(config), monkeypatch) as (daemon, _):
            await until("attached", lambda: daemon.node.state.agent.board is not None)
            assert learned(daemon) == {"lamp": 9000}
        firmware.close()

    asyncio.run(first())
    asyncio.run(second())
