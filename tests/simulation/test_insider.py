"""What a member that lies in every other's name cannot do to the copper and to the nodes.

Fails if a core crashes, a required load goes off, a flexible one stays on past its deadline or gets
one further away than a grant may be, a node acts for a lower term than before or stands twice for
one, or two brokers may raise at once. That the feed is never oversubscribed is not among it: what a
member says of its holding, and a broker of its grants, is believed. But each grant ends, and when
the lies do, all is as before. (Unless they name the last term there is: nobody is elected then.)
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.simulation.insider import Forger, Insider

from rackgrid.core import agent as agents
from rackgrid.core.action import Action
from rackgrid.core.agent import Agent
from rackgrid.core.event import Event
from rackgrid.core.settings import Timing
from rackgrid.identity import Pair
from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire.message import Allotment

SEEDS = range(4)


class Deadlines:
    """Looks at every deadline after each event."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broken: list[str] = []
        self.seen = 0
        world.witnesses.append(self._look)

    def _look(self, seat: Seat, _event: Event, _before: Agent, _did: list[Action]) -> None:
        now_ns = seat.local_ns(self._world.now_ns)
        latest_ns = now_ns + seat.settings.timing.grant_ns
        assert seat.node is not None
        grant = seat.node.state.agent.grant
        ends_ns = {} if grant is None else {"its grant": grant.deadline_ns}
        for load, state in zip(seat.firmware.loads, seat.firmware.state.outputs, strict=True):
            if state.on and not load.spec.required:
                ends_ns[load.spec.name] = state.deadline_ns
                if state.deadline_ns < now_ns:
                    self.broken.append(f"{seat.settings.name}: {load.spec.name} is on for too long")
        self.seen += len(ends_ns)
        self.broken += [
            f"{seat.settings.name}: {what} ends too late"
            for what, end_ns in ends_ns.items()
            if end_ns > latest_ns
        ]


def lied_to(seed: int, *, keeps_terms: bool) -> tuple[World, Deadlines, Insider]:
    """A rack of which one member lies for six seconds, and which then has time to recover."""
    world = rack(seed)
    deadlines = Deadlines(world)
    insider = Insider(world, seed, keeps_terms=keeps_terms)
    world.run(seconds(8))
    assert world.agreed()
    insider.begin()
    world.run(seconds(14))
    insider.end()
    world.run(seconds(34))
    return world, deadlines, insider


@pytest.mark.parametrize("keeps_terms", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_insider_that_lies_at_random_breaks_neither_deadlines_nor_what_is_required_nor_terms(
    seed: int, keeps_terms: bool
) -> None:
    world, deadlines, insider = lied_to(seed, keeps_terms=keeps_terms)
    assert insider.said > 1000
    assert deadlines.seen > 1000
    assert deadlines.broken == []
    assert not kept(world), world.checker.violations
    assert world.agreed() or not keeps_terms, world.transcript.lines[-20:]


DEEDS: tuple[Callable[[Forger, int], None], ...] = (Forger.disown, Forger.grant)


@pytest.mark.parametrize("deed", DEEDS)
def test_insider_that_gives_the_feed_away_does_so_until_the_last_grant_ends_and_no_longer(
    deed: Callable[[Forger, int], None],
) -> None:
    """It is oversubscribed meanwhile: nothing prevents that, and each load has its end."""
    world = rack(1)
    deadlines = Deadlines(world)
    forger = Forger(world)
    world.run(seconds(8))
    assert world.checker.violations == []
    silent_ns = seconds(13)
    deed(forger, silent_ns)
    world.run(silent_ns + Timing().grant_ns + seconds(0.1))
    assert {"I1", "I2"} & broken(world), "else what follows would prove little"
    assert not kept(world)
    world.checker.violations.clear()
    world.run(seconds(34))
    assert world.checker.violations == []
    assert deadlines.broken == []
    assert world.agreed(), world.transcript.lines[-20:]


def test_insider_finds_deadlines_that_a_node_does_not_keep_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The node lets a grant live for longer than a grant may."""
    take = agents.allotted

    def lasting(
        agent: Agent, pair: Pair, round_: int, allotment: Allotment, grant_ns: int, now_ns: int
    ) -> Agent:
        return take(agent, pair, round_, allotment, 2 * grant_ns, now_ns)

    monkeypatch.setattr(agents, "allotted", lasting)
    _, deadlines, _ = lied_to(0, keeps_terms=True)
    assert any("ends too late" in one for one in deadlines.broken)


def broken(world: World) -> set[str]:
    """The numbers of the invariants that were broken."""
    return {line.split()[2] for line in world.checker.violations}


def kept(world: World) -> set[str]:
    """Those of them that no word of a peer can break; none is the aim."""
    return {"I3", "I4", "I5"} & broken(world)
