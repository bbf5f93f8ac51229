"""How a node goes: out of the rack on purpose, or only its process."""

from __future__ import annotations

from rackgrid.core import agent as agents
from rackgrid.core import candidate, incumbent, restart
from rackgrid.core.action import Left
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.core.state import State
from rackgrid.value import replace
from rackgrid.wire.message import Leave

LEAVE_PATIENCE_NS = 4 * SECOND_NS
LEAVE_REPEAT_NS = 100 * MS_NS


def begin(node: State, now_ns: int) -> None:
    """Begin to leave the rack: the loads go off first."""
    candidate.withdraw(node, now_ns, "leaves the rack")
    node.leave_ns = now_ns + LEAVE_PATIENCE_NS
    node.agent = replace(node.agent, leaving=True)
    node.stopping = None  # a restart that it was asked for before is none any more


def proceed(node: State, now_ns: int) -> None:
    """Go when the loads are off and the broker has released the floor, or when time is up."""
    assert node.leave_ns is not None, "leaving has a deadline"
    is_up = now_ns >= node.leave_ns
    if not is_up and not _is_off(node, now_ns):
        return
    if node.office is not None:
        incumbent.resign(node, now_ns, "leaves the rack")
    if node.roster.line(node.me) is None:
        _end(node)
    elif is_up:
        node.note("left without releasing its floor: loads still on, or no broker to hear it")
        _end(node)
    elif now_ns >= node.leave_said_ns and node.agent.board is not None:
        node.leave_said_ns = now_ns + LEAVE_REPEAT_NS
        node.multicast(Leave(node.agent.board.floor_mw))


def stop(node: State, now_ns: int, *, restarts: bool) -> None:
    """Stop this process; one that is to be back asks first that its loads may run on.

    Who is told to stop once more does so at once.
    """
    asks = restarts and node.leave_ns is None and node.stopping is None
    if not asks or not restart.begin(node, now_ns):
        _detach(node, now_ns)


def linger(node: State, now_ns: int) -> None:
    """Go as soon as the pledge is agreed and used, or cannot be waited for any longer."""
    if restart.proceed(node, now_ns):
        _detach(node, now_ns)


def _detach(node: State, now_ns: int) -> None:
    """End: the outputs run on to their deadlines, the office is passed on."""
    if node.office is not None:
        incumbent.resign(node, now_ns, "stops")
    _end(node)


def _is_off(node: State, now_ns: int) -> bool:
    """Whether nothing above the floor is drawn."""
    agent = replace(node.agent, grant=None)
    return agent.board is not None and agents.holding_mw(agent, now_ns) == 0


def _end(node: State) -> None:
    node.out.append(Left())
    node.ended = True
