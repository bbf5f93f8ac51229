"""Who gets a line on the roster (P1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import RACK, TIMING, line, pair, report, roster, settings

from rackgrid.core import admission, agreement, broker, grant
from rackgrid.core.admission import MAKING_ROOM
from rackgrid.core.allowance import NO_ALLOWANCE, Allowance
from rackgrid.core.book import Book
from rackgrid.core.office import Office
from rackgrid.core.roster import Roster
from rackgrid.identity import NO_PAIR, NO_RACK, BootId, NodeId, Stamp
from rackgrid.wire.codec import encode
from rackgrid.wire.message import NODE_NAME_MAX, NODES_MAX, PROTOCOL_VERSION, Join, RosterLine
from rackgrid.wire.seal import PAYLOAD_MAX

NOW = 10**12
ANNA, BERT = NodeId(1), NodeId(2)
TOLD = settings(capacity_mw=20_000, reserve_mw=2000)
ROSTER = roster(line(ANNA, 8000))


def join(floor_mw: int = 5000, protocol: int = PROTOCOL_VERSION, name: str = "bert") -> Join:
    return Join(1, name, 3, floor_mw, False, protocol, NO_PAIR, NO_RACK, 1)


def office(granted_mw: int = 0, *, opened: bool = True, of: Roster = ROSTER) -> Office:
    account = grant.opened(ANNA, BootId(1), report(1, capacity_mw=20_000), NOW, NOW, TIMING)
    account = grant.issued(account, 1, granted_mw, TIMING)
    held = Book({ANNA: account}, first_majority_ns=NOW, opened=opened)
    return replace(broker.taken(pair(3), of, {}, NOW), book=held)


def admitted(of: Roster, node: NodeId, asked: Join, allowed: Allowance = NO_ALLOWANCE) -> Roster:
    return admission.admitted(of, node, asked, allowed, TOLD)


def refused(held: Office, asked: Join, node: NodeId = BERT) -> str | None:
    return admission.refusal(held, node, asked, TOLD, NOW)


def test_refusal_floor_that_fits_is_none() -> None:
    assert refused(office(5000), join(5000)) is None


def test_refusal_other_protocol_says_which() -> None:
    said = refused(office(), join(protocol=99))
    assert said is not None
    assert "speaks protocol 99" in said


def test_refusal_floor_that_never_fits_says_the_figures_and_what_to_do() -> None:
    said = refused(office(), join(10_001))
    assert said is not None
    assert "its floor of 10.0 W does not fit: floors would be 18.0 W of 18.0 W" in said
    assert "raise the feed's capacity" in said
    assert refused(office(), join(10_000)) is None


def test_refusal_floor_that_does_not_fit_yet_asks_for_room() -> None:
    said = refused(office(5001), join(5000))
    assert said is not None
    assert said.startswith(MAKING_ROOM)


def test_refusal_new_broker_that_does_not_know_all_holdings_admits_nobody_new() -> None:
    """Fails if a floor is promised out of watts that an unheard node may hold."""
    said = refused(office(opened=False), join(1))
    assert said is not None
    assert said.startswith(MAKING_ROOM)


@pytest.mark.parametrize("opened", [True, False])
def test_refusal_known_node_with_no_greater_floor_is_always_welcome(opened: bool) -> None:
    held = office(18_000, opened=opened, of=roster(replace(line(ANNA, 8000), floor_max_mw=9000)))
    assert refused(held, join(8000), ANNA) is None
    said = refused(held, join(8001), ANNA)
    assert said is not None
    assert said.startswith(MAKING_ROOM)


def test_refusal_capacity_cut_below_the_floors_does_not_lock_members_out() -> None:
    cut = report(1, capacity_mw=5000)
    held = replace(
        office(),
        book=Book({ANNA: grant.opened(ANNA, BootId(1), cut, NOW, NOW, TIMING)}, opened=True),
    )
    assert refused(held, join(8000), ANNA) is None


def test_refusal_draw_beyond_the_floors_is_no_room() -> None:
    """Fails if a floor is promised out of watts that a lying load draws already (P8)."""
    word = report(1, capacity_mw=20_000, excess_mw=5001)
    held = Book({ANNA: grant.opened(ANNA, BootId(1), word, NOW, NOW, TIMING)}, opened=True)
    said = refused(replace(office(), book=held), join(5000))
    assert said is not None
    assert said.startswith(MAKING_ROOM)


def test_refusal_floors_of_a_change_under_way_count_by_both_its_sides() -> None:
    held = office()
    ahead = ROSTER.with_line(line(3, 5000, 0)).under(held.pair)
    held = replace(held, agreement=agreement.proposed(held.agreement, ahead))
    said = refused(held, join(5001))
    assert said is not None
    assert "floors would be 18.0 W" in said
    assert refused(held, join(5000)) is None


def test_refusal_full_roster_by_number() -> None:
    full = roster(*range(100, 100 + NODES_MAX))
    said = refused(office(of=full), join(0))
    assert said == f"the roster is full ({NODES_MAX} nodes)"
    assert refused(office(of=full), join(0), NodeId(100)) is None


def test_misfit_only_another_protocol() -> None:
    assert admission.misfit(join()) is None
    assert "upgrade it" in (admission.misfit(join(protocol=1)) or "")


def test_refusal_fullest_roster_of_the_longest_names_still_fits_a_datagram() -> None:
    """A roster that no datagram carries would be our own assertion, and the broker's end."""
    of = roster()
    for number in range(NODES_MAX):
        assert refused(office(of=of), join(0), NodeId(100 + number)) is None
        of = admitted(of, NodeId(100 + number), join(0, name="n" * NODE_NAME_MAX))
    assert len(encode(of.update(9))) <= PAYLOAD_MAX


