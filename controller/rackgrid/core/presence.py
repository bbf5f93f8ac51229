"""Whom a broker hears: who may get a vote, and who was silent for so long that it loses its own."""

from __future__ import annotations

from collections.abc import Mapping

from rackgrid.core import broker
from rackgrid.core.office import Office
from rackgrid.core.state import State
from rackgrid.identity import NodeId


def present(node: State, office: Office, now_ns: int) -> frozenset[NodeId]:
    """Nodes that are heard, vote, and have stored the newest roster."""
    base = office.agreement.base
    stored_by: Mapping[NodeId, int] = office.agreement.stored
    return frozenset(
        line.node
        for line in base.trusted
        if stored_by.get(line.node) == base.version
        and (line.node == node.me or is_heard(node, office, line.node, now_ns))
    )


def heard(node: State, office: Office, now_ns: int) -> frozenset[NodeId]:
    """Nodes of the roster that ack this broker, itself included."""
    lines = office.agreement.base.trusted
    others = (line.node for line in lines if is_heard(node, office, line.node, now_ns))
    return frozenset((node.me, *others))


def is_heard(node: State, office: Office, who: NodeId, now_ns: int) -> bool:
    """Whether a node acks this broker."""
    return broker.silence_ns(office, who, now_ns) <= node.timing.absent_ns


def gone(node: State, office: Office, now_ns: int) -> frozenset[NodeId]:
    """Nodes that lose their vote: they were silent for so long, or are expelled."""
    base = office.agreement.base
    return frozenset(
        line.node
        for line in base.lines
        if line.node != node.me
        and (
            base.has_expelled(line.node)
            or broker.silence_ns(office, line.node, now_ns) > node.timing.demote_after_ns
        )
    )
