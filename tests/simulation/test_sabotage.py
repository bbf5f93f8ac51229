"""Each rule taken away in turn: the simulation must notice, or the rule is useless, or unchecked.

Beside each weakening stand the scripts of which one must catch it, most of them written for it:
random faults hardly ever bring the few events together that it takes. None of these scripts may
accuse the whole core.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.simulation import roster_weakening, weakening
from tests.simulation.weakening import Weaken

from rackgrid.simulation.fault import (
    Amnesia,
    Bridge,
    ClockRate,
    CutOneWay,
    Fault,
    Heal,
    Kill,
    Partition,
    PowerCycle,
    Restart,
    Revive,
    SlowLink,
)
from rackgrid.simulation.feed import OneWord
from rackgrid.simulation.guest import HandOver, Join, PlannedRestart
from rackgrid.simulation.mishap import DiskStall, FirmwareHang, Liar, LostRoster, Pause
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import SHARP_MS, Script, Timed, scripted
from rackgrid.simulation.target import BROKER
from rackgrid.simulation.weather import Delay, Duplication


def script(*timed: tuple[float, Fault], **changed: int) -> Script:
    """A rack of five on a feed that is always short, and these faults, by seconds."""
    faults = tuple(Timed(seconds(at_s), fault) for at_s, fault in timed)
    rack = Script(seed=1, nodes=5, seconds=30, capacity_mw=50_000, timed=faults)
    return replace(rack, **changed)


CUT_OFF = script((8, Partition((4,))))
"""A member falls silent with its loads on."""
HALVES = script((8, Partition((4, 5))))
"""The broker and another are apart from the rest for long enough to open their books."""
OTHER_HALVES = script((8, Partition((1, 2))))
BROKER_DIES = script((8, Partition((1,))), (8.1, Kill(BROKER)))
"""The broker dies while one member hears nobody."""
CLOSED_HANDOVER = script((8, Partition((1,))), (8.1, Kill(BROKER)), (8.8, HandOver()))
"""A broker hands over that does not know itself yet what all hold."""
CONTROLLER_DIES = script((8, Kill(4)))
"""A controller dies with its loads on, and nobody but its firmware can end them."""

TOLD_ONE = script(
    (8, OneWord(2, 40_000)), (9.05, PowerCycle(2, 20)), (9.1, Kill(BROKER)), margin_ms=SHARP_MS
)
"""Who was told what the feed gives has gone, and the broker that it told."""
FAN_LIES = script((8, Liar(4, "fan", 300)))
"""A required load draws three times what its floor has room for."""

LATE_PRICES = tuple(
    script((8 + late_s, SlowLink(BROKER, 6000, 150)), (8.2 + late_s, Partition((4,))))
    for late_s in (0.05, 0.1)
)
"""A grant comes when its holder has long been cut off, and its watts are others'."""
HANGS_WHILE_ONE_JOINS = script((8, FirmwareHang(4, 2900)), (8.1, Join(6)), reserve_mw=5_000)
"""Watts are asked back from a node whose outputs cannot follow."""
SLOW_DISK = (7.9, DiskStall(1, 5_000, 20_000))
"""Node 1 stores no roster: what is on its disk would stop it, too, from going back to a broker."""
FLICKERS = script(
    SLOW_DISK,
    (8, Bridge((4, 5), 1)),
    (8.4, CutOneWay(5, 1)),
    (8.7, Heal()),
    (8.7, Bridge((4, 5), 1)),
    margin_ms=SHARP_MS,
)
"""The node that two sides share loses one broker for a moment, and hears it again."""

MISREAD_AND_HEIR = replace(
    scripted(517013, 5, 30), timed=tuple(scripted(517013, 5, 30).timed[at] for at in (1, 2, 3))
)
"""The broker and another are cut off; the next one hands over when a meter reads far too much."""

UNHEARD_RESTART = script((8, Partition((4,))), (8.02, PlannedRestart(4, 18_000)), seconds=40)
"""A node that is cut off and does not know it yet is restarted: nobody hears what it asks for."""
AWAY_FOR_LONG = script((8, PlannedRestart(4, 18_000)), seconds=40)
RESTART_AND_HEIR = script((8, PlannedRestart(4, 18_000)), (8.6, Kill(BROKER)), seconds=40)
"""The broker that has agreed a pledge dies before it ends."""
BACK_AND_QUIET = script(
    (8, PlannedRestart(4, 18_000)),
    (9, Amnesia(4)),
    (9.5, Partition((4,))),
    (9.6, Kill(BROKER)),
    seconds=40,
)
"""A node is back and may take no grant yet when it is cut off, its loads on by its old pledge."""


def changed_sides(at_s: float, first: tuple[int, ...], then: tuple[int, ...]) -> Script:
    """Some are cut off until they lose their votes; then the rack parts along another line."""
    sides = ((5, Partition(first)), (at_s, Heal()), (at_s, Partition(then)))
    return script(*sides, demote_ms=4_000, margin_ms=SHARP_MS)


