"""A node that is to be back asks, uses what is agreed, and goes; its next boot gives it back."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core import ballot, stage
from tests.unit.controller.core.chair import ANNA, acks, beacons, elected, formed, notes, office
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    TIMING,
    Player,
    all_of,
    commands,
    output,
    pair,
    roster,
)

from rackgrid.core import restart
from rackgrid.core.action import Action, Left
from rackgrid.core.event import FirmwareLost, LeaveRequested, StopRequested
from rackgrid.core.roster import Roster
from rackgrid.core.settings import MS_NS, SECOND_NS, NodeSettings, Timing
from rackgrid.identity import BootId, NodeId, Pair, Round
from rackgrid.wire.message import Allotment, Pledge, PledgeLine, Price, Resign
from rackgrid_firmware.link import Hold, OutputState, Release, Switched

BERT = 9
OF = pair(4, BERT)
ROSTER = roster(ME, BERT, of=OF, version=3)
SPAN_NS = 6 * SECOND_NS
"""The board of these tests holds nothing for longer."""


def lit(player: Player, name: str = "lamp", left_ns: int = SECOND_NS) -> OutputState:
    """An output that has been on for a while."""
    now_ns = player.now_ns
    return output(name, on=True, since_ns=now_ns - SECOND_NS, deadline_ns=now_ns + left_ns)


def member(
    told: NodeSettings | None = None, keeps: Roster = ROSTER, *, lamp: bool = True
) -> Player:
    """A node that follows Bert and has its lamp on by his grant."""
    player = Player(told or stage.settings(), remembered=pair(1), keeps=keeps)
    hears(player)
    lot = Allotment(ME, BOOT, player.node.state.agent.bid_seq, 9000, 1)
    said = Price(OF, Round(1), 250_000, 2000, 60_000, 0, 0, 0, False, (lot,))
    player.hears(BERT, said, unicast=False)
    if lamp:
        player.hears_firmware(Switched(player.now_ns, lit(player), 99))
    return player


def hears(player: Player, agreed: int = 3, of: Pair = OF) -> list[Action]:
    """Bert's heartbeat, which says what is agreed."""
    last = player.node.state.heartbeat
    seq = last.seq + 1 if last else 1
    said = ballot.heartbeat(of, seq, version=agreed, agreed=agreed)
    return player.hears(of.node, said, unicast=False)


def stops(player: Player) -> list[Action]:
    return player.happens(StopRequested(player.now_ns))


