"""The broker's side of a restart: it agrees a pledge, counts it, and ends it (P3, P7)."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.ballot import H
from tests.unit.controller.core.chair import (
    ANNA,
    BERT,
    CARL,
    THREE,
    acks,
    base,
    elected,
    formed,
    keep,
    notes,
    office,
    rounds,
)
from tests.unit.controller.core.stage import TIMING, Player, all_of, report

from rackgrid.core import broker, pledge
from rackgrid.core.action import Action
from rackgrid.core.event import CapacityChanged
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Pledge, PledgeLine, Price, Report, RosterUpdate

OLD, NEW = BootId(10), BootId(11)
"""Anna's boots; as `Player.hears` has it, the first is ten times her number."""
ASKED = Pledge(OLD, 6000, 15_000)
BACK = Pledge(OLD, 0, 0)
LINE = PledgeLine(NodeId(ANNA), OLD, 6000, 15_000)


def holding(holding_mw: int = 6000) -> Player:
    """A broker to whom Anna has said that she holds something."""
    player = formed()
    acks(player, ANNA, report(9, holding_mw=holding_mw, holding_ms=2000))
    rounds(player)
    return player


def asks(player: Player, said: Pledge = ASKED, boot: BootId = OLD) -> list[Action]:
    return player.hears(ANNA, said, boot=boot)


def reboots(player: Player, said: Report) -> None:
    """Anna's next boot answers a heartbeat that the dead one cannot have heard."""
    keep(player, H, BERT)
    acks(player, ANNA, said, boot=NEW)


def agreed(player: Player) -> Player:
    """The same, with Anna's pledge agreed."""
    asks(player)
    acks(player, BERT)
    assert base(player).pledges == (LINE,)
    return player


def pledged_mw(player: Player) -> int:
    return broker.pledged_mw(office(player), player.now_ns)


# --- it begins -------------------------------------------------------------------------------


def test_pledge_is_proposed_at_once_and_agreed_by_a_majority() -> None:
    player = holding()
    (update,) = all_of(RosterUpdate, asks(player))
    assert update.pledges == (LINE,)
    assert base(player).pledges == ()
    acks(player, BERT)
    assert base(player).pledges == (LINE,)


def test_pledge_counts_from_its_proposal_on() -> None:
    """Fails if it could be agreed and used while its watts are given away."""
    player = holding()
    asks(player)
    player.now_ns += 10 * SECOND_NS
    assert base(player).pledges == ()
    assert pledged_mw(player) == 6000


def test_pledge_adds_nothing_to_what_is_counted_anyway() -> None:
    player = holding()
    before_mw = office(player).book.counted_mw(player.now_ns)
    asks(player)
    assert pledged_mw(player) == 0
    assert office(player).book.counted_mw(player.now_ns) == before_mw


def test_pledge_asked_again_is_proposed_once() -> None:
    player = agreed(holding())
    assert all_of(RosterUpdate, asks(player)) == []


def test_pledge_of_more_than_is_held_is_refused_and_said() -> None:
    player = holding()
    said = asks(player, Pledge(OLD, 20_000, 15_000))
    assert all_of(RosterUpdate, said) == []
    assert notes(said) == [
        "no pledge for n1, which restarts: it asks for more than it may hold",
    ]


def test_pledge_of_a_boot_that_does_not_run_here_is_not_heard() -> None:
    """Fails if a late word of a dead boot made a pledge that nobody needs."""
    player = holding()
    reboots(player, report(1, holding_mw=6000, holding_ms=2000))
    assert all_of(RosterUpdate, asks(player)) == []


def test_pledge_of_a_node_that_has_not_acked_is_not_heard() -> None:
    player = formed()
    assert all_of(RosterUpdate, player.hears(CARL, ASKED)) == []


def test_pledge_waits_for_the_change_that_is_under_way() -> None:
    player = holding()
    acks(player, BERT, report(9, holding_mw=6000, holding_ms=2000))
    asks(player)
    assert all_of(RosterUpdate, player.hears(BERT, ASKED)) == []


def test_pledge_without_authority_is_not_proposed() -> None:
    player = elected()
    assert all_of(RosterUpdate, asks(player)) == []


def test_pledge_to_a_member_is_nothing() -> None:
    player = Player(keeps=THREE)
    assert all_of(RosterUpdate, asks(player)) == []


