"""Runs a script: faults first, then all is healed, and the rack must become one again.

Safety is checked after every event, and a run ends at its first violation: what follows one is
noise. Liveness is checked once, at the end.
"""

from __future__ import annotations

import struct
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rackgrid.core.settings import MS_NS, SECOND_NS, Timing
from rackgrid.simulation import fault, feed, recipe
from rackgrid.simulation.bills import Bills
from rackgrid.simulation.fault import kind
from rackgrid.simulation.idle import IDLE_NS, overlooked
from rackgrid.simulation.plot import RHO_PPM
from rackgrid.simulation.script import HEAL_NS, Script
from rackgrid.simulation.swelling import swollen
from rackgrid.simulation.witness import NEAR, Witness
from rackgrid.simulation.world import World

NEAR_PERCENT = 90
CRASHES = (
    AssertionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a bug in the code under test raises: a violation like any other."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        violations: what was broken, with its moment; empty is the aim.
        digest: of the transcript: two runs with the same are the same.
        lines: the transcript.
        peak_percent: the highest true draw, of the script's capacity.
        faults: how many of each kind were applied.
        sometimes: how often each hard state was reached.
        elapsed_ns: virtual time that passed.
    """

    script: Script
    violations: tuple[str, ...]
    digest: str
    lines: tuple[str, ...]
    peak_percent: int
    faults: Mapping[str, int]
    sometimes: Mapping[str, int]
    elapsed_ns: int


def run(script: Script, prepare: Callable[[World], None] | None = None) -> Outcome:
    """Run a script from its first event to its last, or to the first violation.

    Args:
        prepare: is given the rack before anything happens in it.
    """
    world = recipe.rack(
        script.seed,
        nodes=script.nodes,
        capacity_w=script.capacity_mw / recipe.WATT,
        reserve_w=script.reserve_mw / recipe.WATT,
        sun_w=script.sun_mw / recipe.WATT,
        rho_ppm=RHO_PPM,
        feed_meter=script.feed_meter,
        timing=Timing(
            demote_after_ns=script.demote_ms * MS_NS,
            preempt_after_ns=script.preempt_ms * MS_NS,
            margin_ns=script.margin_ms * MS_NS,
        ),
    )
    if prepare is not None:
        prepare(world)
    witness, bills = Witness(world), Bills(world)
    faults: Counter[str] = Counter()
    try:
        _play(world, script, faults)
        if not world.checker.violations:
            bills.audit()
    except CRASHES as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {where.name}, line {where.lineno}: {error}"
        world.checker.violations.append(f"{world.now_ns / 1e6:.3f} ms: I9 {what}")
    peak_percent = world.checker.peak_mw * 100 // script.capacity_mw
    witness.sometimes[NEAR] += peak_percent >= NEAR_PERCENT
    return Outcome(
        script=script,
        violations=tuple(world.checker.violations),
        digest=world.transcript.digest,
        lines=tuple(world.transcript.lines),
        peak_percent=peak_percent,
        faults=dict(faults),
        sometimes=dict(+witness.sometimes),
        elapsed_ns=world.now_ns,
    )


def _play(world: World, script: Script, faults: Counter[str]) -> None:
    for timed in script.timed:
        world.run(timed.at_ns)
        if world.checker.violations:
            return
        world.transcript.say(world.now_ns, "fault", str(timed.fault))
        timed.fault.apply(world)
        faults[kind(timed.fault)] += 1
    # A plot may end later than the noise: time does not go back for the healing.
    heal_ns = max(world.now_ns, script.seconds * SECOND_NS - HEAL_NS)
    world.run(heal_ns)
    if world.checker.violations:
        return
    heal(world, script)
    world.run(heal_ns + HEAL_NS - IDLE_NS)
    names = overlooked(world)
    trouble = disagreement(world)
    if trouble is None and names:
        trouble = f"there is room, and nobody starts {', '.join(sorted(names))}"
    if trouble and not world.checker.violations:
        after = f"{HEAL_NS // SECOND_NS} s after the last fault"
        world.checker.complain(world.now_ns, f"I7 {trouble}, {after}")
    if (what := swollen(world)) and not world.checker.violations:
        world.checker.complain(world.now_ns, f"I9 {what}")


def heal(world: World, script: Script) -> None:
    """Repair everything: the network, the feed, the dead."""
    world.transcript.say(world.now_ns, "fault", "none any more")
    world.network.calm()
    for seat in world.seats.values():
        seat.stall_ns = 0  # A spell that waits for a clearing would strike who leads much later.
    feed.Capacity(script.capacity_mw).apply(world)
    feed.Sun(script.sun_mw).apply(world)
    fault.Revive().apply(world)


def disagreement(world: World) -> str | None:
    """Say why this is not one rack, or None if it is: one broker, one roster, a price for all.

    A rack that was never founded waits for every node that is expected, by design.
    """
    running = [seat.node.state for seat in world.seats.values() if seat.node]
    if len(running) < len(world.seats) and all(state.founds for state in running):
        return None
    if len(world.brokers()) != 1:
        return f"{len(world.brokers())} brokers"
    if len({state.followed for state in running}) != 1:
        return "not all follow the one broker"
    if any(state.agent.price is None for state in running):
        return "not all know a price"
    if len({state.roster for state in running}) != 1:
        return "not all know the same roster"
    if not all(state.roster.line(state.me) for state in running):
        return "not all are on the roster"
    leader = world.brokers()[0].node
    if leader is None or leader.state.office is None or not leader.state.office.book.opened:
        return "the broker may still not raise"
    return None