SLOWER_AND_SLOWER = script(
    *(
        (8.02 + beat / 10, SlowLink(node, 350 * (beat + 1), 100))
        for beat in range(11)
        for node in (1, 2, 3)
    ),
    (9.13, Partition((1, 2, 3))),
    margin_ms=SHARP_MS,
)
"""Acks reach a broker ever later, the last of them long after their nodes have turned away."""


def forgets(at_s: float, *deaf_to: int) -> list[tuple[float, Fault]]:
    """Node 1 restarts without memory between two sides, and is deaf to some of one of them."""
    cuts = [(at_s + 0.0002, CutOneWay(node, 1)) for node in deaf_to]
    return [(at_s, Amnesia(1)), (at_s + 0.0001, Heal()), (at_s + 0.0001, Bridge((4, 5), 1)), *cuts]


COMES_BACK = script(
    SLOW_DISK,
    (8, Bridge((4, 5), 1)),
    (8, CutOneWay(5, 1)),
    *forgets(12.5, 3, 2),
    margin_ms=SHARP_MS,
)
"""A broker is without a majority for seconds, then a node that remembers nothing hears it."""
TO_AND_FRO = script(
    SLOW_DISK,
    (8, Bridge((4, 5), 1)),
    *(
        timed
        for turn in range(18)
        for timed in forgets(8 + 0.3 * (turn + 1), *((3, 2) if turn % 2 else (5, 4)))
    ),
    seed=4,
    margin_ms=SHARP_MS,
)
"""One node, forgetting each time, makes now this and now that side's majority."""
FORGETS_WHOM_IT_LEFT = script(
    (8, Bridge((4, 5), 1)),
    (8, CutOneWay(5, 1)),
    (8.278, CutOneWay(1, 3)),
    (8.452, Heal()),
    (8.452, Partition((2, 3))),
    (8.662, Amnesia(1)),
    (8.662, Partition((4, 5))),
    (9.006, Heal()),
    (9.006, Partition((1, 3))),
    seed=11,
    margin_ms=SHARP_MS,
)
"""Node 3 is elected and unanswered, then node 5 leads by node 1's ack. Node 1 forgets it and acks
node 3; node 2 goes the other way meanwhile, and its last ack to node 3 counts together with that.
"""


def cuts(at_s: float, *pairs: tuple[int, int]) -> list[tuple[float, Fault]]:
    """Node 3 cannot reach its elders; of each pair the second no longer hears the first."""
    return [(at_s, CutOneWay(*pair)) for pair in ((3, 4), (3, 5), (5, 1), *pairs)]


RUNS_OUT = script(
    (8, CutOneWay(3, 5)),
    (9, CutOneWay(1, 5)),
    *cuts(9.86, (5, 2), (5, 3)),
    (10.15, Heal()),
    *cuts(10.15, (3, 2)),
    (10.3, Heal()),
    *cuts(10.3, (5, 2)),
    margin_ms=SHARP_MS,
    capacity_mw=56_000,
)
"""Node 3's grant runs out unheard while it becomes the next broker, with the last vote that lets
node 5 give these watts away."""
RESTARTS_TWICE = script(
    (8, Restart(4)),
    (8.3, SlowLink(5, 700, 150)),
    (8.5, Restart(4)),
    (8.5, CutOneWay(4, 5)),
    margin_ms=SHARP_MS,
)
"""A price for a process comes when another has taken its place, and its broker is deaf to that."""


STANDS_STILL = script(
    (6.467, PowerCycle(BROKER, 990)),
    (16.174, Pause(3, 4000, deciding=False)),
    seed=100697,
    demote_ms=4000,
    feed_meter=True,
    margin_ms=SHARP_MS,
)
"""A node that stood still reports what has ended, before it reads what its firmware says."""
AMPLE = {"capacity_mw": 60_000, "preempt_ms": 3_000}
LATE_AND_TWICE = script(
    (0, Delay(30, 12_000)),
    (3, Partition((1, 4))),
    (4.771, ClockRate(BROKER, 10_000)),
    (5.902, Duplication(50, 1730)),
    (6.444, Heal()),
    seed=52,
    sun_mw=12_500,
    feed_meter=True,
    margin_ms=SHARP_MS,
)
"""Prices overtake each other and come twice."""
ALL_LATE = script((0, Delay(200, 12_000)), seed=93, demote_ms=4000, margin_ms=SHARP_MS, **AMPLE)
"""Reports overtake each other."""
ELDEST_IS_BACK = script((9.967, Kill(5)), (12, Revive()), seed=4, margin_ms=SHARP_MS, **AMPLE)
"""The highest rank is back, and takes the office again."""
HANGS_ALONE = script((4.277, Partition((2,))), (6.499, FirmwareHang(2, 2121)), seed=4, **AMPLE)
"""A firmware hangs just before it should have ended its loads."""
SLOW_BROKER = script((8.371, SlowLink(BROKER, 812, 2365)), seed=0, preempt_ms=3000)
"""A broker is followed by another before its last prices have come."""
LED_BEFORE = script(
    (5.177, HandOver()),
    (8.19, Pause(4, 1500, deciding=False)),
    seed=3,
    capacity_mw=60_000,
    feed_meter=False,
)
"""Node 5 hands over to node 4, which stands still: node 5's old table must not count again."""
OLD_AND_NEW = changed_sides(13, (4, 5), (2, 3))
HALF_MADE = changed_sides(8.9, (1, 2), (4, 5))
OLD_AND_LOST = replace(OLD_AND_NEW, timed=(*OLD_AND_NEW.timed, Timed(seconds(13), LostRoster(1))))


