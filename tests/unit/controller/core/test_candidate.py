"""Who leads, as one node sees it: following, standing, winning, giving way (P5)."""

from __future__ import annotations

from tests.unit.controller.core.ballot import (
    ANNA,
    BERT,
    CARL,
    H,
    answer,
    awake,
    beacon,
    election,
    founder,
    heartbeat,
    standing,
)
from tests.unit.controller.core.stage import (
    FOUNDER,
    ME,
    RACK,
    TIMING,
    Player,
    all_of,
    messages,
    only,
    pair,
    roster,
    settings,
)

from rackgrid.core import candidate
from rackgrid.core.action import Remember, Unicast
from rackgrid.core.election import Following, Listening, Standing
from rackgrid.core.event import FirmwareLost, LoopLate
from rackgrid.core.settings import MS_NS
from rackgrid.identity import NO_RACK, NO_STAMP, NodeId, Stamp
from rackgrid.wire.message import (
    Ack,
    Answer,
    Coordinator,
    Election,
    Resign,
    RosterUpdate,
    Superseded,
)
from rackgrid.wire.vocabulary import Stance

# --- following -------------------------------------------------------------------------------


def test_heartbeat_first_of_a_term_is_acked_at_once_after_the_pair_is_remembered() -> None:
    player = awake((BERT, 9))
    actions = player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    kinds = [type(a.message) if isinstance(a, Unicast) else type(a) for a in actions]
    assert kinds.index(Remember) < kinds.index(Ack)
    ack = only(Ack, actions)
    assert (ack.pair, ack.seq, ack.votes) == (pair(4, BERT), 1, True)


def test_heartbeat_later_one_is_acked_desynchronised_by_rank() -> None:
    player = awake((BERT, 9), (8, 9), (7, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert messages(player.hears(BERT, heartbeat(pair(4, BERT), 2), unicast=False)) == []
    due_ns = player.node.next_deadline_ns(player.now_ns)
    # Two live nodes rank above this one, beside the broker.
    assert due_ns - player.now_ns == 2 * 2 * MS_NS
    assert only(Ack, player.passes(4 * MS_NS)).seq == 2


def test_heartbeat_in_the_quiet_time_is_acked_without_a_vote() -> None:
    player = Player(settings(expect=2))
    ack = only(Ack, player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False))
    assert not ack.votes
    assert player.node.state.fence == pair(4, BERT)


def test_heartbeat_in_the_quiet_time_is_remembered_only_with_the_first_vote() -> None:
    """A process that restarts inside its quiet time must find nothing that ends it."""
    player = Player(settings(expect=2), keeps=roster(ME, BERT))
    quiet = player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert only(Ack, quiet).votes is False
    assert Remember not in map(type, quiet)
    player.passes(TIMING.quiet_ns)
    actions = player.hears(BERT, heartbeat(pair(4, BERT), 2), unicast=False)
    actions += player.passes(H)
    kinds = [type(a.message) if isinstance(a, Unicast) else type(a) for a in actions]
    assert kinds.index(Remember) < kinds.index(Ack)
    assert only(Ack, actions).votes


def test_heartbeat_repeated_is_answered_once() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False) == []


def test_heartbeat_of_a_lower_pair_is_told_the_higher_one_and_not_followed() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    actions = player.hears(ANNA, heartbeat(pair(3, ANNA)), unicast=False)
    assert only(Superseded, actions).known == pair(4, BERT)
    assert player.node.state.followed == pair(4, BERT)


def test_heartbeat_lower_than_a_pair_acked_before_the_restart_is_not_followed() -> None:
    player = Player(settings(), remembered=pair(7, BERT))
    actions = player.hears(ANNA, heartbeat(pair(6, ANNA)), unicast=False)
    assert only(Superseded, actions).known == pair(7, BERT)


def test_heartbeat_without_firmware_is_followed_and_not_acked() -> None:
    player = Player(settings(), remembered=pair(1), with_firmware=False)
    actions = player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert all_of(Ack, actions) == []
    assert player.node.state.followed == pair(4, BERT)
    assert player.node.state.fence == pair(1)


def test_coordinator_is_followed_and_acked_only_by_its_heartbeats() -> None:
    """An ack of a heartbeat that was never heard would give authority that nobody gave."""
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT), 57), unicast=False)
    player.hears(BERT, Coordinator(pair(5, BERT), 9), unicast=False)
    assert player.node.state.followed == pair(5, BERT)
    candidate.acknowledge(player.node.state, player.now_ns)
    assert [m for m in messages(player.node.state.out) if isinstance(m, Ack)] == []
    assert player.node.state.fence == pair(4, BERT)


def test_coordinator_repeated_or_lower_changes_nothing() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, Coordinator(pair(5, BERT), 9), unicast=False)
    before = player.node.state.election
    player.hears(BERT, Coordinator(pair(5, BERT), 9), unicast=False)
    player.hears(ANNA, Coordinator(pair(4, ANNA), 9), unicast=False)
    assert player.node.state.election == before


