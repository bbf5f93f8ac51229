"""Each invariant is planted with a breach: a check that nothing trips is no check."""

from __future__ import annotations

from rackgrid.simulation.checker import VIOLATIONS_MAX, Checker


def test_draw_above_the_capacity_is_i1() -> None:
    checker = Checker(1000)
    checker.draw(1, 1000)
    assert checker.violations == []
    checker.draw(2_000_000, 1001)
    assert checker.violations == ["2.000 ms: I1 draw 1001 mW of 1000 mW"]
    assert checker.peak_mw == 1001


def test_held_above_the_capacity_is_i2() -> None:
    checker = Checker(1000)
    checker.held(1, 1000)
    assert checker.violations == []
    checker.held(1, 1001)
    assert "I2" in checker.violations[0]


def test_shortage_while_a_node_restarts_may_wait_for_it_and_no_longer() -> None:
    for restarts_first in (True, False):
        checker = Checker(1000)
        if restarts_first:
            checker.pledged(0, 50)
        checker.shrunk(10, 800, 20)
        if not restarts_first:
            checker.pledged(20, 50)
        assert (checker.limit_mw(49), checker.limit_mw(50)) == (1000, 800)


def test_restart_after_a_shortage_was_followed_excuses_nothing() -> None:
    checker = Checker(1000)
    checker.shrunk(10, 800, 20)
    checker.pledged(30, 50)
    assert checker.limit_mw(31) == 800


def test_required_load_without_power_is_i3() -> None:
    checker = Checker(1000)
    checker.required(1, [])
    assert checker.violations == []
    checker.required(1, [7])
    assert "I3 a required load is off at [7]" in checker.violations[0]


def test_raisers_two_at_once_are_i4() -> None:
    checker = Checker(1000)
    checker.raisers(1, ["anna"])
    assert checker.violations == []
    checker.raisers(1, ["anna", "bert"])
    assert "I4 may raise at once: anna, bert" in checker.violations[0]


def test_acked_a_lower_term_is_i5() -> None:
    checker = Checker(1000)
    checker.acked(1, "anna", 3, 3)
    assert checker.violations == []
    checker.acked(1, "anna", 3, 2)
    assert "I5 anna acks term 2 after 3" in checker.violations[0]


def test_stood_twice_or_without_a_reservation_is_i5() -> None:
    checker = Checker(1000)
    checker.stood(1, "anna", 3, 4, 5)
    assert checker.violations == []
    checker.stood(1, "anna", 4, 4, 5)
    checker.stood(1, "anna", 4, 5, 5)
    assert "I5 anna stands for term 4 after 4" in checker.violations[0]
    assert "I5 anna stands for term 5, reserved to 5" in checker.violations[1]


def test_shrunk_feed_is_followed_within_its_bound() -> None:
    checker = Checker(1000)
    checker.shrunk(100, 600, bound_ns=50)
    checker.draw(149, 1000)
    assert checker.violations == []
    checker.draw(150, 601)
    assert len(checker.violations) == 1


def test_violations_are_kept_up_to_a_limit() -> None:
    checker = Checker(0)
    for now_ns in range(VIOLATIONS_MAX + 5):
        checker.draw(now_ns, 1)
    assert len(checker.violations) == VIOLATIONS_MAX
