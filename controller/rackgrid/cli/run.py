"""`rackgrid run`: this node's daemon.

Under systemd the firmware is a service of its own, and this process attaches to it. For a mock
board it is started as a child, with a plant if the configuration names none, so that one command
runs a whole node on a laptop.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs
    from rackgrid.config import Config

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("run", help="run this node's daemon")
    parser.add_argument("--config", type=Path, default=CONFIG_PATH, help="rackgrid.toml")
    parser.add_argument(
        "--attach",
        action="store_true",
        help="never start a firmware, only attach to the one that runs",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM (detach), `rackgrid leave`, or a failure that needs a new start."""
    from rackgrid.adapters import journal
    from rackgrid.config_file import load_config
    from rackgrid.daemon import serve
    from rackgrid.parts import assemble

    journal.configure()
    config = load_config(args.config)
    parts = assemble(config)
    with ExitStack() as children:
        if not args.attach:
            _start_mock(config, children)
        return asyncio.run(serve(parts))


def _start_mock(config: Config, children: ExitStack) -> None:
    """Start the mock world of a mock board; a real board has its own service."""
    from rackgrid.adapters import child
    from rackgrid_firmware.profile_file import load_profile

    if load_profile(config.node.board).driver != "mock":
        return
    runtime = config.node.runtime_dir
    plant = config.mock.plant
    if plant is None:
        plant = runtime / "plant.sock"
        mock = config.mock
        world = child.start_plant(
            plant, seed=mock.seed, trace=mock.trace, log=None, script=mock.script
        )
        children.callback(world.stop)
        child.wait_for_socket(plant, world)
    firmware = child.start_firmware(
        config.node.board, runtime, node=config.node.name, plant=plant, log=None
    )
    children.callback(firmware.stop)
    child.wait_for_socket(runtime / "firmware.sock", firmware)
