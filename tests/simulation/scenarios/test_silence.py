"""Scenarios of silence: who stands still, links that work one way, datagrams that are late."""

from __future__ import annotations

import pytest
from tests.simulation.scenarios.stage import Stage, Stranger

from rackgrid.core.settings import MS_NS
from rackgrid.simulation.fault import Capacity, CutOneWay, Deaf, Heal
from rackgrid.simulation.mishap import Pause
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.target import BROKER
from rackgrid.wire.message import Ack, Price


@pytest.mark.parametrize("pause_ms", [1200, 3000])
def test_broker_that_pauses_with_a_raise_in_its_hands_sends_it_in_vain(pause_ms: int) -> None:
    """Scenario 1. A broker stands still between deciding on a raise and sending it.

    When it goes on another leads, and nobody takes the raise: after three seconds it is too old by
    itself, after one it is of a pair that all have left.
    """
    stage = Stage(capacity_w=45)
    stranger = Stranger(stage)
    stage.fault(Capacity(60_000), Pause(BROKER, pause_ms, deciding=True))
    stage.run(pause_ms / 1000)
    assert stage.leads() == "n4 n5"
    before = stranger.last(Price, of=5)
    stage.until(lambda: stranger.last(Price, of=5) is not before)
    late = stranger.last(Price, of=5).message
    assert isinstance(late, Price)
    stage.run(0.002)
    stage.unharmed()
    stage.told(
        "fault: the broker stands still",
        "n4: elected",
        f"n5: applies {late.price_uc} uc of round {late.round}",
        "n5: no majority answers",
        "n5: follows",
    )
    for index in (1, 2, 3, 4):
        assert stage.state(index).agent.taken[1] < late.round, f"n{index} has taken it"
    stage.run(8)
    stage.unharmed()
    stage.whole()
    assert stage.leads() == "n4"


def test_broker_whose_acks_are_lost_gives_up_and_its_grants_run_out() -> None:
    """Scenario 2. All hear the broker, and it hears nobody.

    It leads for T and no longer; those who heard it elect another; what it holds itself ends after
    G, though nobody can tell it so.
    """
    stage = Stage()
    assert stage.granted_w(5) > 0
    stage.fault(*(CutOneWay(index, 5) for index in (1, 2, 3, 4)))
    stage.run(1)
    assert stage.leads() == "n4", f"{stage.leads()} leads"
    stage.run(2)
    assert stage.granted_w(5) == 0
    stage.unharmed()
    stage.told(
        "n5: no majority answers",
        "n4: stands for",
        "n4: elected",
        "n5: switches lamp off",
    )
    assert stage.draw_w(5) == 4.9
    stage.run(5)
    stage.unharmed()
    assert stage.leads() == "n4"
    assert stage.granted_w(3) > 0


def test_switch_forgets_the_group_and_nobody_leads_until_it_remembers() -> None:
    """Scenario 2b. IGMP ages out: what goes by unicast flows on, heartbeats reach nobody.

    Nobody answers what nobody heard: the broker gives up within T, no call reaches a voter, and all
    loads that bid are off after G. When the group is known again, there is one rack.
    """
    stage = Stage()
    stage.fault(Deaf((1, 2, 3, 4, 5)))
    stage.run(3)
    stage.told("n5: no majority answers", "n1: knows no price")
    stage.never("n4: elected", "n5: elected")
    assert (stage.leads(), stage.flexible_w()) == ("", 0)
    stage.fault(Heal())
    stage.run(8)
    stage.unharmed()
    stage.whole()
    assert stage.leads() == "n5"


def test_member_deaf_to_the_group_calls_elections_that_all_others_decline() -> None:
    """Scenario 2b, at one port. A member is heard and hears no multicast.

    It calls one election after the other; all who still hear the broker say so, and nothing
    changes but that the deaf one's own grant ends.
    """
    stage = Stage()
    stage.fault(Deaf((4,)))
    stage.run(6)
    stage.unharmed()
    stage.never("n4: elected", "n3: stands for", "n5: is islanded", "n5: is member")
    stage.told("n4: stands for", "n4: the broker is still heard", "n4: switches lamp off")
    assert stage.leads() == "n5"
    assert stage.granted_w(4) == 0
    assert stage.granted_w(3) > 0
    stage.fault(Heal())
    stage.run(3)
    stage.unharmed()
    stage.whole()
    assert stage.leads() == "n5"


def test_member_stopped_beyond_its_grant_draws_nothing_and_its_late_word_takes_nothing() -> None:
    """Scenario 10. A member's process is stopped with its loads on, and goes on long after.

    Its firmware opens them at the deadline, and others get its watts. The first that it says
    afterwards is of a holding that has ended long ago, and by chance nothing newer comes through:
    that counts, to be safe, and it is no title to new watts.
    """

    def is_news(sent: Datagram) -> bool:
        of_n4 = sent.sender == stage.seat(4).id
        return of_n4 and isinstance(sent.message, Ack) and not sent.message.report.holding_mw

    stage = Stage(margin_ms=500)
    assert stage.granted_w(4) > 0
    stage.fault(Pause(4, 5250, deciding=False))  # between two rounds: its word asks for one
    stage.run(5)
    stage.told("fault: n4 stands still", "n4: switches lamp off: deadline", "n2: switches lamp on")
    assert stage.draw_w(4) == 4.9
    stranger = Stranger(stage, is_news)
    stage.run(0.75)
    stage.unharmed()
    assert stage.granted_w(4) == 0
    assert stage.granted_w(2) > 0
    stranger.keeps = None
    stage.run(6)
    stage.unharmed()
    stage.whole()
    assert stage.leads() == "n5"


def test_all_datagrams_late_by_nearly_two_seconds_leave_nobody_in_office() -> None:
    """Scenario 14. Somebody on the cable delays every datagram, a little more each time, to 1.9 s.

    All arrive, once and in order, and no silence is ever long enough to be noticed. But an ack
    counts from when its heartbeat was sent: the broker gives up, and what is granted comes late.
    """
    stage = Stage()
    for late_ms in range(20, 1900, 20):
        stage.world.network.slow = dict.fromkeys(stage.world.seats, late_ms * MS_NS)
        stage.run(0.02)
    stage.run(4)
    stage.told("n5: no majority answers")
    assert (stage.leads(), stage.flexible_w()) == ("", 0)
    stage.world.network.calm()
    stage.run(9)
    stage.unharmed()
    stage.whole()