CAUGHT: tuple[tuple[Weaken, tuple[Script, ...]], ...] = (
    (weakening.silence_releases_a_floor, (CUT_OFF,)),
    (weakening.grant_from_receipt, LATE_PRICES),
    (weakening.any_round_is_taken, (LATE_AND_TWICE,)),
    (weakening.lowered_before_the_outputs, (HANGS_WHILE_ONE_JOINS,)),
    (weakening.firmware_keeps_no_deadline, (CONTROLLER_DIES,)),
    (weakening.any_boot_is_meant, (RESTARTS_TWICE,)),
    (weakening.silence_frees, (CUT_OFF,)),
    (weakening.issued_is_not_counted, (ELDEST_IS_BACK,)),
    (weakening.late_report_counts, (ALL_LATE,)),
    (weakening.stale_report_is_a_title, (STANDS_STILL,)),
    (weakening.no_margin, (HANGS_ALONE,)),
    (weakening.authority_never_lapses, (HALVES,)),
    (weakening.authority_from_receipt, (SLOWER_AND_SLOWER,)),
    (weakening.authority_is_regained, (COMES_BACK,)),
    (weakening.majority_of_the_heard, (OTHER_HALVES,)),
    (weakening.no_fence, (FLICKERS,)),
    (weakening.no_quiet_time, (TO_AND_FRO,)),
    (weakening.half_the_quiet_time, (FORGETS_WHOM_IT_LEFT,)),
    (weakening.book_opens_at_once, (BROKER_DIES, SLOW_BROKER)),
    (weakening.anything_is_inherited, (BROKER_DIES,)),
    (weakening.what_is_held_may_be_started, (MISREAD_AND_HEIR,)),
    (weakening.whatever_is_held_is_renewed, (RUNS_OUT,)),
    (weakening.waits_for_authority_only, (HALVES,)),
    (weakening.handover_of_a_closed_book, (CLOSED_HANDOVER,)),
    (roster_weakening.change_counts_at_once, (HALF_MADE,)),
    (roster_weakening.newer_roster_is_ignored, (OLD_AND_NEW,)),
    (roster_weakening.lost_roster_votes, (OLD_AND_LOST,)),
    (roster_weakening.limit_is_not_kept, (TOLD_ONE,)),
    (roster_weakening.pledge_before_it_is_agreed, (UNHEARD_RESTART,)),
    (roster_weakening.pledge_ends_with_the_term, (RESTART_AND_HEIR,)),
    (roster_weakening.pledge_is_not_counted, (AWAY_FOR_LONG,)),
    (roster_weakening.pledge_ends_too_soon, (AWAY_FOR_LONG,)),
    (roster_weakening.pledge_given_back_at_once, (BACK_AND_QUIET,)),
    (weakening.excess_is_ignored, (FAN_LIES,)),
    (weakening.handover_without_a_look, (LED_BEFORE,)),
)
NAMES = [weaken.__name__ for weaken, _ in CAUGHT]


@pytest.mark.parametrize(("weaken", "scripts"), CAUGHT, ids=NAMES)
def test_weakening_is_caught(
    weaken: Weaken, scripts: tuple[Script, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    weaken(monkeypatch)
    assert any(is_unsafe(one) for one in scripts), f"{weaken.__doc__} Nothing notices."


@pytest.mark.parametrize("scripts", [scripts for _, scripts in CAUGHT], ids=NAMES)
def test_whole_core_passes_what_catches_the_weakened(scripts: tuple[Script, ...]) -> None:
    """Fails if a script accuses the innocent: then it proves nothing about a weakening."""
    assert not any(run(one).violations for one in scripts)


def is_unsafe(one: Script) -> bool:
    """Whether a promise is broken: neither a rack that does not agree again nor a crash is that."""
    found = run(one).violations
    return any(" I7 " not in violation and " I9 " not in violation for violation in found)
