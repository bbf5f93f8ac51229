"""Fails if a verdict may differ from what it was judged by, or an honest record is doubted.

The records are a real broker's (`judging`): core and market make them, the auditor imports neither.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.audit.judging import (
    ANNA,
    BERT,
    GRACE_NS,
    HONEST,
    ME,
    NOW,
    A,
    B,
    Bench,
    Draw,
    lying,
)
from tests.unit.controller.audit.lines import Line, line, texts

from rackgrid.audit.record import audit
from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import BootId
from rackgrid.market import honesty
from rackgrid.market.curve import Step
from rackgrid.market.honesty import Record
from rackgrid.wire.message import PledgeLine

DAY = lying().lines
"""Anna lies in windows 1 to 4 and is flagged by the third; the fifth is told with a round."""
TRUST = [number for number, each in enumerate(DAY) if each["event"] == "trust"]
FLAGGED = TRUST[2]


def found(lines: list[Line]) -> list[str]:
    return [str(finding) for finding in audit(texts(*lines)).findings]


def with_(number: int, change: Callable[[Line], None]) -> list[Line]:
    """The day with another line at a place."""
    lines = copy.deepcopy(DAY)
    change(lines[number])
    return lines


def set_(number: int, key: str, value: object) -> list[Line]:
    return with_(number, lambda each: each.__setitem__(key, value))


def test_record_of_a_liar_has_no_finding_and_each_window_of_it_is_judged_again() -> None:
    done = audit(texts(*DAY))
    assert (done.findings, done.trust.windows, done.trust.unjudged) == ([], 5, 0)
    assert [DAY[at]["flagged"] for at in TRUST] == [False, False, True, True, True]


# --- each way in which a record can be wrong ------------------------------------------------------


def test_share_that_was_changed_is_found_with_node_round_and_both_numbers() -> None:
    told = found(set_(FLAGGED, "share_permille", 1400))
    assert told == [
        f"line {FLAGGED + 1}: n1 ({A}), round 73: share_permille 1400, and by what was recorded it"
        " is 1692"
    ]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lies", 2, "lies 2, and by what was recorded it is 3"),
        ("flagged", False, "flagged False, and by what was recorded it is True"),
        ("granted_mw", 14_000, "granted_mw 14000, and by what was recorded it is 13000"),
        ("drawn_mw", 21_000, "drawn_mw 21000, and by what was recorded it is 22000"),
        ("round", 72, "round 72 is missing: somebody was judged before it"),
        ("round", 53, "judged before round 53, which is recorded already"),
        ("of", B, "window 3 follows window 0: one is missing between"),
        ("windows", [], "windows: none"),
        ("windows", None, "windows: no list"),
    ],
)
def test_verdict_that_is_not_what_follows_is_found(key: str, value: object, said: str) -> None:
    told = found(set_(FLAGGED, key, value))
    assert any(said in each for each in told), told


def test_flag_that_was_dropped_from_a_round_is_found() -> None:
    told = found(set_(FLAGGED + 1, "shares", {}))
    assert any(
        f"line {FLAGGED + 2}: {A} counts with 1000 of 1000 in round 73, and by what was recorded it"
        " is flagged, with a share of 1692" in each
        for each in told
    ), told


def test_flag_without_cause_is_found() -> None:
    told = found(set_(FLAGGED + 1, "shares", {A: 1692, B: 1500}))
    assert any(f"{B} counts with 1500 of 1000 in round 73, and by" in each for each in told), told
    stranger = found(set_(FLAGGED + 1, "shares", {A: 1692, "0c": 1500}))
    assert any("0c counts with a share in round 73, and has bid" in each for each in stranger)


def test_verdict_without_cause_is_found() -> None:
    """Somebody who was never seen to lie is said to have."""
    window = [1, NOW + 20 * SECOND_NS, 41, None]
    lie = {"lies": 3, "share_permille": 1500, "flagged": True, "granted_mw": 0, "drawn_mw": 0}
    head = {"term": 3, "broker": DAY[1]["broker"], "of": B, "name": "n2", "round": 53}
    false = line("trust", {**head, **lie, "reason": "", "windows": [window]}, 1026.5)
    told = found([*DAY[: TRUST[1]], {**false, "node": "n9"}, *DAY[TRUST[1] :]])
    assert any(f"n2 ({B}), round 53: lies 3, and by what was recorded it is 0" in e for e in told)
    assert any(f"n2 ({B}), round 53: flagged True, and by" in each for each in told)


@pytest.mark.parametrize("at", TRUST)
def test_verdict_that_is_missing_is_found(at: int) -> None:
    told = found([*DAY[:at], *DAY[at + 1 :]])
    assert told, DAY[at]


@pytest.mark.parametrize("at", TRUST)
def test_round_that_is_missing_after_a_verdict_is_found(at: int) -> None:
    number = DAY[at]["round"]
    told = found([*DAY[: at + 1], *DAY[at + 2 :]])
    is_last = at + 2 >= len(DAY) - 1 and not DAY[at + 2 :]
    assert is_last or any(f"round {number} is missing" in each for each in told), told


def windows_of(change: Callable[[list[Any]], None], number: int = FLAGGED) -> list[str]:
    """Change the one window of a line."""
    return found(with_(number, lambda each: change(each["windows"][0])))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, 2, "window 2 follows window 2"),
        (1, NOW + 30 * SECOND_NS, "judged 3500 ms after the last time"),
        (2, 99, "judged after round 73, before which that is said"),
        (3, None, "granted_mw 13000, and by what was recorded it is 0"),
    ],
)
def test_window_that_is_another_is_found(place: int, value: object, said: str) -> None:
    told = windows_of(lambda window: window.__setitem__(place, value))
    assert any(said in each for each in told), told


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, NOW + 26 * SECOND_NS, "judged by round 57, which is not of this window"),
        (1, 74, "judged by round 74, which is not of this window"),
        (2, 23_000, "drawn_mw 22000, and by what was recorded it is 23000"),
        (2, 9000, "judged by what is not too much: 9000 mW drawn of 13000 mW"),
        (3, 2000, "drawn_mw 22000, and by what was recorded it is 20000"),
        (4, 1000, "drawn_mw 22000, and by what was recorded it is 21000"),
        (5, 14_000, "granted_mw 13000, and by what was recorded it is 14000"),
        (6, 500, "granted_mw 13000, and by what was recorded it is 13500"),
        (7, 57, "grants of round 57 are not given before round 57"),
        (8, 14_000, "granted_mw 13000, and by what was recorded it is 14000"),
        (9, 0, "a look: a grant of 13000 mW for 0 ms"),
    ],
)
def test_look_that_is_another_is_found(place: int, value: int, said: str) -> None:
    told = windows_of(lambda window: window[3].__setitem__(place, value))
    assert any(said in each for each in told), told


def test_look_that_a_recorded_round_contradicts_is_found() -> None:
    """The first lie's round is recorded, because it is the first: 15."""
    told = windows_of(lambda window: window[3].__setitem__(2, 20_001), TRUST[0])
    assert any("and round 15 says 20000 mW drawn of 13000 mW" in each for each in told), told
    milder = windows_of(lambda window: window[3].__setitem__(2, 19_999), TRUST[0])
    assert any("in round 15 it was 7000 mW" in each for each in milder), milder