def test_silence_of_the_broker_makes_a_candidate_after_three_heartbeats() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert isinstance(player.node.state.election, Following)
    player.passes(3 * H - 1)
    assert isinstance(player.node.state.election, Following)
    player.passes(1)
    assert isinstance(player.node.state.election, Standing)
    assert player.node.state.election.pair.term == 5


def test_silence_of_the_broker_heard_by_a_node_that_may_not_lead_makes_it_listen() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.node.handle(FirmwareLost(player.now_ns))
    player.passes(4 * H)
    assert isinstance(player.node.state.election, Listening)


def test_resign_of_the_followed_broker_makes_the_highest_rank_stand_at_once() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    actions = player.hears(BERT, Resign(pair(4, BERT), False, ()), unicast=False)
    assert only(Election, actions).pair.term == 5


def test_resign_of_another_pair_is_nothing() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert player.hears(BERT, Resign(pair(3, BERT), False, ()), unicast=False) == []


def test_loop_late_accuses_nobody_on_that_evidence() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.now_ns += 3 * H
    player.node.handle(LoopLate(player.now_ns, 2 * H))
    assert isinstance(player.node.state.election, Following)
    player.passes(H - 1)
    assert isinstance(player.node.state.election, Following)


def test_resign_is_remembered_with_its_table_for_whoever_leads_next() -> None:
    player = awake((BERT, 9))
    word = Resign(pair(4, BERT), True, ())
    player.hears(BERT, word, unicast=False)
    assert player.node.state.resigned == (word, player.now_ns)


# --- what an ack says (P7) -------------------------------------------------------------------


