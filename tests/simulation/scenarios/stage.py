"""The stage of the scenarios: a rack that has formed, faults put upon it, and its story read back.

A scenario is a play. `Stage` sets the rack up and lets it trade; the test puts faults upon it and
lets time pass; then it reads the transcript (`told`, `never`), asks that no promise was broken
(`unharmed`), and looks at who leads and who holds what.

A `Stranger` sits on the cable: he sees every datagram, may keep some back, and delivers them when
it hurts most. What he cannot do is write one: he has no key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rackgrid.core.event import CapacityChanged
from rackgrid.core.franchise import VOTERS_MAX
from rackgrid.core.node import Node
from rackgrid.core.settings import MS_NS, Timing
from rackgrid.core.state import State
from rackgrid.simulation.fault import Fault
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.recipe import node_id, rack, seconds
from rackgrid.simulation.run import disagreement
from rackgrid.simulation.script import MARGIN_MS
from rackgrid.simulation.seat import Seat
from rackgrid.wire.message import Message

FORMED_S = 5
"""By then the rack has formed and trades."""
TAIL = 40
"""So many lines of the transcript are shown with a complaint."""


class Stage:
    """One rack, whose story begins once it has formed and traded for a while.

    Args:
        capacity_w: of the feed; 50 W is too little for five nodes that want 75.
        margin_ms: how long grants are waited for beyond their end, in case a firmware hangs.
        timing: anything else than the default timers.
    """

    @staticmethod
    def when_set() -> None:
        """Nothing happens by itself; here a proof takes a rule away."""

    def __init__(
        self,
        *,
        seed: int = 1,
        nodes: int = 5,
        capacity_w: float = 50,
        reserve_w: float = 0,
        margin_ms: int = MARGIN_MS,
        voters_max: int = VOTERS_MAX,
        timing: Timing | None = None,
    ) -> None:
        self.world = rack(
            seed,
            nodes=nodes,
            capacity_w=capacity_w,
            reserve_w=reserve_w,
            voters_max=voters_max,
            timing=replace(timing or Timing(), margin_ns=margin_ms * MS_NS),
        )
        self.world.run(seconds(FORMED_S))
        if trouble := disagreement(self.world):
            raise ValueError(f"the stage is not set: {trouble}")
        if self.leads() != f"n{nodes}":
            raise ValueError(f"the stage is not set: {self.leads()} leads; take another seed")
        self._begins = len(self.world.transcript.lines)
        self.when_set()

    # --- what happens --------------------------------------------------------------------------

    def fault(self, *faults: Fault) -> None:
        """Put faults upon the rack, now."""
        for one in faults:
            self.world.transcript.say(self.world.now_ns, "fault", str(one))
            one.apply(self.world)

    def run(self, seconds_: float) -> None:
        """Let time pass."""
        self.world.run(self.world.now_ns + seconds(seconds_))

    def asks_for_a_round(self, index: int) -> None:
        """Let a broker clear at once: it hears of the feed what it knows already."""
        seat = self.seat(index)
        now_ns = seat.local_ns(self.world.now_ns)
        self.world.tell(seat, CapacityChanged(now_ns, seat.settings.capacity_mw))

    def until(self, happens: Callable[[], bool], seconds_: float = 10) -> None:
        """Let time pass until something is so, millisecond by millisecond."""
        end_ns = self.world.now_ns + seconds(seconds_)
        while not happens():
            self.world.run(self.world.now_ns + MS_NS)
            if self.world.now_ns > end_ns:
                raise AssertionError(f"it does not come to that: {self._tail()}")

    # --- who and what --------------------------------------------------------------------------

    def seat(self, index: int) -> Seat:
        """The place of a node."""
        return self.world.seats[node_id(index)]

    def state(self, index: int) -> State:
        """What a running node knows."""
        node: Node | None = self.seat(index).node
        assert node is not None, f"n{index} runs"
        return node.state

    def leads(self) -> str:
        """Name whoever leads: nobody is "", and several stand side by side."""
        return " ".join(sorted(seat.settings.name for seat in self.world.brokers()))

    def granted_w(self, index: int) -> float:
        """What the grant in force at a node lets it draw above its floor."""
        seat = self.seat(index)
        held = seat.node.state.agent.grant if seat.node else None
        if held is None or held.deadline_ns <= seat.local_ns(self.world.now_ns):
            return 0
        return held.power_mw / 1000

    def draw_w(self, index: int) -> float:
        """What a node truly draws now."""
        seat = self.seat(index)
        return seat.firmware.total_mw(seat.local_ns(self.world.now_ns)) / 1000

    def flexible_w(self) -> float:
        """The most that all flexible loads together may draw now, by their nameplates."""
        seats = self.world.seats.values()
        now_ns = self.world.now_ns
        return sum(s.firmware.flexible_worst_mw(s.local_ns(now_ns)) for s in seats) / 1000

    # --- the story -----------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The transcript since the stage was set."""
        return self.world.transcript.lines[self._begins :]

    def told(self, *story: str) -> None:
        """Ask that the transcript tells this, in this order; each as `who: some words`."""
        lines = iter(self.lines)
        for one in story:
            if not any(_tells(line, one) for line in lines):
                raise AssertionError(f"not told (in this order): {one!r} of {self._tail()}")

    def never(self, *told: str) -> None:
        """Ask that the transcript tells none of this."""
        for one in told:
            if found := [line for line in self.lines if _tells(line, one)]:
                raise AssertionError(f"told, and should not have been: {found[0]!r}")

    def times(self, told: str) -> int:
        """How often it is told."""
        return sum(_tells(line, told) for line in self.lines)

    def unharmed(self) -> None:
        """Ask that no promise was broken at any moment."""
        found = self.world.checker.violations
        if found:
            raise AssertionError(f"a promise is broken: {found[0]} of {self._tail()}")

    def whole(self) -> None:
        """Ask that this is one rack: one broker, one roster, one price, and raises again."""
        if trouble := disagreement(self.world):
            raise AssertionError(f"not one rack: {trouble} of {self._tail()}")

    def _tail(self) -> str:
        return "\n".join(["", *self.lines[-TAIL:]])


