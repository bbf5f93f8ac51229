"""Whether a firmware that has attached fits what this node was told, and what the rack counts with.

The two processes are configured by two files and may be of two installations: what one assumes of
the other is compared once, when they meet.
"""

from __future__ import annotations

from rackgrid.core import board as boards
from rackgrid.core import nameplate
from rackgrid.core.board import Board
from rackgrid.core.settings import MS_NS
from rackgrid.core.state import State
from rackgrid.value import replace
from rackgrid_firmware.link import Attached


def is_too_slow(node: State, report: Attached) -> bool:
    """Whether this firmware opens an output later than every broker counts with (P3).

    Such a node is treated as one without a firmware: it reports nothing, so it is granted nothing.
    """
    most_ns = max(0, node.timing.shed_ns_max)
    if report.shed_ns <= most_ns:
        return False
    node.note(
        f"the firmware of {report.board} may open an output {report.shed_ns / MS_NS:g} ms after its"
        f" deadline, and the rack counts with {most_ns / MS_NS:g} ms at most: this node takes no"
        " grant; install the firmware that belongs to this controller"
    )
    return True


def compare_loads(node: State, board: Board) -> None:
    """Say where the configuration and the board profile disagree about a load."""
    for load in node.settings.loads:
        spec = board.specs.get(load.output)
        if spec is None:
            known = ", ".join(sorted(board.specs))
            node.note(
                f"load {load.name}: board {board.name} has no output {load.output!r}"
                f" (it has {known}); correct `output` in the configuration"
            )
        elif spec.required and load.is_beyond_board:
            node.note(
                f"load {load.name} is not switched, and its watts count as floor, until it answers"
                " and is known to go off by itself; the log says what is missing"
            )
        elif spec.required != load.required:
            node.note(
                f"load {load.name}: the board profile and the configuration disagree on"
                " whether it is required; the board profile holds"
            )


def note_nameplates(node: State, before: Board, after: Board) -> None:
    """Keep, and say, which loads have just proved to take more than the board profile says."""
    if after.plates is before.plates:
        return
    if after.plates.until != before.plates.until:
        kept = nameplate.proofs(after.plates, boards.nominals_mw(after))
        node.agent = replace(node.agent, proofs=kept)
    for load in node.settings.loads:
        learned_mw = after.plates.learned.get(load.output, 0)
        if learned_mw > before.plates.learned.get(load.output, 0):
            nominal_mw = after.specs[load.output].nominal_mw
            node.note(
                f"load {load.name} takes {learned_mw / 1000:.1f} W and its nameplate says"
                f" {nominal_mw / 1000:.1f} W: it counts with what it takes for an hour;"
                " correct `nominal_w` in the board profile"
            )
