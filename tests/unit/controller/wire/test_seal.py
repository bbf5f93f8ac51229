from __future__ import annotations

import struct
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.controller.wire.mouth import BOOT, KEY, OTHER, RING, A, B, C

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.proof import Proof
from rackgrid.wire.seal import (
    KEYS_MAX,
    MAC_BYTES,
    OVERHEAD,
    PAYLOAD_MAX,
    RESTATED_MAX,
    Keyring,
    Kind,
    Sealer,
    Unsealed,
    Unsealer,
    key_number,
)
from rackgrid.wire.vocabulary import Rejection, RejectReason


def sealer(node: NodeId = A, boot: BootId = BOOT, ring: Keyring = RING) -> Sealer:
    return Sealer(ring, node, boot)


def unsealer(node: NodeId = B, ring: Keyring = RING) -> Unsealer:
    return Unsealer(ring, node)


def reason(found: Unsealed | Rejection) -> RejectReason:
    assert isinstance(found, Rejection), found
    return found.reason


@given(st.binary(max_size=PAYLOAD_MAX))
def test_seal_multicast_opens_at_another_node(payload: bytes) -> None:
    assert unsealer().unseal(sealer().seal_multicast(payload), False) == Unsealed(
        Kind.MULTICAST, A, BOOT, 1, payload
    )


@given(st.binary(max_size=PAYLOAD_MAX), st.integers(0, 2**64 - 1))
def test_seal_unicast_opens_at_its_receiver(payload: bytes, number: int) -> None:
    to = NodeId(number)
    if to != A:
        assert unsealer(to).unseal(sealer().seal_unicast(payload, to), True) == Unsealed(
            Kind.UNICAST, A, BOOT, 1, payload
        )


def test_seal_multicast_has_the_documented_bytes() -> None:
    """The layout, made by hand: a change of it splits a rack that is upgraded node by node."""
    head = struct.pack(">2sBBBQQQ", b"RG", 1, 1, 0, A, BOOT, 1)
    mac = blake2b(head + b"hello", key=KEY, digest_size=16, person=b"rackgrid seal 1").digest()
    assert sealer().seal_multicast(b"hello") == head + b"hello" + mac


def test_seal_unicast_binds_the_receiver_without_sending_it() -> None:
    head = struct.pack(">2sBBBQQQ", b"RG", 1, 1, 1, A, BOOT, 1)
    mac = blake2b(key=KEY, digest_size=16, person=b"rackgrid seal 1")
    mac.update(head + struct.pack(">Q", B) + b"hello")
    assert sealer().seal_unicast(b"hello", B) == head + b"hello" + mac.digest()


