"""What a firmware process is made of: the board that its profile names, and what it remembers.

The order matters: outputs are claimed at their safe levels before anything else is opened, and
closed last.
"""

from __future__ import annotations

import contextlib

from rackgrid_firmware.board import Board, Ways, mock_ways, real_ways
from rackgrid_firmware.meter import Health
from rackgrid_firmware.notify import ERROR, INFO, WARNING, log
from rackgrid_firmware.option import Options
from rackgrid_firmware.output import DwellFile, Outputs, calm_until_ns, kernel_boot_id
from rackgrid_firmware.profile import Profile


def open_board(options: Options, profile: Profile, stack: contextlib.ExitStack) -> Board:
    """Open every device of the profile; the stack closes them, the outputs at their safe levels.

    Raises:
        ValueError: the board is mock and there is no plant, or the other way round.
        DeviceUnavailable: there is no plant.
    """
    board = Board(profile, _ways(options, profile), on_health=_log_health)
    stack.callback(board.close)
    for trouble in board.troubles:
        log(ERROR, "trouble", device=trouble.device, why=trouble.problem)
    return board


def open_outputs(options: Options, board: Board) -> Outputs:
    """Put the guard over a board's outputs, with what the last process of this boot left to us."""
    boot_id = kernel_boot_id()
    dwell = DwellFile(options.runtime / "dwell.json", boot_id) if options.runtime else None
    calm_ns = calm_until_ns(board.profile, boot_id)
    return Outputs(
        board.profile, board.relays, dwell, heartbeat=board.heartbeat, calm_until_ns=calm_ns
    )


def _ways(options: Options, profile: Profile) -> Ways:
    if profile.driver == "mock" and options.plant is None:
        raise ValueError(f"{options.profile}: a mock board needs a plant: add --plant SOCKET")
    if profile.driver != "mock" and options.plant is not None:
        raise ValueError(f"{options.profile}: a real board has no plant: leave out --plant")
    return real_ways() if options.plant is None else mock_ways(profile, options.node, options.plant)


def _log_health(health: Health) -> None:
    if health.failing:
        log(WARNING, "meter-failing", meter=health.meter, why=health.problem)
    else:
        log(INFO, "meter-works", meter=health.meter, failures=health.failures)
