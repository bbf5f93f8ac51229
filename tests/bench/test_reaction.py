"""Edges are put down to the price that caused them, and to no other."""

from __future__ import annotations

from tests.bench.reaction import Line, Reaction, Turn, reactions, turns
from tests.rack.truth import Edge

WORTH = 0.5
CHEAP, DEAR = 0.25, 0.9


def line(t_ns: int, round_: int, value: float | None, term: int = 1) -> Line:
    return {"t_ns": t_ns, "term": term, "round": round_, "value": value}


def edge(t_ns: int, *, on: bool) -> Edge:
    return Edge(t_ns, "pi-1", "lamp", on)


SENT = [
    line(100, 1, CHEAP),
    line(200, 2, DEAR),
    line(250, 3, DEAR),
    line(300, 4, CHEAP),
    line(350, 5, CHEAP),
]
ON, OFF, ON_AGAIN = turns(SENT, WORTH)


def test_turns_are_prices_in_a_row_that_ask_for_the_same() -> None:
    assert Turn(True, {(1, 1): 100}) == ON
    assert Turn(False, {(1, 2): 200, (1, 3): 250}) == OFF
    assert Turn(True, {(1, 4): 300, (1, 5): 350}) == ON_AGAIN
    assert (OFF.began_ns, ON_AGAIN.began_ns) == (200, 300)
    assert turns([], WORTH) == []


def test_turns_of_two_brokers_traces_are_one_story_in_order_of_time() -> None:
    handed_over = [line(100, 7, DEAR), line(300, 8, CHEAP), line(200, 1, DEAR, term=2)]
    assert turns(handed_over, WORTH) == [
        Turn(False, {(1, 7): 100, (2, 1): 200}),
        Turn(True, {(1, 8): 300}),
    ]


def test_turns_price_at_the_worth_asks_for_on() -> None:
    assert [turn.on for turn in turns([line(1, 1, 0.5), line(2, 2, 0.500001)], WORTH)] == [
        True,
        False,
    ]


def test_reaction_is_to_the_first_price_of_its_row_whatever_is_heard_before_the_edge() -> None:
    """A relay takes a moment: the price that is repeated meanwhile is not its cause."""
    heard = [line(101, 1, CHEAP), line(201, 2, DEAR), line(251, 3, DEAR), line(301, 4, CHEAP)]
    did = reactions(turns(SENT, WORTH), heard, [edge(260, on=False), edge(303, on=True)], WORTH)
    assert did == [Reaction(OFF, 200, 260), Reaction(ON_AGAIN, 300, 303)]
    assert [one.is_repair for one in did] == [False, False]
    assert [one.ms for one in did] == [60 / 1e6, 3 / 1e6]


def test_reaction_to_a_turn_whose_first_price_was_lost_counts_from_that_one() -> None:
    heard = [line(101, 1, CHEAP), line(251, 3, DEAR), line(351, 5, CHEAP)]
    first, second = reactions(
        turns(SENT, WORTH), heard, [edge(252, on=False), edge(353, on=True)], WORTH
    )
    assert (first.is_repair, second.is_repair) == (True, True)
    assert (first.sent_ns, second.sent_ns) == (250, 350)
    assert (first.ms, second.ms) == (52 / 1e6, 53 / 1e6)


def test_edge_that_no_price_asked_for_is_left_out() -> None:
    """A grant ran out under a cheap price; no price; a price from who knows where."""
    heard = [line(101, 1, CHEAP), line(201, 2, DEAR), line(280, 0, None, term=0)]
    edges = [edge(90, on=True), edge(150, on=False), edge(210, on=True), edge(290, on=False)]
    assert reactions(turns(SENT, WORTH), heard, edges, WORTH) == []
    assert reactions(turns(SENT, WORTH), [line(5, 9, DEAR)], [edge(6, on=False)], WORTH) == []


def test_lost_price_parts_two_rows_that_ask_for_the_same() -> None:
    heard = [line(101, 1, CHEAP), line(290, 0, None, term=0), line(301, 4, CHEAP)]
    (did,) = reactions(turns(SENT, WORTH), heard, [edge(305, on=True)], WORTH)
    assert did == Reaction(ON_AGAIN, 300, 305)
