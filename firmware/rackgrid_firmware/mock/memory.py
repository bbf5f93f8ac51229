"""What the chips of a node have still to feel.

Most chips are seldom read, and what lies at their inputs between two readings matters only as far
back as their converters look. So the plant does not tell every chip of every change: it notes the
changes, and a node's chips *catch up* when one of them is read or written.

That is also where loads that switch by themselves get their edges. In the notes such a load stands
with its mean; around a reading the chips feel every edge, and the rail's voltage with it: in the
`EDGES_NS` before the reading and in the `EDGES_NS` after the one before it. An INA219 looks back at
most two cycles, 2 * 137 ms, so it never tells whether somebody else looked; a converter that
averages longer sees means for the rest, which is what it would make of the edges.

The notes reach back `KEPT_NS`, twice the longest cycle of an INA226 (1024 samples of both inputs,
8.244 ms each: 16.9 s; TI SBOS547, 7.6.1). A node whose chips were touched catches up before what
happened after the touch is forgotten, so that a single conversion begun then is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rackgrid_firmware.mock.demand import Demand, Drawn
from rackgrid_firmware.mock.feed import Supply
from rackgrid_firmware.mock.node import Node, Snapshot

EDGES_NS = 300_000_000
KEPT_NS = 35_000_000_000
_TIDY_EVERY = 1024


@dataclass(frozen=True, slots=True)
class Note:
    """How the rail stood from a moment on, and the nodes in which something changed then.

    Attributes:
        t_ns: the moment, ns.
        volts: of the rail, V, with every ripple at its mean.
        supply: what feeds it.
        steady: the demand of everything that does not switch by itself.
        ripples: the demands that do.
        changed: by name of the node.
    """

    t_ns: int
    volts: float
    supply: Supply
    steady: Demand
    ripples: tuple[Drawn, ...]
    changed: Mapping[str, Snapshot]


class _Reader:
    """How far the chips of a node have come."""

    def __init__(self, node: Node, now_ns: int, read: int, note: Note | None) -> None:
        self.node = node
        self.felt_ns = now_ns
        self.read = read
        self.note = note
        self.snapshot = node.snapshot


class Memory:
    """The notes, and how far each node's chips have read them."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._dropped = 0
        self._readers: dict[str, _Reader] = {}
        self._touched: dict[str, int] = {}
        """Nodes whose chips have to be told before it is forgotten, the longest ago first."""

    def join(self, now_ns: int, node: Node) -> None:
        """Follow a node from now on."""
        last = self._notes[-1] if self._notes else None
        reader = _Reader(node, now_ns, self._dropped + len(self._notes), last)
        self._readers[node.wiring.node] = reader

    def note(self, note: Note) -> None:
        """Take a change down."""
        self._notes.append(note)
        while self._touched:
            name, touched_ns = next(iter(self._touched.items()))
            if touched_ns > note.t_ns - KEPT_NS:
                break
            del self._touched[name]
            self._catch_up(self._readers[name], note.t_ns)
        if len(self._notes) % _TIDY_EVERY == 0:
            self._forget(note.t_ns - KEPT_NS)

    def touch(self, now_ns: int, name: str) -> None:
        """Bring a node's chips up to now, because somebody reads or writes one."""
        self._touched.pop(name, None)
        self._touched[name] = now_ns
        self._catch_up(self._readers[name], now_ns)

    def _forget(self, before_ns: int) -> None:
        count = 0
        while count < len(self._notes) - 1 and self._notes[count + 1].t_ns < before_ns:
            count += 1
        for number, note in enumerate(self._notes[:count], self._dropped):
            for name, snapshot in note.changed.items():
                reader = self._readers[name]
                if reader.read <= number:
                    reader.snapshot = snapshot
        del self._notes[:count]
        self._dropped += count

    def _catch_up(self, reader: _Reader, now_ns: int) -> None:
        name, before_ns = reader.node.wiring.node, reader.felt_ns
        for note in self._notes[max(0, reader.read - self._dropped) :]:
            if reader.note is not None:
                self._live(reader, note.t_ns, before_ns, now_ns)
            reader.note = note
            reader.felt_ns = max(reader.felt_ns, note.t_ns)
            reader.snapshot = note.changed.get(name, reader.snapshot)
            if not note.ripples:
                volts_min = note.supply.volts_min
                reader.node.feel(note.t_ns, reader.snapshot, note.volts, volts_min, instant=False)
        reader.read = self._dropped + len(self._notes)
        self._live(reader, now_ns, before_ns, now_ns)
        reader.felt_ns = now_ns

    def _live(self, reader: _Reader, until_ns: int, before_ns: int, now_ns: int) -> None:
        """Feel the edges of what switches by itself, from where it stands until `until_ns`."""
        note = reader.note
        if note is None or not note.ripples:
            return
        at_ns, volts_min = reader.felt_ns, note.supply.volts_min
        for begin_ns, end_ns in _windows(before_ns, now_ns):
            begin_ns, end_ns = max(begin_ns, at_ns), min(end_ns, until_ns)
            if begin_ns >= end_ns:
                continue
            if at_ns < begin_ns:
                reader.node.feel(at_ns, reader.snapshot, note.volts, volts_min, instant=False)
            for edge_ns, volts in _edges(note, begin_ns, end_ns):
                reader.node.feel(edge_ns, reader.snapshot, volts, volts_min, instant=True)
            at_ns = end_ns
        if at_ns < until_ns:
            reader.node.feel(at_ns, reader.snapshot, note.volts, volts_min, instant=False)


def _windows(before_ns: int, now_ns: int) -> tuple[tuple[int, int], ...]:
    """Give the spans in which edges are felt one by one."""
    after_ns, until_ns = before_ns + EDGES_NS, now_ns - EDGES_NS
    if after_ns >= until_ns:
        return ((before_ns, now_ns),)
    return ((before_ns, after_ns), (until_ns, now_ns))


def _edges(note: Note, begin_ns: int, end_ns: int) -> Iterator[tuple[int, float]]:
    """Give the beginning and every edge of a span, with the rail's voltage from there on."""
    rails: dict[tuple[bool, ...], float] = {}
    at_ns = begin_ns
    while at_ns < end_ns:
        states = tuple(each.is_on(at_ns) for each in note.ripples)
        if states not in rails:
            lit = [each.demand for each, is_on in zip(note.ripples, states, strict=True) if is_on]
            demand = Demand(
                note.steady.power_w + sum(each.power_w for each in lit),
                note.steady.siemens + sum(each.siemens for each in lit),
            )
            rails[states] = note.supply.feed(demand).volts
        yield at_ns, rails[states]
        at_ns = min(
            each.ripple.next_edge_ns(at_ns) for each in note.ripples if each.ripple is not None
        )
