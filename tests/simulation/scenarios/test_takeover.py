"""Scenarios of the office: who may lead after whom, and what a new broker may not know."""

from __future__ import annotations

from tests.simulation.scenarios.stage import Stage, Stranger, index_of

from rackgrid.core import book
from rackgrid.core.settings import MS_NS, Timing
from rackgrid.simulation.fault import (
    Amnesia,
    Bridge,
    ClockRate,
    CutOneWay,
    Heal,
    Kill,
    Partition,
)
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.plot import RHO_PPM
from rackgrid.simulation.weather import Loss
from rackgrid.wire.message import Ack, Beacon, Election

SHARP_MS = 20


def test_voter_that_two_halves_share_forgets_and_forgets_and_elects_nobody() -> None:
    """Scenario 3. The old broker and two others are apart but for one voter, whose process dies.

    It is back at once and remembers nothing, each time that the old broker speaks to it or another
    calls for its vote. Its quiet time stands for its memory: it votes for neither, so neither half
    has a majority, and the feed is given out by nobody.
    """
    stage = Stage(margin_ms=SHARP_MS)

    def forgets(sent: Datagram) -> bool:
        speaks = sent.sender == stage.seat(5).id and not isinstance(sent.message, Beacon)
        if index_of(sent) == 1 and (speaks or isinstance(sent.message, Election)):
            stage.world.at(stage.world.now_ns, lambda: Amnesia(1).apply(stage.world))
        return False

    stage.fault(Bridge((4, 5), 1))
    stranger = Stranger(stage, forgets)
    stage.run(6)
    stage.unharmed()
    stage.told("n1: boots", "n5: no majority answers")
    stage.never("n2: elected", "n3: elected", "n4: elected", "n5: elected")
    stranger.keeps = None
    stage.run(3)
    assert stage.leads() in ("n3", "n4", "n5"), "the half with the shared voter is a majority"
    stage.fault(Heal())
    stage.run(8)
    stage.unharmed()
    stage.whole()


def test_three_brokers_within_one_grant_time_share_nothing_out_twice() -> None:
    """Scenario 7. A grants and dies; B inherits what it hears of and dies while it still waits.

    C hears others than B did. Of what A and B granted to those who are silent now, C knows nothing:
    it renews what the heard hold and raises nothing until all that can be in force is over.
    """
    stage = Stage()
    assert [stage.granted_w(index) for index in (3, 4, 5)] == [6, 6, 10]
    stage.fault(Partition((3,)), Kill(5))
    stage.until(lambda: stage.leads() == "n4")
    stage.run(0.5)
    stage.fault(Kill(4), Heal())
    stage.until(lambda: stage.leads() != "")
    stage.run(0.5)
    assert stage.leads() == "n2"
    stage.unharmed()
    assert [stage.granted_w(index) for index in (1, 2, 3)] == [0, 0, 6]
    assert stage.flexible_w() == 22, "the loads of the dead run on"
    stage.run(7)
    stage.unharmed()
    stage.told(
        "n4: elected",
        "n2: elected",
        "n5: switches lamp off: deadline",
        "n4: switches lamp off: deadline",
        "n2: switches lamp on",
    )
    stage.never("n3: switches lamp")