def rounds() -> Iterator[tuple[int, Line]]:
    return ((at, each) for at, each in enumerate(DAY) if each["event"] == "round")


def test_node_that_nobody_looked_at_is_found() -> None:
    at = max(number for number, _ in rounds())
    told = found(with_(at, lambda each: each["looks"].pop(B)))
    assert any(f"{B} bids in round" in e and "nobody looked" in e for e in told), told


def test_flagged_nodes_step_that_counts_otherwise_is_found() -> None:
    told = found(with_(FLAGGED + 1, lambda each: each["said"][A][0].__setitem__(1, 9001)))
    assert any(f"{A} counts in round 73 with steps of [(10152, 15228)" in e for e in told), told
    for other in ({}, {A: 7}):
        assert any("said: no list" in e for e in found(set_(FLAGGED + 1, "said", other)))
    unflagged = found(set_(1, "said", {B: [[6000, 9000], [4000, 4001]]}))
    assert any(f"{B} counts in round 1 with" in each for each in unflagged)


@pytest.mark.parametrize(("at", "key"), [(1, "looks"), (FLAGGED, "windows")])
def test_inputs_that_only_one_line_lacks_are_missed(at: int, key: str) -> None:
    later = next(n for n in range(at + 1, len(DAY)) if DAY[n]["event"] == DAY[at]["event"])
    told = found(with_(later, lambda each: each.pop(key)))
    assert f"line {later + 1}: {key} is missing" in told


# --- a broker that judges wrongly -----------------------------------------------------------------


def lenient(record: Record, granted_mw: int, drawn_mw: int) -> Record:
    return record


def harsh(record: Record, granted_mw: int, drawn_mw: int) -> Record:
    return Record(3, 3000) if drawn_mw else record


def unscaled(record: Record, step: Step) -> Step:
    return step


@pytest.mark.parametrize(
    ("name", "fault", "said"),
    [
        ("judged", lenient, "lies 0, and by what was recorded it is 1"),
        ("WINDOW_NS", 10**15, f"{A}: in round 15 20000 mW drawn of 13000 mW, and nobody judged"),
        ("judged", harsh, "lies 3, and by what was recorded it is 1"),
        ("WINDOW_NS", 4 * SECOND_NS, "ms after the last time"),
        ("counted", unscaled, "and its share makes [(10152, 15228)"),
    ],
)
def test_broker_with_a_fault_is_found_out(
    monkeypatch: pytest.MonkeyPatch, name: str, fault: object, said: str
) -> None:
    monkeypatch.setattr(f"rackgrid.core.trust.{name}", fault)
    told = found(lying().lines)
    assert any(said in each for each in told), told


