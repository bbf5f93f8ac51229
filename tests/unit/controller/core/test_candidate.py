"""Who leads, as one node sees it: following, standing, winning, giving way (P5)."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.stage import (
    BOOT,
    ME,
    START_NS,
    TIMING,
    Player,
    all_of,
    messages,
    only,
    pair,
    report,
    settings,
)

from rackgrid.core import candidate
from rackgrid.core.action import Multicast, Noted, Remember, ReserveTerms, Unicast
from rackgrid.core.candidate import TERM_BLOCK, TERM_MAX
from rackgrid.core.election import BACK_OFF_MAX_NS, Following, Leading, Listening, Standing
from rackgrid.core.event import FirmwareLost, LeaveRequested, LoopLate
from rackgrid.core.roster import NO_ROSTER
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import NO_PAIR, NodeId, Pair, Round
from rackgrid.wire.message import (
    Ack,
    Answer,
    Beacon,
    Coordinator,
    Election,
    Heartbeat,
    Price,
    Resign,
    Role,
    RosterLine,
    Stance,
    Superseded,
    pair_wire,
)

H = TIMING.heartbeat_ns
ANNA, BERT = 1, 9
"""Anna ranks below this node (priority 5), Bert above."""


def beacon(priority: int, version: int = 0) -> Beacon:
    return Beacon("x", priority, Role.MEMBER, pair_wire(pair(0, 0, 0)), version, 5000, 5000, 0, ())


def heartbeat(of: Pair, seq: int = 1, version: int = 0) -> Heartbeat:
    return Heartbeat(pair_wire(of), seq, version, Round(0))


def election(of: Pair, priority: int = 1, nonce: int = 3, version: int = 0) -> Election:
    return Election(pair_wire(of), priority, nonce, version)


def answer(nonce: int, stance: Stance, known: Pair = NO_PAIR) -> Answer:
    return Answer(nonce, stance, 1, pair_wire(known), report())


def awake(*peers: tuple[int, int]) -> Player:
    """A node past its quiet time that hears these (node, priority), and has not stood yet."""
    player = Player(settings(expect=1 + len(peers)), remembered=pair(1, 1, 1))
    for who, priority in peers:
        player.hears(who, beacon(priority), unicast=False)
    return player


def standing(*peers: tuple[int, int]) -> tuple[Player, Election]:
    player = awake(*peers)
    actions = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    return player, only(Election, actions)


# --- following -------------------------------------------------------------------------------


def test_heartbeat_first_of_a_term_is_acked_at_once_after_the_pair_is_remembered() -> None:
    player = awake((BERT, 9))
    actions = player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    kinds = [type(a.message) if isinstance(a, Unicast) else type(a) for a in actions]
    assert kinds.index(Remember) < kinds.index(Ack)
    ack = only(Ack, actions)
    assert (ack.pair.pair(), ack.seq, ack.votes) == (pair(4, BERT), 1, True)


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


def test_heartbeat_repeated_is_answered_once() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False) == []


def test_heartbeat_of_a_lower_pair_is_told_the_higher_one_and_not_followed() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    actions = player.hears(ANNA, heartbeat(pair(3, ANNA)), unicast=False)
    assert only(Superseded, actions).known.pair() == pair(4, BERT)
    assert player.node.state.followed == pair(4, BERT)


def test_heartbeat_lower_than_a_pair_acked_before_the_restart_is_not_followed() -> None:
    player = Player(settings(), remembered=pair(7, BERT))
    actions = player.hears(ANNA, heartbeat(pair(6, ANNA)), unicast=False)
    assert only(Superseded, actions).known.pair() == pair(7, BERT)


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
    player.hears(BERT, Coordinator(pair_wire(pair(5, BERT)), 9), unicast=False)
    assert player.node.state.followed == pair(5, BERT)
    candidate.acknowledge(player.node.state, player.now_ns)
    assert [m for m in messages(player.node.state.out) if isinstance(m, Ack)] == []
    assert player.node.state.fence == pair(4, BERT)


def test_coordinator_repeated_or_lower_changes_nothing() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, Coordinator(pair_wire(pair(5, BERT)), 9), unicast=False)
    before = player.node.state.election
    player.hears(BERT, Coordinator(pair_wire(pair(5, BERT)), 9), unicast=False)
    player.hears(ANNA, Coordinator(pair_wire(pair(4, ANNA)), 9), unicast=False)
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
    actions = player.hears(BERT, Resign(pair_wire(pair(4, BERT))), unicast=False)
    assert only(Election, actions).pair.term == 5


def test_resign_of_another_pair_is_nothing() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    assert player.hears(BERT, Resign(pair_wire(pair(3, BERT))), unicast=False) == []


def test_loop_late_accuses_nobody_on_that_evidence() -> None:
    player = awake((BERT, 9))
    player.hears(BERT, heartbeat(pair(4, BERT)), unicast=False)
    player.now_ns += 3 * H
    player.node.handle(LoopLate(player.now_ns, 2 * H))
    assert isinstance(player.node.state.election, Following)
    player.passes(H - 1)
    assert isinstance(player.node.state.election, Following)


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
    assert (said.stance, said.known.pair()) == (Stance.BOUND, pair(7, BERT))


def with_roster(player: Player, version: int, *nodes: int) -> None:
    made = NO_ROSTER
    for node in nodes:
        made = made.with_line(RosterLine(NodeId(node), f"n{node}", 0, 5000, 1))
    player.node.state.adopt(type(made)(version, made.lines))


def test_called_by_a_higher_rank_with_an_older_roster_it_is_not_supported() -> None:
    """Fails if a restarted node can lead by a roster that forgets somebody's floor."""
    player = awake((ANNA, 1), (BERT, 9))
    with_roster(player, 8, ME, ANNA, BERT)
    assert stance_of(player, election(pair(4, BERT), 9, version=7), BERT) is Stance.OUTRANKED
    assert isinstance(player.node.state.election, Standing)


