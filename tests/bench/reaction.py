"""Which price made a load switch, and how long that took: from what the rack wrote down.

The controllers' traces tell which prices were sent, and which of them a node has applied, by term
and round; the plant's tells when a load truly went on or off. An edge is put down to the first of
the prices in a row that its node had applied by then and that all ask for what the load did: what
came before said the contrary. An edge that the last price did not ask for has another cause, and is
left out. All times are CLOCK_MONOTONIC, ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tests.rack.truth import Edge

Line = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Turn:
    """Prices in a row, as sent, that all ask for the same of a load.

    Attributes:
        on: what they ask for.
        sent_ns: (term, round) → when it was handed to the broker's socket; in that order.
    """

    on: bool
    sent_ns: Mapping[tuple[int, int], int]

    @property
    def began_ns(self) -> int:
        """When the first of them was sent."""
        return next(iter(self.sent_ns.values()))


@dataclass(frozen=True, slots=True)
class Reaction:
    """An edge and its cause.

    Attributes:
        sent_ns: when the price that the node acted on was sent.
        is_repair: an earlier price of that turn had not reached it.
    """

    turn: Turn
    sent_ns: int
    edge_ns: int

    @property
    def is_repair(self) -> bool:
        """Whether the node never applied the price that the turn began with."""
        return self.sent_ns != self.turn.began_ns

    @property
    def ms(self) -> float:
        """From the turn's first price to the edge."""
        return (self.edge_ns - self.turn.began_ns) / 1e6


def turns(sent: Iterable[Line], worth: float) -> list[Turn]:
    """Divide the prices that were sent (`price_sent`, of whoever led) by what they ask for.

    Args:
        worth: of the load: at this price it is still wanted on.
    """
    rows: list[tuple[bool, dict[tuple[int, int], int]]] = []
    for line in sorted(sent, key=_t_ns):
        on = _asks(line, worth) is True
        if not rows or rows[-1][0] is not on:
            rows.append((on, {}))
        rows[-1][1].setdefault(_name(line), _t_ns(line))
    return [Turn(on, sent_ns) for on, sent_ns in rows]


def reactions(
    said: Iterable[Turn], applied: Iterable[Line], edges: Iterable[Edge], worth: float
) -> list[Reaction]:
    """Put the edges of one node's load down to the prices that caused them.

    Args:
        applied: the node's own lines `price`, in their order.
        edges: of that load alone.
        worth: as above.
    """
    turn_of = {name: turn for turn in said for name in turn.sent_ns}
    heard = list(applied)
    # Where what is asked for changes, the first line of a row.
    firsts = heard[:1] + [b for a, b in pairwise(heard) if _asks(a, worth) is not _asks(b, worth)]
    found: list[Reaction] = []
    for edge in edges:
        cause = next((line for line in reversed(firsts) if _t_ns(line) <= edge.t_ns), None)
        if cause is None or _asks(cause, worth) is not edge.on or _name(cause) not in turn_of:
            continue
        turn = turn_of[_name(cause)]
        found.append(Reaction(turn, turn.sent_ns[_name(cause)], edge.t_ns))
    return found


def _asks(line: Line, worth: float) -> bool | None:
    """Say what a price asks of a load; None if there is no price."""
    value = line["value"]
    return None if value is None else _number(value) <= worth


def _name(line: Line) -> tuple[int, int]:
    return int(_number(line["term"])), int(_number(line["round"]))


def _t_ns(line: Line) -> int:
    t_ns = line["t_ns"]
    assert isinstance(t_ns, int)
    return t_ns


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value
