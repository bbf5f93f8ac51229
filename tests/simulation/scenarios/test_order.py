"""Scenarios of order: what comes late, twice, from an earlier life, or under another broker."""

from __future__ import annotations

import pytest
from tests.simulation.scenarios.stage import Stage, Stranger, index_of

from rackgrid.core import broker
from rackgrid.core.event import LeaveRequested
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.simulation.fault import CutOneWay, Heal, Join, Partition, PowerCycle, Restart
from rackgrid.simulation.guest import HandOver
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.recipe import node_id
from rackgrid.simulation.weather import Duplication
from rackgrid.wire.message import (
    Ack,
    Allotment,
    Coordinator,
    Election,
    Heartbeat,
    Leave,
    Message,
    Price,
    Remove,
    Resign,
)

SHARP_MS = 20


def allotted(sent: Datagram, index: int) -> Allotment | None:
    """What a datagram allots to a node: nothing, if it is no price or does not speak of it."""
    found = sent.message.allotments if isinstance(sent.message, Price) else ()
    return next((one for one in found if one.node == node_id(index)), None)


def test_grant_to_a_life_before_the_reboot_is_not_taken_by_the_next() -> None:
    """Scenario 5. A node's clock begins at zero, twice, and its bids are numbered from one, twice.

    The second life is not heard, and others get its watts. Then a grant for the first life comes,
    when the second has a bid of the same number and that bid is young. It names another boot.
    """
    stage = Stage(margin_ms=SHARP_MS)
    stage.fault(PowerCycle(4, 0))
    stage.run(4)
    assert stage.granted_w(4) > 0
    stranger = Stranger(stage, lambda sent: index_of(sent) == 4 and isinstance(sent.message, Price))
    stage.until(lambda: len(stranger.kept) == 1)
    late = stranger.kept[0]
    grant = allotted(late, 4)
    assert grant is not None
    assert grant.grant_mw == 6000
    stage.fault(PowerCycle(4, 0), CutOneWay(4, 5))
    stage.until(lambda: stage.state(4).agent.bid_seq > grant.bid_seq)
    assert any(bid.seq == grant.bid_seq for bid in stage.state(4).agent.bids)
    stranger.delivers(late)
    stage.run(0.1)
    stage.unharmed()
    assert stage.granted_w(4) == 0
    stranger.keeps = None
    stage.fault(Heal())
    stage.run(3)
    stage.unharmed()
    stage.told("n4: boots", "n2: switches lamp on", "stranger: delivers Price of n5 to n4")
    stage.whole()


def test_grant_overtaken_by_a_lower_one_gives_nothing_back() -> None:
    """Scenario 6. A member was lowered and has said so, and another was raised in its stead.

    Then an older grant of the same broker arrives, larger and not yet expired. Rounds are taken in
    their order, each once.
    """
    stage = Stage(capacity_w=52, reserve_w=5, timing=Timing(grant_ns=5 * SECOND_NS))
    stranger = Stranger(stage, lambda sent: allotted(sent, 4) is not None and index_of(sent) == 4)
    stage.until(lambda: len(stranger.kept) == 1)
    stranger.keeps = None
    grant = allotted(stranger.kept[0], 4)
    assert grant is not None
    assert grant.grant_mw == stage.granted_w(4) * 1000 > 0
    stage.fault(Join(6))
    stage.until(lambda: stage.granted_w(6) > 0)
    stage.run(0.2)
    assert stage.granted_w(4) == 0
    stranger.delivers(stranger.kept[0])
    assert stage.granted_w(4) == 0
    stage.run(3)
    stage.unharmed()
    stage.told("n4: switches lamp off: released", "n6: switches lamp on", "stranger: delivers")
    stage.whole()


@pytest.mark.parametrize("back", ["same boot", "new boot"])
def test_member_removed_while_it_draws_keeps_its_watts(back: str) -> None:
    """Scenario 11. A live member is not heard and is removed before all, its loads on.

    REMOVE frees nothing: its watts are nobody else's before its grant has ended. It comes back in
    time, as it was or as another boot, and has lost nothing.
    """
    stage = Stage()
    stranger = Stranger(stage)
    stage.fault(CutOneWay(4, 5))
    stage.run(1.8)
    stage.unharmed()
    assert stage.draw_w(4) == 10.7
    stage.fault(Heal(), *([Restart(4)] if back == "new boot" else []))
    stage.run(6)
    stage.unharmed()
    removed = [sent.message for sent in stranger.seen if isinstance(sent.message, Remove)]
    assert {one.node for one in removed} == {node_id(4)}
    stage.told("n4: the broker does not hear this node's acks")
    stage.never("n4: switches", "n2: switches lamp on", "n1: switches lamp on")
    stage.whole()


