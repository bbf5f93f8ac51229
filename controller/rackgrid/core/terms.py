"""What changes the terms of the market at this node: its offers, its loads' worth, the capacity.

The broker should clear at once, so a broker does, and a member tells it without being asked.
"""

from __future__ import annotations

from dataclasses import replace

from rackgrid.core import candidate
from rackgrid.core import limit as limits
from rackgrid.core.election import Following
from rackgrid.core.event import CapacityChanged, OffersChanged, WorthsChanged
from rackgrid.core.state import State


def changed(node: State, event: OffersChanged | CapacityChanged | WorthsChanged) -> None:
    """Take the new terms, and see that they are cleared."""
    match event:
        case OffersChanged():
            node.agent = replace(node.agent, offers=event.offers)
        case CapacityChanged():
            word = limits.said(node.agent.limit, event.capacity_mw)
            node.agent = replace(node.agent, limit=word)
        case WorthsChanged():
            node.agent = replace(node.agent, worths_uc=event.worths_uc)
    if node.office is not None:
        node.urgent = True
    elif isinstance(node.election, Following):
        candidate.acknowledge(node, event.now_ns)
