"""Fails if a start happens before each of its rules allows it, or is refused for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rackgrid_firmware.guard_rules import DAY_NS, NEVER_NS, OutputGuard, Rule, Rules
from rackgrid_firmware.interlock import (
    BUDGET,
    budget_ns,
    may_start_ns,
    objection,
    spent,
    start_allowed_ns,
)

OFF = OutputGuard(False, 1000, 0, 0, "released")
NOW = 5000


def rules(*outputs: Rule, calm_ns: int = 0) -> Rules:
    return Rules(outputs, hold_max_ns=1000, stagger_ns=20, calm_until_ns=calm_ns)


def test_start_waits_for_the_latest_of_its_rules() -> None:
    rule = Rule("a", False, 0, 100, hold_ns=30)
    asked = replace(OFF, asked_ns=2000)
    assert start_allowed_ns(rules(rule), (asked,), 0, 0) == 2030
    assert start_allowed_ns(rules(rule), (asked,), 4000, 0) == 4020
    assert start_allowed_ns(rules(rule), (replace(asked, since_ns=3000),), 0, 0) == 3100
    assert start_allowed_ns(rules(rule, calm_ns=9000), (asked,), 0, 0) == 9000


def test_may_start_leaves_out_what_only_asking_begins() -> None:
    assert may_start_ns(rules(Rule("a", False, 0, 100, hold_ns=10**9)), (OFF,), 0) == 1100


def test_required_output_does_not_wait_for_the_calm() -> None:
    assert may_start_ns(rules(Rule("a", True, 0, 100), calm_ns=9000), (OFF,), 0) == 1100


@pytest.mark.parametrize(
    "barred", [replace(OFF, fault="3 A"), replace(OFF, is_locked=True)], ids=["tripped", "locked"]
)
def test_barred_output_may_never_start_and_says_why(barred: OutputGuard) -> None:
    assert may_start_ns(rules(Rule("a", False, 0, 0)), (barred,), 0) == NEVER_NS
    assert objection(rules(Rule("a", False, 0, 0)), (barred,), 0, NOW) == (barred.barred, 0)


def test_budget_lets_a_full_bucket_start_at_once_and_then_drips() -> None:
    rule, output = Rule("a", False, 0, 0, switches_per_day=3), OFF
    now_ns, starts = 10 * DAY_NS, list[int]()
    for _ in range(6):
        now_ns = max(now_ns, budget_ns(rule, output))
        starts.append(now_ns - 10 * DAY_NS)
        output = replace(output, full_ns=spent(rule, output, now_ns))
    assert starts == [0, 0, 0, DAY_NS // 3, 2 * DAY_NS // 3, DAY_NS]


def test_budget_that_is_spent_is_an_objection_until_the_next_start_has_dripped_in() -> None:
    rule = Rule("a", False, 0, 0, switches_per_day=1)
    output = replace(OFF, full_ns=spent(rule, OFF, NOW))
    assert objection(rules(rule), (output,), 0, NOW) == (BUDGET, NOW + DAY_NS)
    assert objection(rules(rule), (output,), 0, NOW + DAY_NS) == ("", 0)
    assert may_start_ns(rules(rule), (output,), 0) == NOW + DAY_NS


def test_output_without_a_budget_spends_nothing() -> None:
    assert spent(Rule("a", False, 0, 0), OFF, NOW) == 0


PAIR = rules(
    Rule("up", False, 0, 0, not_with=("down",), dead_ns=50),
    Rule("down", False, 0, 0, not_with=("up",), dead_ns=70),
)


def test_rival_that_is_on_is_an_objection_until_its_deadline_and_dead_time() -> None:
    on = OutputGuard(True, 1000, 6000, 0, "held")
    assert objection(PAIR, (on, OFF), 1, NOW) == ("not together with up", 6050)
    assert may_start_ns(PAIR, (on, OFF), 1) == 6050


def test_rival_in_its_dead_time_lets_a_start_wait() -> None:
    off = replace(OFF, since_ns=NOW - 10)
    assert objection(PAIR, (OFF, off), 0, NOW) == ("", 0)
    assert may_start_ns(PAIR, (OFF, off), 0) == NOW + 60


def test_rival_that_is_welded_bars_for_good_and_one_that_tripped_does_not() -> None:
    tripped = replace(OFF, fault="3 A")
    assert objection(PAIR, (OFF, tripped), 0, NOW) == ("", 0)
    welded = replace(OFF, fault="it still draws", is_welded=True)
    assert objection(PAIR, (OFF, welded), 0, NOW) == ("not together with down", 0)
    assert may_start_ns(PAIR, (OFF, welded), 0) == NEVER_NS


def test_output_with_a_calm_of_its_own_waits_for_the_longer_one() -> None:
    rule = Rule("a", False, 0, 100, calm_until_ns=8000)
    assert may_start_ns(rules(rule), (OFF,), 0) == 8000
    assert may_start_ns(rules(rule, calm_ns=9000), (OFF,), 0) == 9000
    required = Rule("a", True, 0, 100, calm_until_ns=8000)
    assert may_start_ns(rules(required), (OFF,), 0) == 1100
