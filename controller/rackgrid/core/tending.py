"""What somebody asks of one output of this node: forget its fault, lock it out, let it be used."""

from __future__ import annotations

from rackgrid.core.action import Instruct
from rackgrid.core.event import OutputRequested, Tend
from rackgrid.core.state import State
from rackgrid.value import replace
from rackgrid_firmware.link import Clear, Lock


def tend(node: State, request: OutputRequested) -> None:
    """Pass it on to the firmware, which knows whether it may be; its telemetry shows the rest."""
    load = next((each for each in node.settings.loads if each.name == request.load), None)
    if load is None or node.agent.board is None:
        why = "this node has no such load" if load is None else "its firmware does not answer"
        node.note(f"load {request.load}: cannot {request.what.value} it: {why}")
        return
    seq = node.agent.command_seq + 1
    node.agent = replace(node.agent, command_seq=seq)
    match request.what:
        case Tend.CLEAR:
            node.out.append(Instruct(Clear(seq, load.output)))
        case Tend.LOCK | Tend.UNLOCK:
            node.out.append(Instruct(Lock(seq, load.output, request.what is Tend.LOCK)))
