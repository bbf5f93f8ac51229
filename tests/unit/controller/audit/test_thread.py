"""Fails if a line may follow from nothing: a price, a state, a switch, a judgement left out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.adapters.story import STARTING
from tests.unit.controller.audit.lines import (
    LAMP,
    Line,
    changed,
    fields,
    line,
    load,
    no_price,
    price,
    round_,
    start,
)

from rackgrid.audit.thread import NO_PRICE, Thread
from rackgrid.wire.vocabulary import Why

ON = replace(STARTING, on=True, why=Why.WORTH_IT)
OFF = replace(ON, was_on=True, on=False, wanted=False, why=Why.PRICE_ABOVE_WORTH)
DEAR = 400_001


def dear(made: Line) -> Line:
    return changed(made, "price_uc", DEAR)


def said(*lines: Line, from_start: bool = True) -> list[str]:
    thread = Thread(price=NO_PRICE, starts=True) if from_start else Thread()
    return [text for each in lines for text in thread.follow(str(each["event"]), fields(each))]


STORY = (start(), price(), load(), load(ON, 2), price(DEAR, 3), dear(load(OFF, 3)))


def test_thread_of_a_whole_story_has_no_finding() -> None:
    assert said(*STORY) == []


def test_thread_taken_up_in_the_middle_knows_nothing_before_its_first_lines() -> None:
    assert said(load(ON, 2), price(DEAR, 3), dear(load(OFF, 3)), from_start=False) == []


@pytest.mark.parametrize(
    ("lines", "finding"),
    [
        ([load()], "lamp: decided at price 250000, and None is in force"),
        ([price(), dear(load())], "decided at price 400001, and 250000 is in force"),
        ([price(), changed(load(), "term", 8)], "decided at price"),
        ([price(round_=4), load()], "decided in round 3, before its price's"),
        ([price(), load(OFF)], "lamp: was on before anything was known of it"),
        ([price(), load(), load(at_s=2), load(OFF, 3)], "begins on, and was off"),
        ([price(), load(ON), price(DEAR, 2), no_price(3)], "worth_it, and price 400001 says other"),
        ([price(), load(), no_price(2), price(at_s=3)], "starting, and price None says otherwise"),
        ([price(at_s=5), load(at_s=4)], "time goes back by 1000000000 ns"),
        ([round_(), price(250_001)], "price 250001 applied, and its round has 250000"),
        ([round_(), load()], "the round's price is 250000, and None is in force"),
        ([round_(), price(), round_(LAMP, at_s=2)], "round 3 comes after round 3"),
        ([round_(number=0)], "round 0 comes after round 0"),
    ],
)
def test_thread_with_a_break_is_objected_to(lines: list[Line], finding: str) -> None:
    assert any(finding in text for text in said(start(), *lines)), said(start(), *lines)


def test_grant_of_the_brokers_own_node_is_what_its_round_gave_it() -> None:
    given = changed(round_(LAMP), "broker", "00000000000000aa")
    priced = changed(price(), "broker", "00000000000000aa")
    made = changed(changed(load(), "broker", "00000000000000aa"), "grant.broker", given["broker"])
    assert said(start(), given, priced, made) == []
    assert said(start(), given, priced, changed(made, "grant.mw", 9001)) == [
        "lamp: has a grant of 9001 mW, and was given 9000 mW"
    ]


@pytest.mark.parametrize("gap_s", [1, 11])
def test_switch_that_nobody_wanted_is_a_finding_once_no_command_can_be_under_way(
    gap_s: int,
) -> None:
    unwanted = replace(STARTING, wanted=False, why=Why.NO_GRANT)
    went_on = changed(load(replace(unwanted, on=True), 1 + gap_s), "cause", "held")
    went_off = changed(load(replace(STARTING, was_on=True), 1 + gap_s), "cause", "released")
    wanted_on = load(replace(ON, was_on=False), 1)
    late = gap_s > 10
    assert said(price(), load(unwanted), went_on) == ["lamp: went on, and nobody wanted it"] * late
    assert said(price(), wanted_on, went_off) == ["lamp: went off, and was wanted on"] * late
    by_itself = changed(went_off, "cause", "tripped")
    assert said(price(), wanted_on, by_itself) == []


def test_lines_that_are_no_links_are_passed_over() -> None:
    role: dict[str, object] = {"role": "member", "term": 1, "broker": "0b", "cause": "x"}
    assert said(start(), line("role", role), line("note", {"text": "x"}), line("left", {})) == []
