"""A contact moves late, bounces, welds, sticks and wears out, as profile and seed have it."""

from __future__ import annotations

import pytest

from rackgrid_firmware.mock.contact import BOUNCES_MAX, Contact
from rackgrid_firmware.profile_mock import ContactMock

MS = 1_000_000


def play(contact: Contact, until_ns: int) -> list[tuple[int, bool]]:
    """Let it move until then; each change with its moment."""
    seen: list[tuple[int, bool]] = []
    while (next_ns := contact.next_ns) is not None and next_ns <= until_ns:
        before = contact.is_closed
        contact.move(next_ns)
        if contact.is_closed != before:
            seen.append((next_ns, contact.is_closed))
    return seen


def cycle(contact: Contact, times: int) -> None:
    """Close and open it so often, one second each."""
    for number in range(times):
        start_ns = number * 2_000_000_000
        contact.energise(start_ns, True)
        play(contact, start_ns + 900 * MS)
        contact.energise(start_ns + 1_000_000_000, False)
        play(contact, start_ns + 1_900_000_000)


def test_contact_by_default_follows_its_coil_at_once() -> None:
    contact = Contact(ContactMock(), 1)
    contact.energise(5, True)
    assert (contact.is_closed, contact.next_ns) == (True, None)
    contact.energise(6, False)
    assert not contact.is_closed


def test_contact_operates_and_releases_late() -> None:
    contact = Contact(ContactMock(operate_s=0.008, release_s=0.003), 1)
    contact.energise(0, True)
    assert play(contact, 7 * MS) == []
    assert play(contact, 8 * MS) == [(8 * MS, True)]
    contact.energise(10 * MS, False)
    assert contact.is_closed
    assert play(contact, 13 * MS) == [(13 * MS, False)]


def test_contact_whose_coil_is_released_before_it_has_closed_never_closes() -> None:
    contact = Contact(ContactMock(operate_s=0.008), 1)
    contact.energise(0, True)
    contact.energise(5 * MS, False)
    assert play(contact, 100 * MS) == []
    assert contact.closings == 0


def test_contact_bounces_within_its_time_and_ends_closed() -> None:
    contact = Contact(ContactMock(operate_s=0.005, bounces=3, bounce_s=0.002), 1)
    contact.energise(0, True)
    moves = play(contact, 100 * MS)
    assert [closed for _, closed in moves] == [True] + [False, True] * 3
    assert moves[0][0] == 5 * MS
    assert moves[-1][0] == 7 * MS
    assert contact.closings == 4
    again = Contact(ContactMock(operate_s=0.005, bounces=3, bounce_s=0.002), 1)
    again.energise(0, True)
    assert play(again, 100 * MS) == moves, "the same seed bounces in the same way"


def test_contact_welded_opens_no_more_until_it_is_repaired() -> None:
    contact = Contact(ContactMock(), 1)
    contact.weld(True)
    assert not contact.is_closed, "an open contact welds only once it closes"
    contact.energise(0, True)
    contact.energise(1, False)
    assert contact.is_closed
    contact.weld(False)
    assert not contact.is_closed


def test_contact_stuck_open_closes_no_more_until_it_is_repaired() -> None:
    contact = Contact(ContactMock(), 1)
    contact.energise(0, True)
    contact.stick(True)
    assert not contact.is_closed
    contact.stick(False)
    assert contact.is_closed


@pytest.mark.parametrize(("chance", "closings"), [(1.0, 1), (0.0, 50)])
def test_contact_welds_by_chance(chance: float, closings: int) -> None:
    contact = Contact(ContactMock(weld_chance=chance), 3)
    cycle(contact, 50)
    assert (contact.is_welded, contact.closings) == (chance == 1.0, closings)


def test_contact_share_that_welds_at_a_closing_is_its_chance() -> None:
    welded = 0
    for seed in range(400):
        contact = Contact(ContactMock(weld_chance=0.3), seed)
        contact.energise(0, True)
        welded += contact.is_welded
    assert 0.22 < welded / 400 < 0.38


def test_contact_wears_out_about_its_life_welded_or_burnt_open() -> None:
    ends, welded = list[int](), 0
    for seed in range(60):
        contact = Contact(ContactMock(life=20), seed)
        cycle(contact, 60)
        assert contact.is_welded != contact.is_stuck
        ends.append(contact.closings)
        welded += contact.is_welded
    assert 0.4 < sum(end <= 20 for end in ends) / 60 < 0.85, "63 % have failed after their life"
    assert 15 < welded < 45


def test_contact_bounce_that_cannot_be_is_refused() -> None:
    contact = Contact(ContactMock(), 1)
    with pytest.raises(ValueError, match="bounces within"):
        contact.bounce(BOUNCES_MAX + 1, 0.01)
    contact.bounce(1, 0.002)
    contact.energise(0, True)
    assert len(play(contact, 10 * MS)) == 2
    assert contact.closings == 2
