"""Each scenario must be able to fail: beside it stands a rule without which it does, and how.

The rule is taken away once the stage is set: the rack has formed with it. What the failure says is
part of the proof, since to fail at something else would prove nothing.

A scenario that fails with every rule in place has found a fault. It is marked as such where it is
played, and stands here with nothing taken away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest
from tests.simulation import roster_weakening, weakening
from tests.simulation.scenarios import flaw, test_belonging, test_order, test_silence, test_takeover
from tests.simulation.scenarios.stage import Stage
from tests.simulation.weakening import Weaken

Play = Callable[[], None]

PROOFS: tuple[tuple[Play, tuple[Weaken, ...], str], ...] = (
    # Without the fence a raise that is not too old by itself is taken; without both, any.
    (
        partial(
            test_silence.test_broker_that_pauses_with_a_raise_in_its_hands_sends_it_in_vain, 1200
        ),
        (flaw.anybodys_prices, weakening.any_round_is_taken),
        "has taken it",
    ),
    (
        partial(
            test_silence.test_broker_that_pauses_with_a_raise_in_its_hands_sends_it_in_vain, 3000
        ),
        (flaw.anybodys_prices, weakening.any_round_is_taken, weakening.grant_from_receipt),
        "has taken it",
    ),
    (
        test_silence.test_broker_whose_acks_are_lost_gives_up_and_its_grants_run_out,
        (weakening.authority_never_lapses,),
        "n5 leads",
    ),
    (
        test_silence.test_switch_forgets_the_group_and_nobody_leads_until_it_remembers,
        (weakening.authority_never_lapses,),
        "no majority answers",
    ),
    (
        test_silence.test_member_deaf_to_the_group_calls_elections_that_all_others_decline,
        (flaw.nobody_objects,),
        "n4 .*elected",
    ),
    (
        test_silence.test_member_stopped_beyond_its_grant_draws_nothing_and_its_late_word_takes_nothing,
        (weakening.firmware_keeps_no_deadline,),
        "deadline",
    ),
    (
        test_silence.test_member_stopped_beyond_its_grant_draws_nothing_and_its_late_word_takes_nothing,
        (weakening.stale_report_is_a_title,),
        r"granted_w\(4\)",
    ),
    (
        test_silence.test_all_datagrams_late_by_nearly_two_seconds_leave_nobody_in_office,
        (weakening.authority_from_receipt,),
        "no majority answers",
    ),
    (
        test_takeover.test_voter_that_two_halves_share_forgets_and_forgets_and_elects_nobody,
        (weakening.no_quiet_time, flaw.later_rosters_are_ignored),
        " I4 ",
    ),
    (
        test_takeover.test_three_brokers_within_one_grant_time_share_nothing_out_twice,
        (weakening.book_opens_at_once,),
        " I2 ",
    ),
    (
        test_takeover.test_three_brokers_within_one_grant_time_share_nothing_out_twice,
        (weakening.anything_is_inherited,),
        " I2 ",
    ),
    (
        test_takeover.test_new_broker_in_a_hurry_waits_for_whom_it_never_heard,
        (weakening.waits_for_authority_only,),
        " I2 ",
    ),
    (
        test_takeover.test_clocks_at_opposite_limits_give_a_silent_nodes_watts_away_no_sooner,
        (flaw.clocks_are_exact,),
        " I2 ",
    ),
    (
        test_takeover.test_seven_candidates_at_once_on_a_lossy_network_settle_on_one,
        (flaw.no_back_off,),
        "candidatures",
    ),
    (
        test_takeover.test_broker_elected_by_just_enough_of_whom_one_dies_grants_nothing,
        (flaw.votes_are_acks,),
        "never had a majority",
    ),
    (
        test_order.test_grant_to_a_life_before_the_reboot_is_not_taken_by_the_next,
        (weakening.any_boot_is_meant,),
        " I2 ",
    ),
    (
        test_order.test_grant_overtaken_by_a_lower_one_gives_nothing_back,
        (weakening.any_round_is_taken,),
        r"granted_w\(4\)",
    ),
    (
        partial(test_order.test_member_removed_while_it_draws_keeps_its_watts, "same boot"),
        (weakening.silence_frees,),
        " I2 ",
    ),
    (
        partial(test_order.test_member_removed_while_it_draws_keeps_its_watts, "new boot"),
        (weakening.silence_frees,),
        " I2 ",
    ),
    (
        test_order.test_freshly_booted_node_hears_the_past_replayed_and_follows_the_present,
        (weakening.no_fence,),
        "n3 .*follows",
    ),
    (
        test_order.test_freshly_booted_node_hears_the_past_replayed_and_follows_the_present,
        (flaw.leave_of_any_boot,),
        "on the roster",
    ),
    (
        test_order.test_broker_cut_off_is_not_kept_in_office_by_acks_to_another,
        (flaw.acks_of_any_pair,),
        "no majority answers",
    ),
    (
        test_order.test_price_in_parts_of_which_one_is_lost_costs_only_whom_it_was_for,
        (flaw.one_part_a_round,),
        r"== \[6.0, 10.0\]",
    ),
    (
        test_order.test_everything_heard_twice_makes_no_majority_of_a_minority,
        (weakening.majority_of_the_heard,),
        " I2 ",
    ),
    (
        test_belonging.test_majority_that_lost_its_disks_elects_nobody_until_a_person_says_so,
        (roster_weakening.lost_roster_votes,),
        "elected",
    ),
    (
        test_belonging.test_copied_sd_card_is_noticed_and_what_both_hold_is_counted,
        (flaw.dead_boot_is_forgotten,),
        " I2 ",
    ),
    (
        test_belonging.test_nodes_admitted_on_one_side_of_a_cut_are_not_forgotten_by_the_other,
        (roster_weakening.newer_roster_is_ignored,),
        "by an old roster",
    ),
    (
        test_belonging.test_capacity_cut_told_to_one_side_of_a_cut_binds_whoever_leads_next,
        (flaw.own_capacity_only,),
        "I1 draw",
    ),
    (
        test_belonging.test_highest_rank_that_comes_and_goes_stays_out_of_office,
        (flaw.preempts_at_once,),
        "elections",
    ),
    (
        partial(
            test_belonging.test_power_comes_back_to_all_at_once_and_floors_are_all_until_they_agree,
            5,
        ),
        (weakening.no_quiet_time,),
        "leads already",
    ),
    (
        test_belonging.test_controllers_all_restart_at_once_and_what_is_on_stays_on_and_is_counted,
        (flaw.nothing_is_adopted,),
        "switches lamp off",
    ),
    (
        test_belonging.test_more_strangers_than_the_reserve_is_for_are_refused_from_the_first_too_many,
        (flaw.floors_always_fit,),
        "on the roster",
    ),
    (
        test_belonging.test_copied_sd_card_on_the_other_side_of_a_cut_makes_no_second_majority,
        (),
        " I2 ",
    ),
    (
        test_belonging.test_node_that_comes_and_goes_takes_no_watts_from_others,
        (flaw.each_boot_has_copper_of_its_own,),
        "n3 .*switches lamp off",
    ),
)


def name(play: Play) -> str:
    """Name a play, and the variant of it."""
    if isinstance(play, partial):
        return "-".join((play.func.__name__, *map(str, play.args)))
    return play.__name__


IDS = [
    f"{name(play)}-{'-'.join(w.__name__ for w in weakened) or 'as it is'}"
    for play, weakened, _ in PROOFS
]


def plays() -> dict[str, str]:
    """List all scenarios: name and story."""
    rooms = (test_belonging, test_order, test_silence, test_takeover)
    found = {n: f.__doc__ for room in rooms for n, f in vars(room).items() if n[:5] == "test_"}
    return {n: story or "" for n, story in found.items()}


@pytest.mark.parametrize(("play", "weakened", "says"), PROOFS, ids=IDS)
def test_scenario_fails_where_a_rule_is_missing(
    play: Play, weakened: tuple[Weaken, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_away() -> None:
        for weaken in weakened:
            weaken(monkeypatch)

    monkeypatch.setattr(Stage, "when_set", staticmethod(take_away))
    with pytest.raises(AssertionError, match=says):
        play()


def test_every_scenario_has_its_proof() -> None:
    assert {name(play).partition("-")[0] for play, _, _ in PROOFS} == plays().keys()


def test_all_twenty_scenarios_are_played() -> None:
    numbers = [re.findall(r"Scenario (\d+)", story) for story in plays().values()]
    assert all(numbers), "each says which it is"
    assert {int(number) for one in numbers for number in one} == set(range(1, 21))
