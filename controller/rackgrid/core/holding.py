"""What a node holds above its floor: what its outputs may draw, now and by a command under way.

The broker gives a node's watts to another as soon as the node reports that it holds less. So a
holding comes down only after the outputs have followed: a command that the firmware has not decided
on yet counts like the state that it may bring about, and an output counts as drawing until the
firmware says that it has opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid.core import board as boards
from rackgrid.core.board import Board


@dataclass(frozen=True, slots=True)
class Commanded:
    """What an output was last told.

    Attributes:
        seq: of that command.
        deadline_ns: of the hold; 0 for a release.
        latest_ns: the latest deadline that may show until the firmware has decided on this command:
            its own, that of the command before it (whose start may still wait for its turn), and
            that of any still under way by then.
    """

    seq: int
    deadline_ns: int
    latest_ns: int


Commands = Mapping[str, Commanded]


def command_after(board: Board, before: Commanded | None, seq: int, deadline_ns: int) -> Commanded:
    """Note the command that is about to follow `before`."""
    latest_ns = deadline_ns
    if before is not None:
        under_way_ns = before.latest_ns if is_under_way(board, before) else 0
        latest_ns = max(deadline_ns, before.deadline_ns, under_way_ns)
    return Commanded(seq, deadline_ns, latest_ns)


def is_under_way(board: Board, told: Commanded) -> bool:
    """Whether the firmware has not yet said that it has decided on this command."""
    return told.seq > board.handled


def reserve_mw(board: Board, commands: Commands, output: str, now_ns: int) -> int:
    """The most that an output may draw now, also by a command under way, mW."""
    known_mw = boards.reserve_mw(board, output, now_ns)
    if known_mw:
        return known_mw
    told = commands.get(output)
    if told and is_under_way(board, told) and told.latest_ns > now_ns:
        return boards.inrush_mw(board, output)
    return 0


def switched_mw(board: Board, commands: Commands, now_ns: int) -> int:
    """The most that all flexible outputs may draw now, mW."""
    total_mw = 0
    for output in board.flexible:
        total_mw += reserve_mw(board, commands, output, now_ns)
    return total_mw


def until_ns(board: Board, commands: Commands, now_ns: int) -> int:
    """When the last flexible output will have opened by itself; now, if none is held."""
    ends_ns = now_ns
    for told in commands.values():
        if told.latest_ns > ends_ns and is_under_way(board, told):
            ends_ns = told.latest_ns
    for name in board.flexible:
        state = board.outputs.get(name)
        if state is not None and state.deadline_ns > ends_ns:
            ends_ns = state.deadline_ns
    return ends_ns


def has_room(board: Board, commands: Commands, output: str, power_mw: int, now_ns: int) -> bool:
    """Whether `output` may start under a grant of `power_mw` beside what is still switched on.

    A grant speaks of watts, and it may have been given for a running load, without its inrush, or
    for one load while another that it replaces is still on its way off.
    """
    return needed_mw(board, commands, output, now_ns) <= power_mw


def needed_mw(board: Board, commands: Commands, output: str, now_ns: int) -> int:
    """What a grant has to cover for `output` to start: its inrush, and all other holdings, mW."""
    others = (name for name in board.flexible if name != output)
    others_mw = sum(reserve_mw(board, commands, name, now_ns) for name in others)
    return others_mw + boards.inrush_mw(board, output)