def test_pledge_on_a_feed_that_is_short_is_refused() -> None:
    """Fails if what has to be shed could be made to last (P8)."""
    player = holding()
    player.happens(CapacityChanged(player.now_ns, 20_000))
    assert notes(asks(player)) == [], "a round is due first"
    rounds(player)
    acks(player, BERT)
    rounds(player)
    assert notes(asks(player)) == [
        "no pledge for n1, which restarts: the feed is short: what it holds may have to be shed"
    ]


# --- it counts -------------------------------------------------------------------------------


def test_pledge_stands_in_the_price_when_the_account_has_run_out() -> None:
    player = agreed(holding())
    before_mw = broker.reserved_mw(office(player))
    said = keep(player, 9 * SECOND_NS, BERT)
    assert all_of(Price, said)[-1].floors_mw == before_mw + 6000


def test_pledge_lets_its_node_have_again_what_it_comes_back_with() -> None:
    """Fails if watts that were kept for it had to be found anew on a feed that is full."""
    player = agreed(holding())
    keep(player, 9 * SECOND_NS, BERT)
    reboots(player, report(1, holding_mw=6000, holding_ms=5000))
    account = office(player).book.accounts[NodeId(ANNA)]
    assert account.renewable_mw(player.now_ns) == 0
    assert pledge.title_mw(base(player).pledges, account, player.now_ns) == 6000


# --- it ends ---------------------------------------------------------------------------------


def test_pledge_is_given_back_by_the_next_boot() -> None:
    player = agreed(holding())
    reboots(player, report(1, holding_mw=6000, holding_ms=2000))
    asks(player, BACK, NEW)
    acks(player, BERT)
    assert base(player).pledges == ()


def test_pledge_is_not_given_back_by_the_boot_that_asked_for_it() -> None:
    player = agreed(holding())
    asks(player, BACK)
    assert office(player).agreement.proposed is None


def test_pledge_is_not_given_back_by_a_boot_that_has_not_reported_yet() -> None:
    """Fails if it ended before what its outputs still hold is counted in another way."""
    player = agreed(holding())
    asks(player, BACK, NEW)
    assert office(player).agreement.proposed is None


def test_pledge_of_another_boot_is_not_given_back() -> None:
    """Fails if a late word of a boot between two restarts could end the second one's pledge."""
    player = agreed(holding())
    reboots(player, report(1, holding_mw=6000, holding_ms=2000))
    asks(player, replace(BACK, boot=BootId(9)), NEW)
    assert office(player).agreement.proposed is None


def test_pledge_given_back_where_there_is_none_is_nothing() -> None:
    player = holding()
    asks(player, BACK)
    assert office(player).agreement.proposed is None


def test_pledge_given_back_counts_until_that_is_agreed() -> None:
    player = agreed(holding(6000))
    reboots(player, report(1))
    asks(player, BACK, NEW)
    player.now_ns += 9 * SECOND_NS
    assert pledged_mw(player) == 6000


def test_pledge_of_a_node_that_stays_away_ends_with_its_time_and_not_before() -> None:
    player = agreed(holding())
    began_ns = player.now_ns
    lasts_ns = pledge.lasts_ns(LINE, TIMING)
    keep(player, lasts_ns - H, BERT)
    assert base(player).pledges == (LINE,)
    keep(player, TIMING.round_ns + 4 * H, BERT)
    assert player.now_ns > began_ns + lasts_ns
    assert base(player).pledges == ()


def test_pledge_of_the_term_before_is_as_old_as_this_term() -> None:
    """Fails if a later broker guessed how long it has lasted, or had never heard of it."""
    player = formed(keeps=THREE.with_pledge(LINE))
    since_ns = office(player).since_ns
    lasts_ns = pledge.lasts_ns(LINE, TIMING)
    keep(player, 9 * SECOND_NS, BERT)
    assert pledged_mw(player) == 6000
    keep(player, lasts_ns - (player.now_ns - since_ns) - H, BERT)
    assert base(player).pledges == (LINE,)
    keep(player, TIMING.round_ns + 4 * H, BERT)
    assert base(player).pledges == ()


def test_pledge_goes_with_the_floor_of_a_node_that_is_off() -> None:
    line = replace(LINE, node=NodeId(BERT))
    with_both = THREE.with_pledge(LINE).with_pledge(line)
    assert with_both.without(NodeId(ANNA)).pledges == (line,)
