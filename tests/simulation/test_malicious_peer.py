"""A thief on the wire of a rack that lives on: he records, replays, reorders, mutates and forges.

Fails if he changes anything at all of a rack that runs; if a core is ever given what nobody said,
what was said before it ran, or the same twice; if a promise is broken, or the rack does not find
back to one broker, while nodes restart or whatever else goes wrong; or if he was not tried on every
check. Each check is taken away, too, and he then does change what happens: else he would prove
little.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from tests.simulation.air import Air
from tests.simulation.impostor import Thief

from rackgrid.simulation.recipe import rack, seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import scripted
from rackgrid.simulation.seat import Seat
from rackgrid.simulation.world import World
from rackgrid.wire import seal
from rackgrid.wire.opener import Opened, Opener
from rackgrid.wire.peer import Peer
from rackgrid.wire.seal import Kind, Unsealed
from rackgrid.wire.vocabulary import Rejection, RejectReason
from rackgrid.wire.window import Window

SEEDS = range(3)

Patch = pytest.MonkeyPatch


def lived(seed: int, *, sealed: bool = True, robbed: bool = True) -> tuple[World, Air, Thief]:
    """A rack that runs for ten seconds, the last two of them with a thief, if there is one."""
    world = rack(seed)
    air = Air(world, sealed=sealed)
    thief = Thief(air, seed)
    world.run(seconds(8))
    if robbed:
        thief.begin()
    world.run(seconds(10))
    return world, air, thief


@pytest.mark.parametrize("seed", SEEDS)
def test_thief_changes_nothing_of_a_rack_that_runs(seed: int) -> None:
    world, air, _ = lived(seed)
    alone, _, _ = lived(seed, robbed=False)
    assert world.transcript.lines == alone.transcript.lines
    assert world.agreed()
    assert air.complaints == []
    assert air.believed > 500
    tried = {RejectReason.BAD_MAC, RejectReason.REPLAYED, RejectReason.WRONG_DIRECTION}
    tried.add(RejectReason.UNKNOWN_KEY)
    assert tried <= set(air.rejected), air.rejected


@pytest.mark.parametrize("seed", SEEDS)
def test_thief_breaks_no_promise_while_nodes_restart_and_the_rack_is_one_again(seed: int) -> None:
    world, air, thief = lived(seed)
    (broker,) = world.brokers()
    world.kill(broker)
    world.run(seconds(11))
    world.boot(broker)
    world.run(seconds(14))
    world.power_cycle(next(seat for seat in world.seats.values() if seat not in world.brokers()))
    world.run(seconds(18))
    thief.end()
    world.run(seconds(26))
    assert world.checker.violations == [], world.transcript.lines[-40:]
    assert air.complaints == []
    assert world.agreed(), world.transcript.lines[-20:]
    assert min(air.rejected[RejectReason.REPLAYED], air.rejected[RejectReason.UNPROVEN]) > 100


@pytest.mark.parametrize("on_cable", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 6, 7, 15, 22])
def test_thief_amid_other_faults_breaks_no_promise_and_the_rack_is_one_again(
    seed: int, on_cable: bool
) -> None:
    """He goes on to the end if he only listens and talks; one on the cable is found and removed."""
    airs: list[Air] = []

    def prepare(world: World) -> None:
        air = Air(world)
        airs.append(air)
        thief = Thief(air, seed, on_cable=on_cable)
        world.at(seconds(2), thief.begin)
        if on_cable:
            world.at(seconds(12), thief.end)

    outcome = run(scripted(seed, 5, 24), prepare)
    (air,) = airs
    assert outcome.violations == (), outcome.lines[-40:]
    assert air.complaints == []
    assert air.believed > 1000
    tried = {RejectReason.BAD_MAC, RejectReason.REPLAYED, RejectReason.UNPROVEN}
    assert tried <= set(air.rejected), air.rejected


CUT_S = 8


def haunted(*, robbed: bool = True) -> tuple[World, Air, Seat]:
    """A broker dies; a member is cut off, restarts, and hears what the dead one said, as it was."""
    world = rack(1)
    air = Air(world)
    thief = Thief(air, 1)
    world.run(seconds(CUT_S))
    (broker,) = world.brokers()
    victim = next(seat for seat in world.seats.values() if seat is not broker)
    world.kill(broker)
    world.network.isolate({victim.id}, set(world.seats) - {victim.id})
    world.power_cycle(victim)
    tape = partial(thief.play, seconds(CUT_S - 1), seconds(CUT_S))
    if robbed:
        for again in range(4):
            world.at(seconds(CUT_S + again), tape)
    world.run(seconds(13))
    return world, air, victim


def follows(world: World, victim: Seat) -> list[str]:
    """Whom it has begun to follow since it was cut off."""
    own = [x.split(maxsplit=2) for x in world.transcript.lines if "follows" in x]
    return [
        what for ms, who, what in own if who == victim.settings.name and float(ms) > CUT_S * 1000
    ]


def test_recordings_of_a_dead_broker_mean_nothing_to_a_node_that_was_restarted() -> None:
    world, air, victim = haunted()
    alone, _, _ = haunted(robbed=False)
    assert world.transcript.lines == alone.transcript.lines
    assert air.complaints == []
    assert air.rejected[RejectReason.UNPROVEN] > 50
    assert follows(world, victim) == []


# --- each check taken away: the same thief changes something --------------------------------------


def without_mac(patch: Patch) -> None:
    """Whatever has a MAC is authentic."""

    def same(_mine: bytes, _theirs: bytes) -> bool:
        return True

    patch.setattr(seal, "compare_digest", same)


def without_window(patch: Patch) -> None:
    """Whatever is authentic is new."""

    def take(_window: Window, _counter: int) -> bool:
        return True

    patch.setattr(Window, "take", take)


def without_challenge(patch: Patch) -> None:
    """Whoever has never been heard is believed at once."""

    def trusted(opener: Opener, found: Unsealed, _now_ns: int) -> Opened | Rejection:
        if found.kind == Kind.PROOF or found.sender == opener._node:
            return Rejection(RejectReason.UNPROVEN, "")
        opener._peers[found.sender] = Peer(found.boot)
        return Opened(found.sender, found.boot, found.kind == Kind.UNICAST, found.payload)

    patch.setattr(Opener, "_get_to_know", trusted)


@pytest.mark.parametrize(
    ("weaken", "complaint"),
    [(without_mac, "what nobody has said"), (without_window, "the same again")],
)
@pytest.mark.parametrize("seed", SEEDS)
def test_thief_of_a_running_rack_without_a_check_changes_what_happens(
    seed: int, weaken: Callable[[Patch], None], complaint: str, monkeypatch: Patch
) -> None:
    alone, air, _ = lived(seed, robbed=False)
    assert air.complaints == []
    weaken(monkeypatch)
    world, air, _ = lived(seed)
    assert any(complaint in one for one in air.complaints)
    assert world.transcript.lines != alone.transcript.lines


def test_recordings_without_the_challenge_make_a_restarted_node_follow_the_dead(
    monkeypatch: Patch,
) -> None:
    without_challenge(monkeypatch)
    _, air, victim = haunted(robbed=False)
    assert air.complaints == []
    assert follows(air.world, victim) == []
    _, air, victim = haunted()
    assert any("what was said before it ran" in one for one in air.complaints)
    assert follows(air.world, victim) != []


def test_thief_of_a_rack_without_an_envelope_changes_what_happens() -> None:
    ruined = 0
    for seed in SEEDS:
        world, _, _ = lived(seed, sealed=False)
        alone, _, _ = lived(seed, sealed=False, robbed=False)
        assert alone.agreed()
        ruined += world.transcript.lines != alone.transcript.lines
    assert ruined == len(SEEDS)