@given(st.binary(max_size=60), st.booleans(), st.data())
def test_unseal_any_flipped_bit_is_rejected(
    payload: bytes, unicast: bool, data: st.DataObject
) -> None:
    source = sealer()
    datagram = source.seal_unicast(payload, B) if unicast else source.seal_multicast(payload)
    bit = data.draw(st.integers(0, len(datagram) * 8 - 1))
    flipped = bytearray(datagram)
    flipped[bit // 8] ^= 1 << bit % 8
    target = unsealer()
    assert isinstance(target.unseal(bytes(flipped), unicast), Rejection)
    assert isinstance(target.unseal(datagram, unicast), Unsealed), "the forgery left a trace"


@given(st.binary(max_size=60), st.data())
def test_unseal_datagram_cut_short_is_rejected(payload: bytes, data: st.DataObject) -> None:
    datagram = sealer().seal_multicast(payload)
    cut = data.draw(st.integers(0, len(datagram) - 1))
    assert reason(unsealer().unseal(datagram[:cut], False)) in {
        RejectReason.TOO_SHORT,
        RejectReason.BAD_MAC,
    }


def test_unseal_datagram_above_the_limit_is_too_long() -> None:
    datagram = sealer().seal_multicast(bytes(PAYLOAD_MAX))
    assert len(datagram) == DATAGRAM_MAX
    assert reason(unsealer().unseal(datagram + b"x", False)) is RejectReason.TOO_LONG


def test_unseal_datagram_without_room_for_the_envelope_is_too_short() -> None:
    assert reason(unsealer().unseal(b"RG" + bytes(OVERHEAD - 3), False)) is RejectReason.TOO_SHORT


@pytest.mark.parametrize(
    ("offset", "value", "expected"),
    [
        (0, 0x00, RejectReason.FOREIGN_MAGIC),
        (2, 2, RejectReason.UNKNOWN_VERSION),
        (3, 9, RejectReason.UNKNOWN_KEY),
        (4, 1, RejectReason.WRONG_DIRECTION),
        (4, 7, RejectReason.WRONG_DIRECTION),
        (12, 1, RejectReason.BAD_MAC),
        (-1, 0, RejectReason.BAD_MAC),
    ],
)
def test_unseal_each_fault_has_its_reason(offset: int, value: int, expected: RejectReason) -> None:
    datagram = bytearray(sealer().seal_multicast(b"payload"))
    assert datagram[offset] != value
    datagram[offset] = value
    assert reason(unsealer().unseal(bytes(datagram), False)) is expected


def test_unseal_multicast_thrown_at_the_unicast_socket_is_rejected() -> None:
    datagram = sealer().seal_multicast(b"x")
    assert reason(unsealer().unseal(datagram, True)) is RejectReason.WRONG_DIRECTION


def test_unseal_unicast_thrown_at_the_group_is_rejected() -> None:
    datagram = sealer().seal_unicast(b"x", B)
    assert reason(unsealer().unseal(datagram, False)) is RejectReason.WRONG_DIRECTION


def test_unseal_unicast_for_another_node_is_rejected() -> None:
    datagram = sealer().seal_unicast(b"x", C)
    assert reason(unsealer(B).unseal(datagram, True)) is RejectReason.BAD_MAC


def test_unseal_own_unicast_reflected_is_rejected() -> None:
    datagram = sealer(A).seal_unicast(b"x", B)
    assert reason(unsealer(A).unseal(datagram, True)) is RejectReason.BAD_MAC


def test_unseal_forged_echo_is_a_bad_mac() -> None:
    datagram = sealer(A, ring=Keyring(1, {1: OTHER})).seal_multicast(b"x")
    assert reason(unsealer(A).unseal(datagram, False)) is RejectReason.BAD_MAC


def test_keyring_rotation_opens_both_keys_and_seals_with_the_one_in_use() -> None:
    old, both, new = (
        Keyring(1, {1: KEY}),
        Keyring(2, {1: KEY, 2: OTHER}),
        Keyring(2, {2: OTHER}),
    )
    assert isinstance(
        unsealer(ring=both).unseal(sealer(ring=old).seal_multicast(b"x"), False), Unsealed
    )
    assert isinstance(
        unsealer(ring=new).unseal(sealer(ring=both).seal_multicast(b"x"), False), Unsealed
    )
    found = unsealer(ring=new).unseal(sealer(ring=old).seal_multicast(b"x"), False)
    assert reason(found) is RejectReason.UNKNOWN_KEY


def test_keyring_shown_hides_its_keys() -> None:
    assert "keys" not in repr(RING)
    assert KEY.hex() not in repr(RING)


@pytest.mark.parametrize(
    ("use", "keys"),
    [
        (2, {1: KEY}),
        (1, {1: b"short"}),
        (256, {256: KEY}),
        (0, dict.fromkeys(range(KEYS_MAX + 1), KEY)),
    ],
)
def test_keyring_that_cannot_work_is_refused(use: int, keys: dict[int, bytes]) -> None:
    with pytest.raises(AssertionError):
        Keyring(use, keys)


def test_seal_payload_above_the_limit_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="one datagram"):
        sealer().seal_multicast(bytes(PAYLOAD_MAX + 1))


def test_unseal_mac_under_another_key_with_the_same_number_is_rejected() -> None:
    datagram = sealer(ring=Keyring(1, {1: OTHER})).seal_multicast(b"x")
    assert reason(unsealer().unseal(datagram, False)) is RejectReason.BAD_MAC
    assert len(datagram) == OVERHEAD + 1
    assert OVERHEAD - MAC_BYTES == 29


def test_seal_proof_has_the_documented_bytes() -> None:
    """Challenge, echo, and how many multicasts are spent, then what is restated; to one node."""
    source = sealer()
    for _ in range(3):
        source.seal_multicast(b"")
    head = struct.pack(">2sBBBQQQ", b"RG", 1, 1, 2, A, BOOT, 1)
    body = struct.pack(">QQQ", 7, 8, 3) + b"hello"
    mac = blake2b(key=KEY, digest_size=16, person=b"rackgrid seal 1")
    mac.update(head + struct.pack(">Q", B) + body)
    assert source.seal_proof(Proof(B, 7, 8), b"hello") == head + body + mac.digest()


def test_seal_proof_and_unicast_share_a_counter() -> None:
    """Else what was said to a node before the proof would not be spent by it."""
    source = sealer()
    found = [
        unsealer().unseal(datagram, True)
        for datagram in (source.seal_unicast(b"", B), source.seal_proof(Proof(B)))
    ]
    assert [one.counter for one in found if isinstance(one, Unsealed)] == [1, 2]


def test_seal_proof_restates_the_longest_that_it_may() -> None:
    datagram = sealer().seal_proof(Proof(B), bytes(RESTATED_MAX))
    assert len(datagram) == DATAGRAM_MAX
    assert isinstance(unsealer().unseal(datagram, True), Unsealed)


def test_unseal_proof_thrown_at_the_group_is_rejected() -> None:
    datagram = sealer().seal_proof(Proof(B, 1))
    assert reason(unsealer().unseal(datagram, False)) is RejectReason.WRONG_DIRECTION
    assert reason(unsealer(C).unseal(datagram, True)) is RejectReason.BAD_MAC


def test_seal_with_another_ring_goes_on_counting() -> None:
    source = sealer()
    source.seal_multicast(b"")
    source.use(Keyring(2, {2: OTHER}))
    found = unsealer(ring=Keyring(2, {2: OTHER})).unseal(source.seal_multicast(b"x"), False)
    assert isinstance(found, Unsealed)
    assert found.counter == 2
    assert key_number(source.seal_multicast(b"")) == 2
