from __future__ import annotations

import pytest

from rackgrid.identity import BootId
from rackgrid.wire.peer import BOOTS_MAX, CLONES_MAX, QUARANTINE_NS, Peer, Standing

FIRST, SECOND, THIRD = BootId(1), BootId(2), BootId(3)


def test_peer_that_restarts_again_and_again_is_believed_each_time() -> None:
    """Fails if a plain restart, however quick, is taken for a clone."""
    peer = Peer(BootId(1))
    for number in range(2, 5 * BOOTS_MAX):
        assert peer.proved(BootId(number), 9, 9, now_ns=number) is Standing.BELIEVED
        assert peer.boot == BootId(number)
        assert not peer.is_cloned(number)
    assert len(peer.former) == BOOTS_MAX


def test_peer_whose_former_boot_returns_is_cloned() -> None:
    peer = Peer(FIRST)
    assert peer.proved(SECOND, 0, 0, 10) is Standing.BELIEVED
    assert peer.proved(FIRST, 0, 0, 20) is Standing.CLONED
    assert set(peer.running(20)) == {FIRST, SECOND}
    assert peer.proved(SECOND, 0, 0, 30) is Standing.CLONED, "nor is the other believed"


@pytest.mark.parametrize("survivor", [FIRST, SECOND, THIRD])
def test_peer_is_believed_again_when_a_single_boot_runs(survivor: BootId) -> None:
    peer = Peer(FIRST)
    peer.proved(SECOND, 0, 0, 10)
    peer.proved(FIRST, 0, 0, 20)
    assert peer.proved(survivor, 0, 0, QUARANTINE_NS - 1) is Standing.CLONED
    now_ns = 20 + QUARANTINE_NS
    assert peer.proved(survivor, 5, 7, now_ns) is Standing.BELIEVED
    assert peer.boot == survivor
    assert not peer.clones
    assert not peer.unicasts.take(5)
    assert not peer.multicasts.take(7)


def test_peer_believed_again_is_cloned_again_when_the_other_returns() -> None:
    peer = Peer(FIRST)
    peer.proved(SECOND, 0, 0, 10)
    peer.proved(FIRST, 0, 0, 20)
    later = 20 + QUARANTINE_NS
    assert peer.proved(FIRST, 0, 0, later) is Standing.BELIEVED
    assert peer.proved(SECOND, 0, 0, later + 1) is Standing.CLONED


def test_peer_in_quarantine_counts_a_bounded_number_of_boots() -> None:
    peer = Peer(FIRST)
    peer.proved(SECOND, 0, 0, 10)
    peer.proved(FIRST, 0, 0, 20)
    for number in range(100):
        assert peer.proved(BootId(1000 + number), 0, 0, 30 + number) is Standing.CLONED
    assert len(peer.running(130)) == CLONES_MAX


def test_peer_keeps_its_bucket_over_a_restart() -> None:
    """Fails if whoever restarts often may say more."""
    peer = Peer(FIRST)
    bucket = peer.bucket
    peer.proved(SECOND, 0, 0, 10)
    assert peer.bucket is bucket


def test_peer_of_our_own_identity_is_a_clone_at_once() -> None:
    own = Peer(FIRST)
    own.returned(SECOND, 10)
    assert own.running(10) == (FIRST, SECOND)
    assert not own.is_cloned(10 + QUARANTINE_NS)
