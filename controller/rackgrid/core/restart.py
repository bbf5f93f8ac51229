"""A node's planned restart: its loads run on while its process is away, by a pledge (`pledge`).

A node that stops and is to be back asks its broker for a pledge of what its outputs hold. It starts
nothing from then on. Once it hears that the pledge is agreed it has its firmware hold what is on
until the pledge's end, and goes. It waits for some seconds: without a pledge its loads run on
to their own deadlines, as after a crash.

The boot after it adopts what it finds on. When that has come under its own grants, or has opened,
it gives the pledge back.
"""

from __future__ import annotations

from rackgrid.core import agent as agents
from rackgrid.core import holding, registrar
from rackgrid.core.action import Instruct
from rackgrid.core.agent import Agent
from rackgrid.core.board import Board
from rackgrid.core.pledge import SPAN_MAX_NS
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State, Stopping
from rackgrid.identity import NO_PAIR
from rackgrid.value import replace
from rackgrid.wire.message import Pledge, PledgeLine
from rackgrid_firmware.link import Hold

PATIENCE_NS = 3 * SECOND_NS
"""So long a node that stops waits for its pledge: other changes of the roster may come first, and a
majority has to store each on its cards, which stall."""
REPEAT_NS = 100 * MS_NS
"""Between two askings: the broker does one change of the roster at a time."""


def begin(node: State, now_ns: int) -> bool:
    """Begin to stop, if it is worth asking for a pledge; False to go at once."""
    board = node.agent.board
    if board is None or node.followed == NO_PAIR or not node.may_vote(now_ns):
        return False
    if node.roster.line(node.me) is None or node.roster.pledge(node.me) is not None:
        return False  # nobody counts it; or what an earlier boot held is not its own yet
    span_ns = min(node.timing.restart_ns, board.hold_max_ns, SPAN_MAX_NS)
    if span_ns <= node.timing.grant_ns or not _held_mw(node.agent, board, now_ns):
        return False
    node.agent = replace(node.agent, stopping=True)
    node.stopping = Stopping(now_ns, span_ns, now_ns + PATIENCE_NS, now_ns)
    return True


def proceed(node: State, now_ns: int) -> bool:
    """Ask, or use what is agreed; True when it is time to go."""
    stopping, board = node.stopping, node.agent.board
    assert stopping is not None, "only a node that stops asks"
    if board is None:
        return True
    pledge = _agreed(node)
    if pledge is not None:
        _hold_on(node, board, pledge, stopping.asked_ns + pledge.span_ms * MS_NS, now_ns)
        return True
    if now_ns >= stopping.until_ns:
        node.note("stops without a pledge: its loads end at their deadlines, if it is not back")
        return True
    if now_ns < stopping.again_ns:
        return False
    again_ns = min(now_ns + REPEAT_NS, stopping.until_ns)
    node.stopping = replace(stopping, again_ns=again_ns)
    asked = Pledge(node.boot, _held_mw(node.agent, board, now_ns), stopping.span_ns // MS_NS)
    if not asked.power_mw:
        return True
    _ask(node, asked, now_ns)
    return False


def give_back(node: State, now_ns: int) -> None:
    """End the pledge of an earlier boot, once nothing is held beyond a grant's time any more.

    Before, a broker that is elected while this node is not heard would wait too short a time.
    """
    pledge, board = node.roster.pledge(node.me), node.agent.board
    if pledge is None or pledge.boot == node.boot or board is None:
        return
    if agents.held_until_ns(node.agent, board, now_ns) - now_ns <= node.timing.grant_ns:
        _ask(node, Pledge(pledge.boot, 0, 0), now_ns)


def _ask(node: State, asked: Pledge, now_ns: int) -> None:
    if node.office is not None:
        registrar.pledged(node, node.me, node.boot, asked, now_ns)
    elif node.followed != NO_PAIR:
        node.unicast(node.followed.node, asked)


def _held_mw(agent: Agent, board: Board, now_ns: int) -> int:
    return holding.switched_mw(board, agent.commanded, now_ns)


def _agreed(node: State) -> PledgeLine | None:
    """This boot's pledge, if it stands in a roster that is known to be agreed (P7)."""
    if node.office is not None:
        agreement = node.office.agreement
        found = agreement.base.pledge(node.me) if agreement.agreed_version else None
        return found if found is not None and found.boot == node.boot else None
    heard = node.heartbeat
    for roster in (node.roster, node.storing):
        found = roster.pledge(node.me) if roster is not None else None
        if roster is None or found is None or found.boot != node.boot or heard is None:
            continue
        if roster.stamp.pair == heard.pair and roster.version <= heard.agreed_version:
            return found
    return None


def _hold_on(node: State, board: Board, pledge: PledgeLine, deadline_ns: int, now_ns: int) -> None:
    """Have the firmware hold what is on until the pledge's end, as far as the pledge reaches."""
    left_mw = pledge.power_mw
    for name in board.flexible:
        state, told = board.outputs.get(name), node.agent.commanded.get(name)
        if state is None or not state.on or state.cause == "released":
            continue
        power_mw = holding.reserve_mw(board, node.agent.commanded, name, now_ns)
        if power_mw > left_mw or (told is not None and not told.deadline_ns):
            continue
        left_mw -= power_mw
        seq = node.agent.command_seq + 1
        node.out.append(Instruct(Hold(seq, name, deadline_ns, False, state.level)))
        after = holding.command_after(board, told, seq, deadline_ns)
        commanded = {**node.agent.commanded, name: after}
        node.agent = replace(node.agent, command_seq=seq, commanded=commanded)
