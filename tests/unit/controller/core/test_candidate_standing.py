"""Standing for the office: majorities, objections, back-off, and terms that never repeat."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.ballot import (
    ANNA,
    BERT,
    H,
    ack,
    answer,
    awake,
    beacon,
    heartbeat,
    standing,
)
from tests.unit.controller.core.stage import (
    BOOT,
    FOUNDER,
    ME,
    RACK,
    START_NS,
    TIMING,
    Player,
    all_of,
    messages,
    only,
    pair,
    roster,
    settings,
)

from rackgrid.core.action import Multicast, Noted, Remember, ReserveTerms
from rackgrid.core.candidate import TERM_BLOCK, TERM_MAX
from rackgrid.core.election import BACK_OFF_MAX_NS, Leading, Listening, Standing
from rackgrid.core.event import FirmwareLost, LeaveRequested
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import Stamp
from rackgrid.wire.message import Coordinator, Election, Heartbeat, Price, Superseded
from rackgrid.wire.vocabulary import Role, Stance

# --- standing --------------------------------------------------------------------------------


def test_stand_calls_for_the_next_term_and_names_its_roster() -> None:
    player, call = standing((ANNA, 1))
    assert call.pair == pair(2, ME, BOOT)
    assert (call.priority, call.rack, call.founding) == (5, RACK, False)
    assert call.roster == Stamp(FOUNDER, 1)
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


def test_stand_supporters_off_the_roster_have_no_vote() -> None:
    player = awake((ANNA, 1), (BERT, 1), keeps=roster(ME, 2, 3))
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
    player.hears(ANNA, Superseded(pair(1)))
    assert isinstance(player.node.state.election, Standing)
    player.hears(ANNA, Superseded(pair(8)))
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
    player.hears(ANNA, Superseded(pair(1)))
    assert player.node.state.office is not None
    player.hears(ANNA, Superseded(pair(50)))
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
    player.hears(ANNA, Superseded(pair(5000)))
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
    told, kept = settings(terms=(3001, 4001)), roster(ME, ANNA)
    player = Player(told, remembered=pair(1), keeps=kept)
    player.hears(ANNA, beacon(1), unicast=False)
    assert only(Election, player.passes(4 * H)).pair.term == 3001


def test_terms_begin_above_the_broker_of_the_own_roster_after_a_power_cut() -> None:
    """Fails if a rack that lost all its memory at once elects a broker below its roster's."""
    kept = roster(ME, ANNA, of=pair(7000, ANNA))
    player = Player(settings(), keeps=kept)
    player.hears(ANNA, beacon(1, of=pair(7000, ANNA)), unicast=False)
    call = only(Election, player.passes(TIMING.quiet_ns + H))
    assert call.pair.term == 7001
    player.hears(ANNA, answer(call.nonce, Stance.SUPPORT))
    player.hears(ANNA, ack(call.pair, has=kept.stamp))
    player.passes(H)
    assert player.node.state.roster.stamp.pair == call.pair


def test_terms_inflated_to_the_end_are_noted_and_do_not_spin() -> None:
    """Fails if a node that has no term left asks to be woken for the present, again and again."""
    player = awake((ANNA, 1))
    player.hears(ANNA, Superseded(pair(TERM_MAX)))
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


def test_stand_waits_for_nobody_who_only_claims_a_higher_rank() -> None:
    player = awake((ANNA, 1))
    player.hears(ANNA, beacon(65_535), unicast=False)
    said = player.steps_until(lambda node: isinstance(node.state.election, Standing))
    player.hears(ANNA, answer(only(Election, said).nonce, Stance.SUPPORT))
    assert isinstance(player.node.state.election, Leading)