class Stranger:
    """Sits on the cable of a stage; what he keeps back is lost until he delivers it.

    Attributes:
        keeps: which datagrams he keeps back; kept: those that he has.
        seen: all that were sent, newest last.
    """

    def __init__(self, stage: Stage, keeps: Callable[[Datagram], bool] | None = None) -> None:
        self._world = stage.world
        self.keeps = keeps
        self.kept: list[Datagram] = []
        self.seen: list[Datagram] = []
        stage.world.tap = self._taps

    def all(self, kind: type[Message], of: int, to: int) -> list[Datagram]:
        """Find all datagrams of a kind that a node sent to another, oldest first."""
        return [
            sent
            for sent in self.seen
            if isinstance(sent.message, kind)
            and (sent.sender, sent.to) == (node_id(of), node_id(to))
        ]

    def last(self, kind: type[Message], of: int, to: int | None = None) -> Datagram:
        """Find the newest datagram of a kind that a node sent (to another)."""
        return next(
            sent
            for sent in reversed(self.seen)
            if isinstance(sent.message, kind)
            and sent.sender == node_id(of)
            and to in (None, index_of(sent))
        )

    def delivers(self, *sent: Datagram) -> None:
        """Let these arrive now."""
        for one in sent:
            what = f"{type(one.message).__name__} of n{one.sender - node_id(0)}"
            self._world.transcript.say(
                self._world.now_ns, "stranger", f"delivers {what} to n{index_of(one)}"
            )
            self._world.deliver(one)

    def _taps(self, sent: Datagram) -> bool:
        self.seen.append(sent)
        if self.keeps is None or not self.keeps(sent):
            return False
        self.kept.append(sent)
        return True


def index_of(sent: Datagram) -> int:
    """The place of the node to which a datagram goes."""
    return sent.to - node_id(0)


def _tells(line: str, told: str) -> bool:
    """Whether a line of the transcript is of whom and of what is told."""
    who, _, words = told.partition(": ")
    _, subject, what = line.split(maxsplit=2)
    return subject == who and words in what