def test_new_broker_in_a_hurry_waits_for_whom_it_never_heard() -> None:
    """Scenario 8. A member that holds a grant is unheard from the old broker's death to the end.

    The new broker's clock is fast and the member's slow, and the others want all that there is. A
    millisecond before its waits are over the broker clears, and still gives nothing away.
    """
    stage = Stage(margin_ms=SHARP_MS)
    stage.fault(ClockRate(4, RHO_PPM), ClockRate(3, -RHO_PPM))
    stage.run(1)
    assert stage.granted_w(3) == 6
    stage.fault(Partition((3,)), Kill(5))
    stage.until(lambda: stage.leads() == "n4")
    stage.run(0.01)
    office = stage.state(4).office
    assert office is not None
    opens_ns = book.opens_ns(office.book, stage.state(4).timing)
    assert opens_ns is not None
    for _ in range(20):  # all through the waits
        stage.run(0.1)
        stage.asks_for_a_round(4)
        stage.unharmed()
    assert [stage.granted_w(index) for index in (1, 2)] == [0, 0]
    stage.world.run(stage.seat(4).true_ns(opens_ns - MS_NS))
    stage.asks_for_a_round(4)
    stage.run(0.001)
    stage.unharmed()
    assert [stage.granted_w(index) for index in (1, 2)] == [0, 0]
    stage.run(1)
    assert stage.granted_w(2) > 0
    stage.unharmed()
    stage.told("n4: elected", "n3: switches lamp off: deadline", "n2: switches lamp on")


def test_clocks_at_opposite_limits_give_a_silent_nodes_watts_away_no_sooner() -> None:
    """Scenario 9. The broker's clock is as fast as a clock may be, the member's as slow.

    The member is heard no more, and holds a grant for the last bid that was. The broker clears just
    before that grant truly ends, when by its own unstretched clock it would be over, and gives
    nothing away. (No wall clock is read anywhere: NTP may step it as it likes.)
    """
    stage = Stage(margin_ms=SHARP_MS)
    stage.fault(ClockRate(5, RHO_PPM), ClockRate(4, -RHO_PPM))
    stage.run(1)
    stage.fault(CutOneWay(4, 5))
    stage.run(1)
    held = stage.state(4).agent.grant
    assert held is not None
    assert held.power_mw == 6000
    ends_ns = stage.seat(4).true_ns(held.deadline_ns)
    stage.world.run(ends_ns - 2 * MS_NS)
    stage.asks_for_a_round(5)
    stage.run(0.0015)
    stage.unharmed()
    assert (stage.granted_w(4), stage.granted_w(2)) == (6, 0)
    stage.run(1)
    assert stage.granted_w(2) > 0
    stage.unharmed()
    stage.told("n4: switches lamp off: deadline", "n2: switches lamp on")


def test_seven_candidates_at_once_on_a_lossy_network_settle_on_one() -> None:
    """Scenario 17. Seven voters, no skew between their timers, a fifth of all datagrams lost.

    The broker dies and all the others stand in the same instant. They give way to each other and
    try again later, twice as much later each time: no storm, and one broker, loss or no loss.
    """
    timing = Timing(skew_ns=0, skew_max_ns=0)
    stage = Stage(nodes=7, capacity_w=70, voters_max=7, timing=timing)
    stage.fault(Kill(7), Loss(20, 6000))
    stage.run(6)
    called = sum(stage.times(f"n{index}: stands for") for index in range(1, 8))
    assert 2 <= called <= 60, f"{called} candidatures"
    stage.run(2)
    stage.unharmed()
    leaders = stage.leads().split()
    assert len(leaders) == 1, f"{leaders} lead"
    stage.told("n7: is killed", f"{leaders[0]}: elected")


def test_broker_elected_by_just_enough_of_whom_one_dies_grants_nothing() -> None:
    """Scenario 18. Three of five are left, and just enough to elect one of them.

    One of the three dies between its vote and its first ack. A vote is no ack: the new broker never
    had authority, gives up in time, and what the last broker granted runs out.
    """

    def is_unsent(sent: Datagram) -> bool:
        return sent.sender == stage.seat(1).id and isinstance(sent.message, Ack)

    stage = Stage()
    Stranger(stage, is_unsent)
    stage.fault(Kill(5), Kill(4))
    stage.until(lambda: stage.leads() == "n3")
    office = stage.state(3).office
    assert office is not None
    assert stage.seat(1).id in office.supports
    stage.fault(Kill(1))
    stage.run(5)
    stage.unharmed()
    stage.told("n3: elected", "n3: never had a majority")
    assert stage.state(2).agent.taken[0] < office.pair
    assert (stage.leads(), stage.flexible_w()) == ("", 0)