def test_called_by_an_older_roster_in_its_own_weakness_is_bound() -> None:
    player = awake((ANNA, 1), (BERT, 9))
    with_roster(player, 8, ANNA, BERT, 3)
    assert stance_of(player, election(pair(4, BERT), 9, version=7), BERT) is Stance.BOUND


def test_called_by_a_newer_roster_a_higher_rank_supports() -> None:
    player = awake((ANNA, 1))
    assert stance_of(player, election(pair(4, ANNA), version=9)) is Stance.SUPPORT


def test_called_without_firmware_is_silent() -> None:
    player = Player(settings(expect=2), remembered=pair(1), with_firmware=False)
    assert all_of(Answer, player.hears(ANNA, election(pair(4, ANNA)), unicast=False)) == []


def test_called_while_leading_says_that_it_is_alive() -> None:
    player, call = standing((ANNA, 1))
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert stance_of(player, election(pair(call.pair.term, ANNA), 9)) is Stance.ALIVE


# --- standing --------------------------------------------------------------------------------


def test_stand_calls_for_the_next_term_and_names_its_roster() -> None:
    player, call = standing((ANNA, 1))
    assert call.pair.pair() == pair(2, ME, BOOT)
    assert (call.priority, call.roster_version) == (5, 0)
    assert player.node.state.role is Role.CANDIDATE


def test_stand_majority_wins_and_the_pair_is_remembered_before_it_is_said() -> None:
    player, call = standing((ANNA, 1))
    actions = player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    kinds = [type(a.message) if isinstance(a, Multicast) else type(a) for a in actions]
    assert kinds.index(Remember) < kinds.index(Coordinator) < kinds.index(Heartbeat)
    assert kinds.index(Heartbeat) < kinds.index(Price)
    assert isinstance(player.node.state.election, Leading)
    assert player.node.state.office is not None
    assert set(player.node.state.office.supports) == {ANNA}


def test_stand_answer_with_another_nonce_is_no_support() -> None:
    player, call = standing((ANNA, 1))
    player.hears(ANNA, answer(call.nonce + 1, Stance.SUPPORT))
    assert isinstance(player.node.state.election, Standing)