def test_freshly_booted_node_hears_the_past_replayed_and_follows_the_present() -> None:
    """Scenario 13. A node has just started, and remembers nobody.

    Somebody replays to it the heartbeat, the call and the resignation of brokers that were, and its
    own ack; and to the broker that it has left, which its last life said. It follows who leads now,
    and stays on the roster.
    """
    stage = Stage(reserve_w=5)
    stranger = Stranger(stage)
    stage.run(0.5)
    stage.fault(HandOver())
    stage.run(1)
    assert stage.leads() == "n4"
    gone = stage.seat(3)
    stage.world.tell(gone, LeaveRequested(gone.local_ns(stage.world.now_ns)))
    stage.run(2)
    assert gone.node is None
    gone.remembered = None
    stage.world.boot(gone)
    kinds: tuple[tuple[type[Message], int], ...] = (
        (Heartbeat, 5),
        (Election, 4),
        (Coordinator, 4),
        (Resign, 5),
    )
    past = [stranger.last(kind, of, to=3) for kind, of in kinds]
    own = stranger.last(Ack, of=3)
    echo = Datagram(own.sender, own.boot, gone.id, own.message, unicast=True)
    stranger.delivers(*past, echo)
    stage.run(3)
    mark = len(stage.lines)
    stranger.delivers(*past, echo)
    stranger.delivers(stranger.last(Leave, of=3, to=4))
    for _ in range(50):
        stage.run(0.001)
        assert stage.state(4).roster.line(gone.id), "n3 is no longer on the roster"
    changes = [one for one in stage.lines[mark:] if " n3 " in one and "follows" in one]
    assert not changes, changes
    stage.run(5)
    stage.unharmed()
    stage.told("n3: has left", "n3: boots", "n3: is member")
    stage.whole()
    assert stage.leads() == "n4"


def test_broker_cut_off_is_not_kept_in_office_by_acks_to_another() -> None:
    """Scenario 13, at the broker. It is cut off, and somebody replays acks to it.

    They are authentic, and of heartbeats with the same numbers; but they were given to the broker
    before it. It gives up in time.
    """
    stage = Stage()
    stranger = Stranger(stage)
    stage.run(2)
    acks = [sent for index in (1, 2, 3) for sent in stranger.all(Ack, of=index, to=5)]
    stage.fault(HandOver())
    stage.run(0.2)
    assert stage.leads() == "n4"
    first = min(sent.message.seq for sent in acks if isinstance(sent.message, Ack))

    def seq() -> int:
        office = stage.state(4).office
        return office.seq if office else 0

    stage.until(lambda: seq() >= first + 2)
    stage.fault(Partition((4,)))
    for _ in range(10):
        stage.run(0.1)
        for sent in acks:
            if isinstance(sent.message, Ack) and sent.message.seq == seq():
                stage.world.deliver(
                    Datagram(sent.sender, sent.boot, node_id(4), sent.message, unicast=True)
                )
    stage.told("fault: n4 cut off", "n4: no majority answers")
    stage.run(4)
    stage.unharmed()
    assert stage.leads() in ("n2", "n3"), "n5 has just handed over"


def test_price_in_parts_of_which_one_is_lost_costs_only_whom_it_was_for() -> None:
    """Scenario 20. A price takes several datagrams, and one of them never reaches one member.

    Each part is valid by itself, in any order: the others take theirs, the one whose part is lost
    sheds at its deadline, and starts again when it is heard again.
    """

    def is_for_n3(sent: Datagram) -> bool:
        return index_of(sent) == 3 and isinstance(sent.message, Price)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(broker, "ALLOTMENTS_MAX", 2)
        stage = Stage()
        stranger = Stranger(stage, lambda sent: index_of(sent) == 4 and bool(allotted(sent, 4)))
        stage.run(1.9)
        others = [stage.granted_w(index) for index in (3, 5)]
        parts = stranger.all(Price, of=5, to=3)
        assert len(parts) >= 9, "three parts a round"
        stage.run(1)
        assert [stage.granted_w(index) for index in (3, 5)] == others
        assert min(others) > 0
        stage.told("n4: switches lamp off: deadline")
        stranger.kept.clear()
        stranger.keeps = is_for_n3
        stage.until(lambda: len(stranger.kept) == 3)
        late = stranger.kept
        stranger.keeps = None
        stranger.delivers(*reversed(late))
        stage.run(6)
        assert [stage.granted_w(index) for index in (3, 4)] == [6, 6]
        stage.unharmed()
        stage.whole()


def test_everything_heard_twice_makes_no_majority_of_a_minority() -> None:
    """Scenario 20, on two interfaces of one LAN. Every datagram arrives twice.

    Nothing changes by that; and when the rack parts, two nodes that hear each other twice are still
    two of five.
    """
    stage = Stage()
    stage.fault(Duplication(100, 12_000))
    stage.run(2)
    stage.never("n1: switches", "n2: switches", "n3: switches", "n4: switches", "n5: switches")
    stage.fault(Partition((4, 5)))
    stage.run(8)
    stage.unharmed()
    stage.told("n5: no majority answers", "n5: no majority answered")
    stage.never("n5: elected", "n4: elected")
    assert stage.leads() in ("n1", "n2", "n3")
    stage.fault(Heal())
    stage.run(8)
    stage.unharmed()
    stage.whole()