def test_broker_that_forgives_too_soon_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honesty, "FORGIVEN_PERMILLE", 20)
    told = found(lying().lines)
    assert any("share_permille 2424, and by what was recorded it is 2434" in each for each in told)


# --- what is no fault -----------------------------------------------------------------------------


def test_record_of_before_trust_was_recorded_is_as_good_as_it_was() -> None:
    old = copy.deepcopy(DAY)
    for each in old:
        for key in ("windows", "at_ns", "looks", "said"):
            each.pop(key, None)
        for grant in each.get("grants", ()):
            grant.pop("ms")
        if each["event"] == "trust":
            for key in ("term", "broker", "round"):
                each.pop(key)
    done = audit(texts(*old))
    assert done.findings == []
    assert (done.trust.windows, done.trust.unjudged) == (0, sum(1 for _ in rounds()) + len(TRUST))


@pytest.mark.parametrize("at", range(1, len(DAY)))
def test_record_that_begins_anywhere_is_no_lie(at: int) -> None:
    """Fails if a day that begins at midnight, or behind a gap, is held against its broker."""
    assert found(DAY[at:]) == []
    lost = {**line("lost", {"count": 2}), "t_ns": DAY[at]["t_ns"], "node": "n9"}
    assert found([*DAY[: at - 1], lost, *DAY[at:]]) == []


def test_record_that_ends_anywhere_is_no_lie() -> None:
    for at in range(1, len(DAY)):
        assert found(DAY[:at]) == []
        full = {**line("full", {"count": 2}), "t_ns": DAY[at]["t_ns"], "node": "n9"}
        assert found([*DAY[:at], full]) == []


def test_lie_is_found_behind_a_gap_once_it_is_known_how_the_node_stands() -> None:
    lie = set_(TRUST[3], "share_permille", 1700)
    assert found(lie[TRUST[2] :]) != []
    assert found(lie[FLAGGED + 1 :]) != [], "the next round counts it otherwise"


def test_next_office_begins_with_a_clean_sheet() -> None:
    bench = lying()
    bench.takes_office(4)
    bench.window(0, 7)
    bench.window(20_000)
    lines = bench.lines
    assert found(lines) == []
    (last,) = (
        at for at, each in enumerate(lines) if each["event"] == "trust" and each["term"] == 4
    )
    assert (lines[last]["lies"], lines[last]["windows"][0][0]) == (1, 1)
    carried = copy.deepcopy(lines)
    carried[last]["lies"], carried[last]["flagged"] = 3, True
    assert any("lies 3, and by what was recorded it is 1" in each for each in found(carried))


def test_lie_that_something_worse_hides_is_no_lie_and_the_record_shows_why() -> None:
    """0.3 W of nothing is a lie, 0.4 W of 9 W is none, and the worst of a window counts."""
    bench = Bench()
    bench.window(0, 7)
    bench.round({ANNA: Draw(300), BERT: HONEST})
    bench.round({ANNA: Draw(13_650), BERT: HONEST})
    bench.window(0, 30)
    assert found(bench.lines) == []


def test_pledges_and_dead_boots_count_for_a_node() -> None:
    bench = Bench()
    bench.window(0, 7)
    bench.pledges(PledgeLine(ANNA, BootId(1), 20_000, 60_000))
    bench.window(20_100)
    assert not any(each["event"] == "trust" for each in bench.lines)
    bench.pledges()
    for _ in range(3):
        bench.round({ANNA: Draw(26_000, boot=2), BERT: HONEST})
    bench.window(0, 20)
    lines = bench.lines
    assert found(lines) == []


DRAWS = st.builds(
    Draw,
    st.sampled_from([0, 300, 5000, 9000, 13_100, 13_650, 14_000, 20_000, 45_000]),
    st.sampled_from([0, 0, 0, 4000]),
    st.sampled_from([1, 1, 1, 1, 2, 3]),
    st.sampled_from([400_000, 400_000, 350_000, 200_000]),
    st.booleans(),
)
STRETCHES = st.tuples(
    st.dictionaries(st.sampled_from([ANNA, BERT]), DRAWS, max_size=2),
    st.sampled_from([20, 300, 500, 2500]),
    st.integers(1, 30),
    st.sampled_from([0, 0, 6000, 20_000]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STRETCHES, max_size=12), st.booleans())
def test_record_of_any_draws_by_an_honest_broker_verifies(
    stretches: list[tuple[dict[Any, Draw], int, int, int]], changes_office: bool
) -> None:
    bench = Bench()
    bench.round({}, GRACE_NS)
    for number, (draws, wait_ms, rounds, pledged_mw) in enumerate(stretches):
        if changes_office and number == len(stretches) // 2:
            bench.takes_office(7)
        pledge = PledgeLine(ANNA, BootId(1), pledged_mw, 15_000)
        bench.pledges(*((pledge,) if pledged_mw else ()))
        for _ in range(rounds):
            bench.round(draws, wait_ms * MS_NS)
    assert found(bench.lines) == []
    assert ME not in {int(each["of"], 16) for each in bench.lines if each["event"] == "trust"}