def test_stand_supporters_off_a_formed_roster_have_no_vote() -> None:
    player = awake((ANNA, 1), (BERT, 1))
    with_roster(player, 8, ME, 2, 3)
    actions = player.passes(SECOND_NS // 2)
    call = all_of(Election, actions)[-1]
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    player.hears(BERT, answer(call.nonce, Stance.SUPPORT))
    assert player.node.state.office is None


def test_stand_waits_a_moment_for_the_answers_of_higher_ranks() -> None:
    player, call = standing((ANNA, 1), (BERT, 9))
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert isinstance(player.node.state.election, Standing)
    player.passes(30 * MS_NS)
    assert isinstance(player.node.state.election, Leading)


def test_stand_higher_rank_that_supports_is_waited_for_no_longer() -> None:
    player, call = standing((ANNA, 1), (BERT, 9))
    player.hears(BERT, answer(call.nonce, Stance.SUPPORT))
    assert isinstance(player.node.state.election, Leading)


@pytest.mark.parametrize("stance", [Stance.ALIVE, Stance.OUTRANKED])
def test_stand_objection_ends_the_candidature(stance: Stance) -> None:
    player, call = standing((ANNA, 1), (BERT, 9))
    player.hears(BERT, answer(call.nonce, stance))
    state = player.node.state.election
    assert isinstance(state, Listening)
    wait = 3 * H if stance is Stance.ALIVE else 80 * MS_NS
    assert state.stand_ns >= player.now_ns + wait


def test_stand_bound_voter_ends_it_only_if_it_knows_a_higher_pair() -> None:
    player, call = standing((ANNA, 1), (BERT, 9))
    player.hears(BERT, answer(call.nonce, Stance.BOUND, pair(1)))
    assert isinstance(player.node.state.election, Standing)
    player.hears(BERT, answer(call.nonce, Stance.BOUND, pair(40)))
    assert isinstance(player.node.state.election, Listening)
    again = all_of(Election, player.passes(400 * MS_NS))[0]
    assert again.pair.term == 41


def test_stand_without_answers_backs_off_and_tries_under_a_new_term() -> None:
    player, _ = standing((ANNA, 1))
    calls = [m.pair.term for m in messages(player.passes(6 * SECOND_NS)) if isinstance(m, Election)]
    assert len(calls) >= 3
    assert calls == sorted(set(calls))
    assert calls[0] > 2


def test_stand_superseded_ends_the_candidature() -> None:
    player, _ = standing((ANNA, 1))
    player.hears(ANNA, Superseded(pair_wire(pair(1))))
    assert isinstance(player.node.state.election, Standing)
    player.hears(ANNA, Superseded(pair_wire(pair(8))))
    assert isinstance(player.node.state.election, Listening)


def test_stand_lost_firmware_ends_it_and_late_support_is_harmless() -> None:
    """Fails if a node without its firmware wins: it has no report, and would die of it."""
    player, call = standing((ANNA, 1))
    player.node.handle(FirmwareLost(player.now_ns))
    assert isinstance(player.node.state.election, Listening)
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert player.node.state.office is None


def test_stand_leaving_node_withdraws() -> None:
    player, call = standing((ANNA, 1))
    player.node.handle(LeaveRequested(player.now_ns))
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    assert player.node.state.office is None


def test_lead_superseded_leaves_office_only_for_a_higher_pair() -> None:
    player, call = standing((ANNA, 1))
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    player.hears(ANNA, Superseded(pair_wire(pair(1))))
    assert player.node.state.office is not None
    player.hears(ANNA, Superseded(pair_wire(pair(50))))
    assert player.node.state.office is None
    assert player.node.state.role is not Role.BROKER


def test_lead_higher_heartbeat_is_followed() -> None:
    player, call = standing((ANNA, 1), (BERT, 9))
    player.hears(BERT, answer(call.nonce, Stance.SUPPORT))
    player.hears(ANNA, heartbeat(pair(50, ANNA)), unicast=False)
    assert player.node.state.office is None
    assert player.node.state.followed == pair(50, ANNA)


# --- terms -----------------------------------------------------------------------------------


def test_terms_new_block_is_reserved_before_a_message_uses_it() -> None:
    player = awake((ANNA, 1))
    player.hears(ANNA, Superseded(pair_wire(pair(5000))))
    actions = player.passes(SECOND_NS // 2)
    reserve = next(i for i, a in enumerate(actions) if isinstance(a, ReserveTerms))
    call = next(
        i
        for i, a in enumerate(actions)
        if isinstance(a, Multicast) and isinstance(a.message, Election)
    )
    assert reserve < call
    assert actions[reserve] == ReserveTerms(5001 + TERM_BLOCK)


def test_terms_inside_the_reserved_block_need_no_write() -> None:
    player, _ = standing((ANNA, 1))
    assert not any(isinstance(a, ReserveTerms) for a in player.said)


def test_terms_begin_at_the_block_of_this_boot() -> None:
    player = Player(settings(expect=2, terms=(3001, 4001)), remembered=pair(1))
    player.hears(ANNA, beacon(1), unicast=False)
    assert only(Election, player.passes(4 * H)).pair.term == 3001


def test_terms_inflated_to_the_end_are_noted_and_do_not_spin() -> None:
    """Fails if a node that has no term left asks to be woken for the present, again and again."""
    player = awake((ANNA, 1))
    player.hears(ANNA, Superseded(pair_wire(pair(TERM_MAX))))
    actions = player.passes(5 * SECOND_NS)
    assert sum(isinstance(a, Noted) for a in actions) == 1
    assert not any(isinstance(m, Election) for m in messages(actions))
    state = player.node.state.election
    assert isinstance(state, Listening)
    assert state.stand_ns <= player.now_ns + BACK_OFF_MAX_NS


def test_start_listens_before_it_stands() -> None:
    player = Player(settings(expect=1), remembered=pair(1))
    player.passes(3 * H - 1)
    assert isinstance(player.node.state.election, Listening)
    player.passes(H)
    assert isinstance(player.node.state.election, Leading)
    assert player.now_ns < START_NS + 4 * H
