"""Restarts and clones: which of two boots of one sender is believed."""

from __future__ import annotations

from tests.unit.controller.wire.mouth import BOOT, NEXT, A, B, Mouth, reason

from rackgrid.wire.opener import CLONE_SPACING_NS, Opened
from rackgrid.wire.peer import QUARANTINE_NS
from rackgrid.wire.stranger import ASK_SPACING_NS
from rackgrid.wire.vocabulary import Rejection, RejectReason

UNPROVEN, CLONED = RejectReason.UNPROVEN, RejectReason.CLONED


def test_open_restarted_sender_proves_itself_and_its_former_boot_is_not_believed() -> None:
    before, after, b = Mouth(A), Mouth(A, NEXT, secret=3), Mouth(B)
    before.meets(b)
    assert reason(b.hears(after.multicast(b"x"))) is UNPROVEN
    assert isinstance(b.hears(before.multicast(b"y")), Opened), "no word of a stranger ends a boot"
    after.meets(b, ASK_SPACING_NS)
    assert isinstance(b.hears(after.multicast(b"z")), Opened)
    assert reason(b.hears(before.multicast(b"late"))) is UNPROVEN
    assert not b.opener.cloned(0)


def test_open_two_running_boots_of_one_identity_are_quarantined_and_named() -> None:
    one, two, b = Mouth(A), Mouth(A, NEXT, secret=3), Mouth(B)
    one.meets(b)
    two.meets(b)
    one.meets(b, ASK_SPACING_NS)
    assert b.opener.cloned(ASK_SPACING_NS) == {A: (NEXT, BOOT)}
    now_ns = 2 * ASK_SPACING_NS
    for mouth in (one, two):
        assert reason(b.hears(mouth.multicast(b"x"), now_ns)) is CLONED
        assert reason(b.hears(mouth.unicast(b"x", B), now_ns)) is CLONED


def test_open_quarantine_lasts_while_both_run_and_ends_when_one_is_stopped() -> None:
    one, two, b = Mouth(A), Mouth(A, NEXT, secret=3), Mouth(B)
    one.meets(b)
    two.meets(b)
    now_ns = 0
    for _ in range(30):
        now_ns += CLONE_SPACING_NS
        one.meets(b, now_ns)
        two.meets(b, now_ns)
        assert b.opener.cloned(now_ns)
        assert reason(b.hears(two.multicast(b"x"), now_ns)) is CLONED
    stopped_ns = now_ns
    while reason_or_none(b.hears(two.multicast(b"x"), now_ns)) is not None:
        now_ns += CLONE_SPACING_NS
        two.meets(b, now_ns)
        assert now_ns < stopped_ns + 2 * QUARANTINE_NS
    assert now_ns >= stopped_ns + QUARANTINE_NS - CLONE_SPACING_NS
    assert not b.opener.cloned(now_ns)


def reason_or_none(found: Opened | Rejection) -> RejectReason | None:
    return found.reason if isinstance(found, Rejection) else None


def test_open_replays_of_a_dead_boot_make_no_clone() -> None:
    """A thief cannot quarantine a node: it has recordings, and none of them echoes."""
    before, b = Mouth(A), Mouth(B)
    recorded = [*before.meets(b), *(before.multicast(b"x") for _ in range(20))]
    after = Mouth(A, NEXT, secret=3)
    after.meets(b)
    for step in range(50):
        for datagram in recorded:
            b.hears(datagram, step * ASK_SPACING_NS)
    assert not b.opener.cloned(50 * ASK_SPACING_NS)
    assert isinstance(b.hears(after.multicast(b"x"), 50 * ASK_SPACING_NS), Opened)


def test_open_another_boot_of_this_very_node_is_named_once_it_has_echoed() -> None:
    mine, other = Mouth(A), Mouth(A, NEXT, secret=3)
    assert reason(mine.hears(other.multicast(b"x"))) is UNPROVEN
    assert not mine.opener.cloned(0), "it may be a recording of my own last boot"
    other.meets(mine, ASK_SPACING_NS)
    assert mine.opener.cloned(ASK_SPACING_NS) == {A: (BOOT, NEXT)}
    assert reason(mine.hears(other.multicast(b"x"), ASK_SPACING_NS)) is CLONED
