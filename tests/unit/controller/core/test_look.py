"""Looks: what a node may, what it draws, and how much of that is too much."""

from __future__ import annotations

import pytest

from rackgrid.core.grant import Claim
from rackgrid.core.look import NO_CLAIM, Look, Window


@pytest.mark.parametrize(
    ("grant", "pledged", "old", "allowed"),
    [(6000, 0, 0, 6000), (6000, 7000, 0, 7000), (6000, 7000, 500, 7500), (0, 0, 500, 500)],
)
def test_look_allows_the_larger_of_grant_and_pledge_and_dead_boots_beside_it(
    grant: int, pledged: int, old: int, allowed: int
) -> None:
    look = Look(1, 2, 9000, 0, 0, Claim(grant, 5), pledged, old)
    assert (look.allowed_mw, look.beyond_mw) == (allowed, 9000 - allowed)


def test_look_leaves_out_what_is_required_and_what_counts_as_floor() -> None:
    assert Look(1, 2, 9000, 2000, 3000).drawn_mw == 4000
    assert Look(1, 2, 9000, 9000, 3000).drawn_mw == 0
    assert Look(1, 2, 9000, 2000, 3000).grant == NO_CLAIM


def test_window_in_which_nothing_was_too_much_proves_nothing() -> None:
    assert Window(1, 2, 3, None).proof == (0, 0)
    assert Window(1, 2, 3, Look(1, 2, 9000, 0, 0, Claim(6000, 5))).proof == (6000, 9000)
