"""Whole records: a cut end is no lie, a lie is none the less found, and nothing makes it raise."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.adapters.story import STARTING
from tests.unit.controller.audit.judging import lying
from tests.unit.controller.audit.lines import Line, line, load, price, round_, start, texts

from rackgrid.audit.record import Audit, Finding, audit
from rackgrid.audit.trust import Tally
from rackgrid.wire.vocabulary import Why

ON = replace(STARTING, on=True, why=Why.WORTH_IT)
DAY = lying().texts
STORY = texts(start(), round_(), price(), load(), load(ON, 2))


def found(lines: list[str]) -> list[str]:
    return [str(finding) for finding in audit(lines).findings]


def test_record_that_is_sound_is_counted() -> None:
    done = audit(STORY)
    assert done == Audit(lines=5, rounds=1, optimal=1, decisions=2, switches=1)


def test_record_of_nothing_has_no_line() -> None:
    assert audit([]) == Audit()


@pytest.mark.parametrize("rest", [[], STORY])
def test_line_that_a_power_cut_ended_is_no_finding(rest: list[str]) -> None:
    done = audit([*STORY, STORY[-1][:40], *rest])
    assert (done.findings, done.cut) == ([], [6])


def test_line_that_cannot_be_read_in_the_middle_is_a_finding() -> None:
    assert found([*STORY[:3], "{", "{", *STORY[3:]]) == ["line 4: not JSON", "line 5: not JSON"]
    assert found([*STORY, "{", "{"]) == ["line 6: not JSON"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("[]", "the line: no object"),
        ("{}", "event is missing"),
        (json.dumps({"event": "load", "node": 3}), "node: 3 is no text"),
        (json.dumps({**line("flood", {}), "t_ns": 1}), "'flood' is none that a record has"),
        (json.dumps({**load(), "t_ns": "x"}), "t_ns: 'x' is no whole number"),
        (json.dumps({**load(at_s=3), "grant": {}, "from": True}), "term is missing"),
    ],
)
def test_line_that_is_none_of_a_record_is_a_finding(bad: str, said: str) -> None:
    assert any(said in each for each in found([*STORY, bad])), found([*STORY, bad])


def test_gap_that_the_record_tells_of_is_taken_for_one() -> None:
    far = load(replace(ON, was_on=True, price_uc=300_000), 5)
    gap = line("lost", {"count": 9}, 4)
    assert found([*STORY, *texts(far)]) != []
    done = audit([*STORY, *texts(gap, far)])
    assert (done.findings, done.gaps) == ([], 1)


def test_nodes_in_one_file_are_threads_of_their_own() -> None:
    other = [json.dumps({**json.loads(text), "node": "pi-2"}) for text in STORY]
    mixed = [text for pair in zip(STORY, other, strict=True) for text in pair]
    assert found(mixed) == []


def test_trust_of_nodes_in_one_file_is_of_each_brokers_own() -> None:
    day = lying().texts
    other = [text.replace('"node":"n9"', '"node":"n8"') for text in day]
    mixed = audit([text for pair in zip(day, other, strict=True) for text in pair])
    assert (mixed.findings, mixed.trust) == ([], Tally(windows=10))


def test_start_is_the_end_of_what_was_known_of_trust() -> None:
    day = lying().texts
    assert found([*day, *texts(start(2000), {**round_(at_s=2001), "node": "pi-1"})]) == []
    again = [text.replace('"n9"', '"pi-1"') for text in day]
    assert found([*again, *texts(start(2000), round_(at_s=2001))]) == []


def test_finding_names_its_line() -> None:
    assert str(Finding(7, "x")) == "line 7: x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.text(max_size=3),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=3), inside),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_audit_of_anything_ends_with_findings_and_never_raises(data: st.DataObject) -> None:
    lines: list[Line] = [json.loads(text) for text in data.draw(st.sampled_from([STORY, DAY]))]
    number = data.draw(st.integers(0, len(lines) - 1))
    key = data.draw(st.sampled_from(sorted(lines[number])))
    lines[number][key] = data.draw(JSON)
    audit([json.dumps(each) for each in lines])