def pledged(player: Player, power_mw: int = 6000, boot: BootId = BOOT, version: int = 4) -> Roster:
    """Bert announces a roster with the pledge, and it is stored."""
    line = PledgeLine(ME, boot, power_mw, SPAN_NS // MS_NS)
    made = replace(ROSTER.with_pledge(line), stamp=replace(ROSTER.stamp, version=version))
    player.hears(BERT, made.update(3), unicast=False)
    return made


def holds(actions: list[Action]) -> list[Hold]:
    return [command for command in commands(actions) if isinstance(command, Hold)]


# --- asking ----------------------------------------------------------------------------------


def test_stop_asks_for_what_is_held_and_stays_for_the_answer() -> None:
    player = member()
    assert all_of(Pledge, stops(player)) == [Pledge(BOOT, 6000, 6000)]
    assert not player.node.state.ended
    assert player.node.state.agent.stopping


def test_stop_asks_again_and_goes_when_its_patience_is_over() -> None:
    """Fails if a daemon could hang because nobody answers it."""
    player = member()
    stops(player)
    said = list[Action]()
    for _ in range(restart.PATIENCE_NS // restart.REPEAT_NS):
        assert not player.node.state.ended
        hears(player)
        said += player.passes(restart.REPEAT_NS)
    assert len(all_of(Pledge, said)) == restart.PATIENCE_NS // restart.REPEAT_NS - 1
    assert isinstance(said[-1], Left)
    assert holds(said) == []
    assert notes(said)[-1].startswith("stops without a pledge")


def test_stop_twice_goes_at_once() -> None:
    player = member()
    stops(player)
    assert isinstance(stops(player)[-1], Left)


def test_leave_while_it_waits_is_a_leave() -> None:
    """Fails if it went on holding what it has said is off, or spun with two ends in view."""
    player = member()
    stops(player)
    player.happens(LeaveRequested(player.now_ns))
    said = player.passes(300 * MS_NS)
    assert all_of(Pledge, said) == []
    assert any(isinstance(command, Release) for command in commands(player.said))


def test_stop_with_nothing_on_goes_at_once() -> None:
    player = member(lamp=False)
    player.hears_firmware(Switched(player.now_ns, output("lamp"), 99))
    player.hears_firmware(Switched(player.now_ns, output("pump"), 99))
    assert isinstance(stops(player)[-1], Left)


def test_stop_where_it_is_switched_off_goes_at_once() -> None:
    told = stage.settings(timing=Timing(restart_ns=0))
    assert isinstance(stops(member(told))[-1], Left)


def test_stop_of_a_node_that_is_on_no_roster_goes_at_once() -> None:
    assert isinstance(stops(member(keeps=roster(BERT, of=OF, version=3)))[-1], Left)


def test_stop_under_the_pledge_of_an_earlier_boot_asks_for_no_other() -> None:
    """Fails if what an earlier boot was given could be replaced while its outputs still hold."""
    player = member()
    pledged(player, boot=BootId(1))
    assert isinstance(stops(player)[-1], Left)


def test_stop_without_firmware_goes_at_once() -> None:
    player = member()
    player.happens(FirmwareLost(player.now_ns))
    assert isinstance(stops(player)[-1], Left)


def test_stop_firmware_lost_while_it_waits_ends_the_wait() -> None:
    player = member()
    stops(player)
    assert isinstance(player.happens(FirmwareLost(player.now_ns))[-1], Left)


def test_stop_loads_that_end_while_it_waits_end_the_wait() -> None:
    player = member()
    stops(player)
    player.hears_firmware(Switched(player.now_ns, output("lamp"), 99))
    player.hears_firmware(Switched(player.now_ns, output("pump"), 99))
    assert isinstance(player.passes(restart.REPEAT_NS)[-1], Left)


def test_stop_islanded_goes_at_once() -> None:
    player = member()
    player.passes(2 * SECOND_NS)
    assert player.node.state.followed.node == 0
    player.hears_firmware(Switched(player.now_ns, lit(player), 99))
    assert isinstance(stops(player)[-1], Left)


def test_stop_in_the_quiet_time_goes_at_once() -> None:
    player = Player(stage.settings(), keeps=ROSTER)
    hears(player)
    player.hears_firmware(Switched(player.now_ns, lit(player), 99))
    assert isinstance(stops(player)[-1], Left)


def test_stop_starts_nothing_and_bids_for_nothing_more() -> None:
    player = member()
    stops(player)
    hears(player)
    lot = Allotment(ME, BOOT, player.node.state.agent.bid_seq, 30_000, 3)
    said = Price(OF, Round(2), 250_000, 2000, 60_000, 0, 0, 0, False, (lot,))
    done = player.hears(BERT, said, unicast=False)
    assert [hold.output for hold in holds(done) if hold.starts] == []
    assert len(player.node.state.report(player.now_ns).steps) == 1


# --- using -----------------------------------------------------------------------------------


def test_pledge_agreed_is_used_from_the_first_asking_on() -> None:
    """Fails if the span began later: whoever counts it began when it was asked for."""
    player = member()
    asked_ns = player.now_ns
    stops(player)
    player.passes(250 * MS_NS)
    pledged(player)
    said = hears(player, agreed=4)
    (hold,) = holds(said)
    assert (hold.output, hold.deadline_ns, hold.starts) == ("lamp", asked_ns + SPAN_NS, False)
    assert isinstance(said[-1], Left)


def test_pledge_holds_what_is_dimmed_at_its_level() -> None:
    """Fails if a planned restart turns a dimmed load up."""
    player = member()
    player.hears_firmware(Switched(player.now_ns, replace(lit(player), level=300), 99))
    stops(player)
    pledged(player)
    (hold,) = holds(hears(player, agreed=4))
    assert (hold.output, hold.level) == ("lamp", 300)


def test_pledge_that_is_stored_and_not_agreed_is_not_used() -> None:
    """Fails if a later broker might not know of it (P7)."""
    player = member()
    stops(player)
    pledged(player)
    assert holds(hears(player, agreed=3)) == []
    assert not player.node.state.ended


def test_pledge_agreed_under_another_pair_is_not_this_one() -> None:
    player = member()
    stops(player)
    pledged(player)
    assert holds(hears(player, agreed=9, of=pair(5, BERT))) == []


def test_pledge_of_an_agreed_roster_is_used_though_this_disk_is_slow() -> None:
    player = member()
    stops(player)
    player.disk = False
    pledged(player)
    assert len(holds(hears(player, agreed=4))) == 1


def test_pledge_reaches_no_further_than_its_watts() -> None:
    """Fails if a load is held on that nobody counts."""
    player = member()
    player.hears_firmware(Switched(player.now_ns, lit(player, "pump"), 99))
    stops(player)
    pledged(player, power_mw=6000)
    assert [hold.output for hold in holds(hears(player, agreed=4))] == ["lamp"]


def test_pledge_holds_nothing_that_is_on_its_way_off() -> None:
    player = member()
    stops(player)
    off = replace(lit(player), cause="released")
    player.hears_firmware(Switched(player.now_ns, off, 99))
    pledged(player)
    assert holds(hears(player, agreed=4)) == []
    assert player.node.state.ended


def test_pledge_holds_nothing_that_was_told_to_open() -> None:
    player = member()
    stops(player)
    pledged(player)
    node = player.node.state
    assert node.heartbeat is not None
    node.heartbeat = replace(node.heartbeat, agreed_version=4)
    told = replace(node.agent.commanded["lamp"], deadline_ns=0)
    node.agent = replace(node.agent, commanded={**node.agent.commanded, "lamp": told})
    assert restart.proceed(node, player.now_ns)
    assert holds(node.out) == []


def test_broker_has_its_own_pledge_agreed_before_it_resigns() -> None:
    player = formed()
    player.hears_firmware(Switched(player.now_ns, lit(player), 99))
    said = stops(player)
    assert all_of(Resign, said) == []
    proposed = office(player).agreement.proposed
    assert proposed is not None
    line = proposed.pledge(ME)
    assert line is not None
    assert line.boot == BOOT
    said = acks(player, ANNA)
    assert [type(action) for action in said if isinstance(action, Left)] == [Left]
    assert len(all_of(Resign, said)) == 1
    assert {hold.deadline_ns for hold in holds(said)} == {player.now_ns + SPAN_NS}


def test_broker_does_not_use_what_is_only_proposed() -> None:
    player = formed()
    player.hears_firmware(Switched(player.now_ns, lit(player), 99))
    said = stops(player) + player.passes(50 * MS_NS)
    assert [h for h in holds(said) if h.deadline_ns > player.now_ns + TIMING.grant_ns] == []
    assert not player.node.state.ended


def test_broker_does_not_use_a_pledge_of_the_term_before() -> None:
    """Fails if what was never agreed, and is merely stored, is taken for agreed."""
    line = PledgeLine(ME, BOOT, 6000, 6000)
    player = elected(keeps=stage.roster(stage.line(ME, priority=5), 1, 2).with_pledge(line))
    assert restart._agreed(player.node.state) is None


# --- giving back -----------------------------------------------------------------------------


def returned(player: Player, left_ns: int) -> list[Action]:
    """Let two beacons go by, with the lamp still held for so long by an earlier boot."""
    player.hears_firmware(Switched(player.now_ns, lit(player, left_ns=left_ns), 99))
    pledged(player, boot=BootId(1))
    said = list[Action]()
    restart.give_back(player.node.state, player.now_ns)
    said += player.node.state.out
    player.node.state.out.clear()
    return said


def test_give_back_when_nothing_is_held_for_longer_than_a_grant() -> None:
    assert all_of(Pledge, returned(member(lamp=False), TIMING.grant_ns)) == [
        Pledge(BootId(1), 0, 0)
    ]


def test_give_back_not_while_an_output_is_held_for_longer() -> None:
    """Fails if a broker that is elected then would wait for a grant, and no longer."""
    assert all_of(Pledge, returned(member(lamp=False), TIMING.grant_ns + MS_NS)) == []


def test_give_back_not_of_this_boots_own() -> None:
    player = member()
    pledged(player)
    restart.give_back(player.node.state, player.now_ns)
    assert all_of(Pledge, player.node.state.out) == []


def test_give_back_of_a_broker_is_a_change_like_any_other() -> None:
    line = PledgeLine(ME, BootId(1), 6000, 6000)
    player = formed(keeps=stage.roster(stage.line(ME, priority=5), 1, 2).with_pledge(line))
    beacons(player, ANNA)
    player.hears_firmware(Switched(player.now_ns, output("lamp"), 99))
    restart.give_back(player.node.state, player.now_ns)
    proposed = office(player).agreement.proposed
    assert proposed is not None
    assert proposed.pledges == ()
    assert proposed.line(NodeId(ME)) is not None
