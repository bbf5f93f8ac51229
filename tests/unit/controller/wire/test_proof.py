from __future__ import annotations

import pytest

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.proof import EPOCH_NS, NO_BOOT, SECRET_BYTES, Challenger

A, B = NodeId(0xA), NodeId(0xB)
BOOT, NEXT = BootId(0x1111), BootId(0x2222)
SECRET = bytes(range(SECRET_BYTES))


def test_challenge_is_echoed_by_the_boot_that_was_asked_and_by_no_other() -> None:
    ours = Challenger(SECRET)
    asked = ours.challenge(A, NEXT, BOOT, 0)
    assert asked != 0
    assert ours.is_echoed(asked, A, NEXT, BOOT, 0)
    assert not ours.is_echoed(asked, B, NEXT, BOOT, 0), "another sender"
    assert not ours.is_echoed(asked, A, BOOT, BOOT, 0), "another boot"
    assert not ours.is_echoed(asked, A, NEXT, NO_BOOT, 0), "asked before another was believed"
    assert not ours.is_echoed(0, A, NEXT, BOOT, 0)


def test_challenge_of_an_earlier_boot_of_ours_is_worth_nothing() -> None:
    before, after = Challenger(SECRET), Challenger(bytes(SECRET_BYTES))
    asked = before.challenge(A, BOOT, NO_BOOT, 0)
    assert not after.is_echoed(asked, A, BOOT, NO_BOOT, 0)


def test_challenge_expires_after_one_epoch_and_before_two() -> None:
    ours = Challenger(SECRET)
    asked = ours.challenge(A, BOOT, NO_BOOT, 3 * EPOCH_NS - 1)
    assert ours.is_echoed(asked, A, BOOT, NO_BOOT, 4 * EPOCH_NS - 2)
    assert not ours.is_echoed(asked, A, BOOT, NO_BOOT, 4 * EPOCH_NS)


def test_challenge_with_a_poor_secret_is_our_bug() -> None:
    with pytest.raises(AssertionError):
        Challenger(b"short")