# --- lines -----------------------------------------------------------------------------------


def test_admitted_newcomer_has_no_vote_yet() -> None:
    made = admitted(ROSTER, BERT, join())
    assert made.line(BERT) == RosterLine(BERT, "bert", 3, 5000, 5000, 0)
    assert made.version == ROSTER.version + 1


def test_admitted_newcomer_ranks_no_higher_than_the_settings_let_it() -> None:
    """Fails if whoever holds the group key could talk itself into office."""
    made = admitted(ROSTER, BERT, replace(join(), priority=65_535)).line(BERT)
    assert made is not None
    assert made.priority == TOLD.newcomer_priority == 99


def test_admitted_newcomer_ranks_as_an_operator_has_allowed_it() -> None:
    asked = replace(join(), priority=200)
    for allowed, ranks in ((300, 200), (200, 200), (150, 150), (7, 7)):
        made = admitted(ROSTER, BERT, asked, Allowance(priority=allowed)).line(BERT)
        assert made is not None
        assert made.priority == ranks


def test_admitted_again_with_the_same_line_changes_nothing() -> None:
    made = admitted(ROSTER, BERT, join())
    assert admitted(made, BERT, join()) is made


def test_admitted_again_with_another_priority_changes_nothing() -> None:
    """Fails if a node could raise its rank by asking once more."""
    made = admitted(ROSTER, BERT, join())
    assert admitted(made, BERT, replace(join(), priority=65_535)) is made


def test_admitted_again_with_another_floor_keeps_vote_rank_and_what_it_may_have() -> None:
    made = admitted(ROSTER, ANNA, join(7000, name="anna"))
    assert made.line(ANNA) == RosterLine(ANNA, "anna", 0, 7000, 8000, 1)


def test_admitted_that_meters_the_feed_says_so_on_its_line() -> None:
    made = admitted(ROSTER, BERT, replace(join(), meters_feed=True))
    assert made.line(BERT) == RosterLine(BERT, "bert", 3, 5000, 5000, 0, meters_feed=True)


# --- how large a floor may be ----------------------------------------------------------------


def test_refusal_floor_above_the_lines_limit_says_both_figures_and_what_to_do() -> None:
    """Fails if a node could reserve the feed by asking for a higher floor than was allowed."""
    said = refused(office(), join(8001), ANNA)
    assert said is not None
    assert "its floor of 8.0 W is above the 8.0 W that it may have" in said
    assert "rackgrid node 0000000000000001 --floor-max 8.001, on the broker" in said


def test_refusal_floor_up_to_the_lines_limit_is_none() -> None:
    """A node that lowered its floor may have it back: its line remembers how much it may be."""
    lowered = roster(replace(line(ANNA, 8000), floor_mw=5000))
    assert refused(office(of=lowered), join(8000), ANNA) is None
    assert refused(office(of=lowered), join(8001), ANNA) is not None


def test_refusal_newcomers_floor_above_what_the_settings_let_it() -> None:
    told = replace(TOLD, newcomer_floor_mw=4000)
    assert admission.refusal(office(), BERT, join(4000), told, NOW) is None
    said = admission.refusal(office(), BERT, join(4001), told, NOW)
    assert said is not None
    assert "above the 4.0 W that it may have" in said


def test_refusal_newcomers_floor_that_an_operator_has_allowed_is_none() -> None:
    told = replace(TOLD, newcomer_floor_mw=0)
    held = replace(office(), allowed={BERT: Allowance(floor_max_mw=5000)})
    assert admission.refusal(held, BERT, join(5000), told, NOW) is None
    assert admission.refusal(held, BERT, join(5001), told, NOW) is not None
    assert admission.refusal(held, NodeId(3), join(5000), told, NOW) is not None


def test_refusal_expelled_node_whatever_it_asks_for() -> None:
    for of in (ROSTER.with_expelled(ANNA), ROSTER.with_expelled(ANNA).without(ANNA)):
        assert refused(office(of=of), join(0), ANNA) == "it was expelled from this rack"


def test_enfranchised_gives_no_vote_to_who_is_expelled() -> None:
    made = admission.enfranchised(roster(1, 2, 3, founding=True).with_expelled(ANNA), 5)
    assert made.line(ANNA) is not None
    assert [x.votes for x in made.lines] == [0, 0, 1]


# --- the first roster ------------------------------------------------------------------------


def test_founded_has_all_its_votes_at_once_and_needs_everybody() -> None:
    lines = [line(n, votes=0, priority=n) for n in (4, 1, 3, 2)]
    made = admission.founded(RACK, pair(3), lines, 3)
    assert (made.rack, made.stamp, made.founding) == (RACK, Stamp(pair(3), 1), True)
    assert [(x.node, x.votes) for x in made.lines] == [(1, 0), (2, 1), (3, 1), (4, 1)]


def test_enfranchised_counts_the_votes_anew_from_those_that_are_on_it() -> None:
    made = admission.enfranchised(roster(1, line(2, votes=0), founding=True), 5)
    assert [x.votes for x in made.lines] == [1, 0]
    meters = roster(1, line(2, votes=0, meters_feed=True), founding=True)
    assert [x.votes for x in admission.enfranchised(meters, 5).lines] == [1, 2]


def test_enfranchised_roster_that_is_not_founding_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="one vote at a time"):
        admission.enfranchised(ROSTER, 5)
