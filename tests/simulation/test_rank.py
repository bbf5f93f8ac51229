"""A node that says it ranks higher than its line: it is ranked by its line, by everybody."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.scenarios.stage import Stage

from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.simulation.fault import Heal, Kill, Partition, Restart

LOUD = 65_535


def boasts(stage: Stage, index: int) -> None:
    """Let a node start again with the highest priority in its configuration."""
    seat = stage.seat(index)
    seat.settings = replace(seat.settings, priority=LOUD)
    stage.fault(Restart(index))


def test_node_that_boasts_gets_no_office_and_splits_no_election() -> None:
    """Who would be the lowest claims to be the highest; then the broker dies.

    The next by the roster leads as soon as ever, the boaster is neither waited for nor handed the
    office, and when it stands it is told that it is outranked.
    """
    stage = Stage(timing=Timing(preempt_after_ns=2 * SECOND_NS))
    boasts(stage, 1)
    stage.run(10)
    stage.unharmed()
    assert stage.leads() == "n5"
    stage.fault(Kill(5))
    stage.run(0.45)
    assert stage.leads() == "n4"
    stage.run(10)
    stage.unharmed()
    assert stage.leads() in ("n4", "n5"), "n5 may be back by now"
    stage.never("n1: elected")


def test_node_that_boasts_leads_where_nobody_else_can() -> None:
    """A lie about its rank costs a node nothing else: of those that are left it is the highest."""
    stage = Stage()
    boasts(stage, 3)
    stage.run(6)
    stage.fault(Partition((4, 5)))
    stage.run(6)
    assert stage.leads() == "n3"
    stage.fault(Heal())
    stage.run(6)
    stage.unharmed()