def test_ack_names_the_pair_that_was_left_and_the_roster_that_is_stored() -> None:
    player = awake((BERT, 9))
    first = only(Ack, player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False))
    assert first.left == FOUNDER
    assert first.roster == Stamp(FOUNDER, 1)
    again = player.hears(BERT, heartbeat(pair(4, BERT), 2), unicast=False)
    again += player.passes(H // 2)
    assert only(Ack, again).left == FOUNDER
    second = only(Ack, player.hears(ANNA, heartbeat(pair(5, ANNA)), unicast=False))
    assert second.left == pair(4, BERT)


def test_ack_of_a_node_without_a_roster_votes_for_a_founding_and_for_nothing_else() -> None:
    for founding in (True, False):
        player = founder((BERT, 9))
        said = heartbeat(pair(4, BERT), founding=founding, rack=NO_RACK)
        assert only(Ack, player.hears(BERT, said, unicast=False)).votes is founding


def test_agreed_founding_roster_is_as_good_as_any_from_then_on() -> None:
    of = pair(4, BERT)
    first = roster(ME, BERT, of=of, founding=True)
    player = founder((BERT, 9))
    beat = heartbeat(of, 1, founding=True, rack=NO_RACK)
    player.hears(BERT, beat, unicast=False)
    player.hears(BERT, first.update(0), unicast=False)
    assert player.node.state.roster == first
    player.hears(BERT, heartbeat(of, 2, version=1, founding=True), unicast=False)
    assert player.node.state.roster.founding
    player.hears(BERT, heartbeat(of, 3, version=1, agreed=1), unicast=False)
    kept = player.node.state.roster
    assert (kept.founding, kept.founded, kept.stamp) == (False, of.boot, first.stamp)
    assert not player.node.state.is_lost


def test_agreed_newer_version_than_the_stored_one_proves_it_too_but_another_pairs_does_not() -> (
    None
):
    player = awake((BERT, 9))
    player.node.state.is_lost = True
    player.hears(BERT, heartbeat(pair(4, BERT), agreed=9), unicast=False)
    assert player.node.state.is_lost, "its roster is of another broker"
    candidate.learn_agreed(player.node.state, FOUNDER, 9)
    assert not player.node.state.is_lost


# --- answering -------------------------------------------------------------------------------


def stance_of(player: Player, call: Election, sender: int = ANNA) -> Stance:
    return only(Answer, player.hears(sender, call, unicast=False)).stance


def test_called_free_node_supports_a_higher_rank_and_gives_way() -> None:
    player = awake((BERT, 9))
    assert stance_of(player, election(pair(4, BERT), 9), BERT) is Stance.SUPPORT
    state = player.node.state.election
    assert isinstance(state, Listening)
    assert state.stand_ns >= player.now_ns + 80 * MS_NS


def test_called_support_carries_what_an_ack_carries() -> None:
    player = awake((BERT, 9))
    said = only(Answer, player.hears(BERT, election(pair(4, BERT), 9), unicast=False))
    assert len(said.report.steps) == 2
    assert said.nonce == 3


def test_called_by_a_lower_rank_outranks_it_and_stands() -> None:
    player = awake((ANNA, 1))
    actions = player.hears(ANNA, election(pair(4, ANNA)), unicast=False)
    assert only(Answer, actions).stance is Stance.OUTRANKED
    assert only(Election, actions).pair.term == 5


def test_called_while_the_broker_is_heard_says_that_it_is_alive() -> None:
    player = awake((ANNA, 1), (BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.passes(2 * H - 1)
    assert stance_of(player, election(pair(5, ANNA))) is Stance.ALIVE
    assert isinstance(player.node.state.election, Following)


def test_called_in_the_quiet_time_is_bound() -> None:
    assert stance_of(Player(settings(expect=2)), election(pair(4, ANNA))) is Stance.BOUND


def test_called_for_a_pair_that_is_not_above_the_acked_one_is_bound_and_says_it() -> None:
    player = Player(settings(expect=2), remembered=pair(7, BERT))
    said = only(Answer, player.hears(ANNA, election(pair(7, ANNA), 9), unicast=False))
    assert (said.stance, said.known) == (Stance.BOUND, pair(7, BERT))


OLDER = Stamp(FOUNDER, 0)


def test_called_by_a_higher_rank_with_an_older_roster_it_is_not_supported() -> None:
    """Fails if a restarted node can lead by a roster that forgets somebody's floor."""
    player = awake((ANNA, 1), (BERT, 9))
    assert stance_of(player, election(pair(4, BERT), 9, has=OLDER), BERT) is Stance.OUTRANKED
    assert isinstance(player.node.state.election, Standing)


def test_called_by_an_older_roster_it_passes_its_own_on() -> None:
    """Fails if what only a node without a vote has stored can keep the rack from ever leading."""
    player = Player(settings(expect=2), keeps=roster(ME, BERT, version=3))
    said = player.hears(BERT, election(pair(4, BERT), 9, has=OLDER), unicast=False)
    assert only(Answer, said).stance is Stance.BOUND
    assert only(RosterUpdate, said) == roster(ME, BERT, version=3).update(0)
    assert {a.to for a in said if isinstance(a, Unicast)} == {BERT}


def test_called_by_an_older_roster_a_founding_one_is_not_passed_on() -> None:
    player = Player(settings(expect=2), keeps=roster(ME, BERT, version=3, founding=True))
    said = player.hears(BERT, election(pair(4, BERT), 9, has=OLDER), unicast=False)
    assert all_of(RosterUpdate, said) == []


def test_called_by_an_older_roster_in_its_own_weakness_is_bound() -> None:
    player = awake((ANNA, 1), (BERT, 9), keeps=roster(ANNA, BERT, CARL))
    assert stance_of(player, election(pair(4, BERT), 9, has=OLDER), BERT) is Stance.BOUND


def test_called_by_a_newer_roster_a_higher_rank_supports() -> None:
    """It does not stand itself while somebody who is heard knows more than it does."""
    player = awake((ANNA, 1))
    call = election(pair(4, ANNA), has=Stamp(pair(2, ANNA), 0))
    assert stance_of(player, call) is Stance.SUPPORT


def test_called_while_standing_by_a_higher_rank_it_gives_its_own_candidature_up() -> None:
    player, _ = standing((ANNA, 1), (BERT, 9))
    assert stance_of(player, election(pair(7, BERT), 9), BERT) is Stance.SUPPORT
    assert isinstance(player.node.state.election, Listening)


def test_called_notes_what_the_candidate_has_stored() -> None:
    player = awake((BERT, 9))
    newer = Stamp(pair(3, BERT), 2)
    player.hears(BERT, election(pair(4, BERT), 9, has=newer), unicast=False)
    peer = player.node.state.peers[NodeId(BERT)]
    assert (peer.rack, peer.roster) == (RACK, newer)


def test_called_to_found_a_rack_supports_whoever_has_none_either() -> None:
    player = founder((BERT, 9))
    call = election(pair(4, BERT), 9, has=NO_STAMP, rack=NO_RACK, founding=True)
    assert stance_of(player, call, BERT) is Stance.SUPPORT
    lost = founder((BERT, 9))
    assert stance_of(lost, election(pair(4, BERT), 9), BERT) is Stance.BOUND


def test_called_without_firmware_is_silent() -> None:
    player = Player(settings(expect=2), remembered=pair(1), with_firmware=False)
    assert all_of(Answer, player.hears(ANNA, election(pair(4, ANNA)), unicast=False)) == []


def test_called_while_leading_says_that_it_is_alive() -> None:
    player, call = standing((ANNA, 1))
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert stance_of(player, election(pair(call.pair.term, ANNA), 9)) is Stance.ALIVE


def test_called_by_one_that_claims_a_higher_rank_than_its_line_it_is_outranked_all_the_same() -> (
    None
):
    """Fails if whoever holds the group key could talk itself into office."""
    player = awake((ANNA, 1))
    player.hears(ANNA, beacon(65_535), unicast=False)
    assert stance_of(player, election(pair(4, ANNA), 65_535), ANNA) is Stance.OUTRANKED
    assert isinstance(player.node.state.election, Standing)


def test_called_by_one_that_claims_a_lower_rank_than_its_line_it_is_supported() -> None:
    """Every node ranks another by the same line: a claim that differs splits no election."""
    player = awake((BERT, 9))
    assert stance_of(player, election(pair(4, BERT), 0), BERT) is Stance.SUPPORT


def test_called_by_one_that_is_not_on_the_roster_it_ranks_below_all() -> None:
    player = awake((ANNA, 1))
    assert stance_of(player, election(pair(4, BERT), 9), BERT) is Stance.OUTRANKED
