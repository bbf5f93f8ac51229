"""Who gets a line on the roster (P1)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core.stage import TIMING, pair, report, settings

from rackgrid.core import admission, broker, grant
from rackgrid.core.admission import MAKING_ROOM
from rackgrid.core.book import Book
from rackgrid.core.broker import Office
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.codec import encode
from rackgrid.wire.message import NAME_MAX, NODES_MAX, PROTOCOL_VERSION, Join, RosterLine
from rackgrid.wire.seal import PAYLOAD_MAX

NOW = 10**12
ANNA, BERT = NodeId(1), NodeId(2)
TOLD = settings(capacity_mw=20_000, reserve_mw=2000)
ROSTER = NO_ROSTER.with_line(RosterLine(ANNA, "anna", 0, 8000, 1))


def join(floor_mw: int = 5000, protocol: int = PROTOCOL_VERSION, name: str = "bert") -> Join:
    return Join(1, name, 3, floor_mw, protocol)


def office(granted_mw: int = 0, *, opened: bool = True) -> Office:
    account = grant.opened(ANNA, BootId(1), report(1, capacity_mw=20_000), NOW, TIMING)
    account = grant.issued(account, 1, granted_mw, TIMING)
    held = Book({ANNA: account}, first_majority_ns=NOW, opened=opened)
    return replace(broker.taken(pair(3), {}, NOW), book=held)


def refused(
    held: Office,
    asked: Join,
    node: NodeId = BERT,
    of: Roster = ROSTER,
    *,
    is_formed: bool = True,
) -> str | None:
    return admission.refusal(held, of, node, asked, TOLD, NOW, is_formed=is_formed)


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
    assert refused(office(opened=False), join(1), is_formed=False) is None


@pytest.mark.parametrize("opened", [True, False])
def test_refusal_known_node_with_no_greater_floor_is_always_welcome(opened: bool) -> None:
    held = office(18_000, opened=opened)
    assert refused(held, join(8000), ANNA) is None
    said = refused(held, join(8001), ANNA)
    assert said is not None
    assert said.startswith(MAKING_ROOM)


def test_refusal_capacity_cut_below_the_floors_does_not_lock_members_out() -> None:
    cut = report(1, capacity_mw=5000)
    held = replace(
        office(), book=Book({ANNA: grant.opened(ANNA, BootId(1), cut, NOW, TIMING)}, opened=True)
    )
    assert refused(held, join(8000), ANNA) is None


def test_refusal_full_roster_by_number() -> None:
    full = Roster(1, tuple(RosterLine(NodeId(100 + n), "x", 0, 0, 1) for n in range(NODES_MAX)))
    said = refused(office(), join(0), of=full)
    assert said == f"the roster is full ({NODES_MAX} nodes)"


def test_refusal_fullest_roster_of_the_longest_names_still_fits_a_datagram() -> None:
    """A roster that no datagram carries would be our own assertion, and the broker's end."""
    held, of = office(), NO_ROSTER
    for number in range(NODES_MAX):
        assert refused(held, join(0), NodeId(100 + number), of) is None
        asked = join(0, name="n" * NAME_MAX)
        held, of = admission.admitted(held, of, NodeId(100 + number), asked)
    assert len(encode(of.update(held.pair))) <= PAYLOAD_MAX


def test_admitted_newcomer_has_no_vote_yet_and_is_waited_for_no_more() -> None:
    held = admission.making_room(office(), BERT, 5000, NOW)
    assert held.joining == {BERT: (5000, NOW)}
    held, made = admission.admitted(held, ROSTER, BERT, join())
    assert held.joining == {}
    assert made.line(BERT) == RosterLine(BERT, "bert", 3, 5000, 0)
    assert made.version == ROSTER.version + 1


def test_admitted_again_with_the_same_line_changes_nothing() -> None:
    _, made = admission.admitted(office(), ROSTER, BERT, join())
    assert admission.admitted(office(), made, BERT, join())[1] is made


def test_admitted_again_with_another_floor_keeps_the_vote() -> None:
    _, made = admission.admitted(office(), ROSTER, ANNA, join(9000, name="anna"))
    assert made.line(ANNA) == RosterLine(ANNA, "anna", 3, 9000, 1)


def test_enfranchised_gets_one_vote_once() -> None:
    _, made = admission.admitted(office(), ROSTER, BERT, join())
    voting = admission.enfranchised(made, BERT)
    assert voting.votes == 2
    assert admission.enfranchised(voting, BERT) is voting


def test_enfranchised_stranger_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        admission.enfranchised(ROSTER, BERT)
