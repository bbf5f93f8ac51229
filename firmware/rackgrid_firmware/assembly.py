"""What a firmware process is made of: the board that its profile names, and what it remembers.

The order matters: what is barred is known before a pin is claimed; outputs are claimed at their
safe levels before anything else is opened, and closed last.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from rackgrid_firmware.board import Board, Ways, mock_ways, real_ways
from rackgrid_firmware.boot_record import kernel_boot_id
from rackgrid_firmware.calm import calm_until_ns
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.energy import Energy, EnergyFile
from rackgrid_firmware.guard import Kept
from rackgrid_firmware.heat import HeatFile
from rackgrid_firmware.log import ERROR, INFO, WARNING, log
from rackgrid_firmware.logbook import Logbook, Record, barred_of
from rackgrid_firmware.meter import Health
from rackgrid_firmware.option import Options, leave_pins
from rackgrid_firmware.output import Outputs
from rackgrid_firmware.profile import Profile


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last process left of each output, and where to keep it from now on, if anywhere."""

    kept: dict[str, Kept]
    logbook: Logbook | None


def open_memory(options: Options, profile: Profile, stack: contextlib.ExitStack) -> Memory:
    """Read what outlived the last power cut; the stack writes what is to outlive the next."""
    logbook, kept = None, dict[str, Kept]()
    if options.state is not None:
        logbook = Logbook(
            options.state,
            kernel_boot_id(),
            lambda fault: log(ERROR, "record-not-kept", why=fault),
            lambda barred: leave_pins(options, profile, barred),
            recent=options.runtime / "starts.json" if options.runtime else None,
        )
        flexible = (output.name for output in profile.outputs if not output.required)
        kept = logbook.read(frozenset(flexible))
        logbook.start()
        stack.callback(logbook.close)
    leave_pins(options, profile, barred_of(kept))
    for name, each in kept.items():
        if each.fault or each.is_locked:
            log(WARNING, "barred", output=name, locked=int(each.is_locked), fault=each.fault)
    return Memory(kept, logbook)


def open_board(
    options: Options, profile: Profile, stack: contextlib.ExitStack, memory: Memory
) -> Board:
    """Open every device of the profile; the stack closes them, the outputs at their safe levels.

    Raises:
        ValueError: the board is mock and there is no plant, or the other way round.
        DeviceUnavailable: there is no plant.
    """
    ways = _ways(options, profile)
    energy, before = None, dict[str, Energy]()
    if options.runtime is not None:
        energy = EnergyFile(options.runtime / "energy.json", kernel_boot_id())
        before = energy.take()
    board = Board(
        profile, ways, on_health=_log_health, barred=barred_of(memory.kept), before=before
    )
    if energy is not None:
        stack.callback(_leave, energy, board)  # once it is closed, and nobody counts any more
    stack.callback(board.close)
    for trouble in board.troubles:
        log(ERROR, "trouble", device=trouble.device, why=trouble.problem)
    return board


def open_outputs(options: Options, board: Board, memory: Memory) -> Outputs:
    """Put the guard over a board's outputs, with what the last process left to us."""
    boot_id = kernel_boot_id()
    dwell = DwellFile(options.runtime / "dwell.json", boot_id) if options.runtime else None
    heat = HeatFile(options.runtime / "heat.json", boot_id) if options.runtime else None

    def keep(record: Record) -> None:
        board.bar(barred_of(record))
        if memory.logbook is not None:
            # An output whose pin we could not get this time keeps its lockout.
            memory.logbook.note({**memory.kept, **record})

    return Outputs(
        board.profile,
        board.relays,
        dwell,
        heartbeat=board.heartbeat,
        calm_until_ns=calm_until_ns(board.profile.start_delay_s, boot_id),
        kept=memory.kept,
        on_change=keep,
        heat=heat,
    )


def _ways(options: Options, profile: Profile) -> Ways:
    if profile.driver == "mock" and options.plant is None:
        raise ValueError(f"{options.profile}: a mock board needs a plant: add --plant SOCKET")
    if profile.driver != "mock" and options.plant is not None:
        raise ValueError(f"{options.profile}: a real board has no plant: leave out --plant")
    return real_ways() if options.plant is None else mock_ways(profile, options.node, options.plant)


def _leave(energy: EnergyFile, board: Board) -> None:
    try:
        energy.write(board.counted)
    except OSError as fault:
        log(WARNING, "energy-forgotten", why=fault)


def _log_health(health: Health) -> None:
    if health.failing:
        log(WARNING, "meter-failing", meter=health.meter, why=health.problem)
    else:
        log(INFO, "meter-works", meter=health.meter, failures=health.failures)
