"""Single rules of the core taken away that it takes a directed scenario to notice.

Like `tests.simulation.weakening`: each patches one rule, and its docstring says what then holds no
more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from rackgrid.core import broker, candidate, election, incumbent
from rackgrid.core.broker import Office
from rackgrid.core.settings import Timing
from rackgrid.core.state import State
from rackgrid.identity import BootId, NodeId, Pair
from rackgrid.wire.message import Ack, Price
from rackgrid.wire.vocabulary import Stance

Patch = pytest.MonkeyPatch


def anybodys_prices(patch: Patch) -> None:
    """P2, P5: a node takes prices and grants from whoever sends them."""
    apply = incumbent.apply

    def applied(node: State, price: Price, now_ns: int) -> None:
        apply(node, replace(price, pair=node.followed), now_ns)

    def is_stale(_node: State, _pair: Pair, _sender: NodeId) -> bool:
        return False

    patch.setattr(incumbent, "apply", applied)
    patch.setattr(candidate, "is_stale", is_stale)


def authority_from_receipt(patch: Patch) -> None:
    """P4: an ack counts from when it came, not from when its heartbeat was sent."""
    take = broker.acked

    def acked(
        office: Office, node: NodeId, boot: BootId, ack: Ack, now_ns: int, timing: Timing
    ) -> Office:
        marks = office.authority
        if ack.seq in marks.sent:
            office = replace(office, authority=replace(marks, sent={**marks.sent, ack.seq: now_ns}))
        return take(office, node, boot, ack, now_ns, timing)

    patch.setattr(broker, "acked", acked)


def nobody_objects(patch: Patch) -> None:
    """Bully, with Raft's pre-vote: a candidate is supported though its voters hear the broker."""

    def stance(**_: object) -> Stance:
        return Stance.SUPPORT

    patch.setattr(election, "stance", stance)
