"""Each rule taken away in turn: the simulation must notice, or the rule is useless, or unchecked.

Beside each weakening stand the scripts of which one must catch it, most of them written for it:
random faults hardly ever bring the few events together that it takes. None of these scripts may
accuse the whole core.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.simulation import weakening
from tests.simulation.weakening import Weaken

from rackgrid.simulation.fault import (
    Amnesia,
    Bridge,
    CutOneWay,
    Fault,
    Heal,
    Kill,
    Partition,
    SlowLink,
)
from rackgrid.simulation.guest import HandOver, Join, PlannedRestart
from rackgrid.simulation.mishap import FirmwareHang, Liar, LostRoster
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import SHARP_MS, Script, Timed, scripted
from rackgrid.simulation.target import BROKER


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

FAN_LIES = script((8, Liar(4, "fan", 300)))
"""A required load draws three times what its floor has room for."""

LATE_PRICES = tuple(
    script((8 + late_s, SlowLink(BROKER, 6000, 150)), (8.2 + late_s, Partition((4,))))
    for late_s in (0.05, 0.1)
)
"""A grant comes when its holder has long been cut off, and its watts are others'."""
HANGS_WHILE_ONE_JOINS = script((8, FirmwareHang(4, 2900)), (8.1, Join(6)), reserve_mw=5_000)
"""Watts are asked back from a node whose outputs cannot follow."""
FLICKERS = script(
    (8, Bridge((4, 5), 1)),
    (8.4, CutOneWay(5, 1)),
    (8.7, Heal()),
    (8.7, Bridge((4, 5), 1)),
    margin_ms=SHARP_MS,
)
"""The node that two sides share loses one broker for a moment, and hears it again."""


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


STANDS_STILL = scripted(100697, 5, 30, "clock-reset").kept((5, 15))
"""A node that stood still reports what has ended, before it reads what its firmware says."""
OLD_AND_NEW = changed_sides(13, (4, 5), (2, 3))
HALF_MADE = changed_sides(8.9, (1, 2), (4, 5))
OLD_AND_LOST = replace(OLD_AND_NEW, timed=(*OLD_AND_NEW.timed, Timed(seconds(13), LostRoster(1))))


def sharp(seed: int, plot: str) -> Script:
    """A script of the swarm, its margin next to nothing, and no firmware that hangs."""
    written = scripted(seed, 5, 24, plot)
    timed = tuple(t for t in written.timed if not isinstance(t.fault, FirmwareHang))
    return replace(written, margin_ms=SHARP_MS, timed=timed)


CAUGHT: tuple[tuple[Weaken, tuple[Script, ...]], ...] = (
    (weakening.silence_releases_a_floor, (CUT_OFF,)),
    (weakening.grant_from_receipt, LATE_PRICES),
    (weakening.any_round_is_taken, (sharp(52, "slow-broker"),)),
    (weakening.lowered_before_the_outputs, (HANGS_WHILE_ONE_JOINS,)),
    (weakening.firmware_keeps_no_deadline, (CONTROLLER_DIES,)),
    (weakening.silence_frees, (CUT_OFF,)),
    (weakening.issued_is_not_counted, (sharp(4, "noise"),)),
    (weakening.late_report_counts, (sharp(93, "slow-broker"),)),
    (weakening.stale_report_is_a_title, (STANDS_STILL,)),
    (weakening.no_margin, (scripted(4, 5, 24, "hung-firmware"),)),
    (weakening.authority_never_lapses, (HALVES,)),
    (weakening.majority_of_the_heard, (OTHER_HALVES,)),
    (weakening.no_fence, (FLICKERS,)),
    (weakening.book_opens_at_once, (BROKER_DIES, scripted(0, 5, 24, "noise"))),
    (weakening.anything_is_inherited, (BROKER_DIES,)),
    (weakening.waits_for_authority_only, (HALVES,)),
    (weakening.handover_of_a_closed_book, (CLOSED_HANDOVER,)),
    (weakening.change_counts_at_once, (HALF_MADE,)),
    (weakening.newer_roster_is_ignored, (OLD_AND_NEW,)),
    (weakening.lost_roster_votes, (OLD_AND_LOST,)),
    (weakening.pledge_before_it_is_agreed, (UNHEARD_RESTART,)),
    (weakening.pledge_ends_with_the_term, (RESTART_AND_HEIR,)),
    (weakening.pledge_is_not_counted, (AWAY_FOR_LONG,)),
    (weakening.pledge_ends_too_soon, (AWAY_FOR_LONG,)),
    (weakening.pledge_given_back_at_once, (BACK_AND_QUIET,)),
    (weakening.excess_is_ignored, (FAN_LIES,)),
    (weakening.handover_without_a_look, (scripted(3, 5, 24, "noise"),)),
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
