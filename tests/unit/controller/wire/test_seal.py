from __future__ import annotations

import struct
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.seal import (
    BOOTS_MAX,
    KEYS_MAX,
    MAC_BYTES,
    OVERHEAD,
    PAYLOAD_MAX,
    SENDERS_MAX,
    WINDOW,
    Keyring,
    Opened,
    Opener,
    Sealer,
    Window,
    key_number,
)
from rackgrid.wire.vocabulary import Rejection, RejectReason

A, B, C = NodeId(0xA), NodeId(0xB), NodeId(2**64 - 1)
BOOT, NEXT = BootId(0x1111), BootId(0x2222)
KEY, OTHER = bytes(range(32)), bytes(32)
RING = Keyring(use=1, keys={1: KEY})


def sealer(node: NodeId = A, boot: BootId = BOOT, ring: Keyring = RING) -> Sealer:
    return Sealer(ring, node, boot)


def opener(node: NodeId = B, boot: BootId = BOOT, ring: Keyring = RING) -> Opener:
    return Opener(ring, node, boot)


def reason(found: Opened | Rejection) -> RejectReason:
    assert isinstance(found, Rejection), found
    return found.reason


@given(st.binary(max_size=PAYLOAD_MAX))
def test_seal_multicast_opens_at_another_node(payload: bytes) -> None:
    assert opener().open(sealer().seal_multicast(payload), False) == Opened(A, BOOT, payload)


@given(st.binary(max_size=PAYLOAD_MAX), st.integers(0, 2**64 - 1))
def test_seal_unicast_opens_at_its_receiver(payload: bytes, number: int) -> None:
    to = NodeId(number)
    if to != A:
        assert opener(to).open(sealer().seal_unicast(payload, to), True) == Opened(A, BOOT, payload)


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
def test_open_any_flipped_bit_is_rejected(
    payload: bytes, unicast: bool, data: st.DataObject
) -> None:
    source = sealer()
    datagram = source.seal_unicast(payload, B) if unicast else source.seal_multicast(payload)
    bit = data.draw(st.integers(0, len(datagram) * 8 - 1))
    flipped = bytearray(datagram)
    flipped[bit // 8] ^= 1 << bit % 8
    target = opener()
    assert isinstance(target.open(bytes(flipped), unicast), Rejection)
    assert isinstance(target.open(datagram, unicast), Opened), "the forgery left a trace"


@given(st.binary(max_size=60), st.data())
def test_open_datagram_cut_short_is_rejected(payload: bytes, data: st.DataObject) -> None:
    datagram = sealer().seal_multicast(payload)
    cut = data.draw(st.integers(0, len(datagram) - 1))
    assert reason(opener().open(datagram[:cut], False)) in {
        RejectReason.TOO_SHORT,
        RejectReason.BAD_MAC,
    }


@settings(max_examples=300)
@given(st.binary(max_size=DATAGRAM_MAX + 10), st.booleans())
def test_open_any_bytes_are_rejected_and_remembered_nowhere(datagram: bytes, unicast: bool) -> None:
    target = opener()
    assert isinstance(target.open(datagram, unicast), Rejection)
    assert isinstance(target.open(b"RG\x01\x01" + datagram, unicast), Rejection)
    assert not target._peers


def test_open_datagram_above_the_limit_is_too_long() -> None:
    datagram = sealer().seal_multicast(bytes(PAYLOAD_MAX))
    assert len(datagram) == DATAGRAM_MAX
    assert reason(opener().open(datagram + b"x", False)) is RejectReason.TOO_LONG


def test_open_datagram_without_room_for_the_envelope_is_too_short() -> None:
    assert reason(opener().open(b"RG" + bytes(OVERHEAD - 3), False)) is RejectReason.TOO_SHORT


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
def test_open_each_fault_has_its_reason(offset: int, value: int, expected: RejectReason) -> None:
    datagram = bytearray(sealer().seal_multicast(b"payload"))
    assert datagram[offset] != value
    datagram[offset] = value
    assert reason(opener().open(bytes(datagram), False)) is expected


def test_open_multicast_thrown_at_the_unicast_socket_is_rejected() -> None:
    datagram = sealer().seal_multicast(b"x")
    assert reason(opener().open(datagram, True)) is RejectReason.WRONG_DIRECTION


def test_open_unicast_thrown_at_the_group_is_rejected() -> None:
    datagram = sealer().seal_unicast(b"x", B)
    assert reason(opener().open(datagram, False)) is RejectReason.WRONG_DIRECTION


def test_open_unicast_for_another_node_is_rejected() -> None:
    datagram = sealer().seal_unicast(b"x", C)
    assert reason(opener(B).open(datagram, True)) is RejectReason.BAD_MAC


def test_open_own_unicast_reflected_is_rejected() -> None:
    datagram = sealer(A).seal_unicast(b"x", B)
    assert reason(opener(A).open(datagram, True)) is RejectReason.BAD_MAC


def test_open_own_multicast_is_an_echo_and_no_fault() -> None:
    assert reason(opener(A).open(sealer(A).seal_multicast(b"x"), False)) is RejectReason.OWN_ECHO


def test_open_multicast_of_an_own_former_boot_is_stale() -> None:
    datagram = sealer(A, BOOT).seal_multicast(b"x")
    assert reason(opener(A, NEXT).open(datagram, False)) is RejectReason.STALE_BOOT


def test_open_forged_echo_is_a_bad_mac() -> None:
    datagram = sealer(A, ring=Keyring(1, {1: OTHER})).seal_multicast(b"x")
    assert reason(opener(A).open(datagram, False)) is RejectReason.BAD_MAC


def test_open_same_datagram_twice_is_a_replay() -> None:
    target, datagram = opener(), sealer().seal_multicast(b"x")
    assert isinstance(target.open(datagram, False), Opened)
    assert reason(target.open(datagram, False)) is RejectReason.REPLAYED


def test_open_multicasts_and_unicasts_count_apart() -> None:
    source, target = sealer(), opener()
    late = source.seal_unicast(b"late", B)
    for _ in range(WINDOW + 1):
        assert isinstance(target.open(source.seal_multicast(b"x"), False), Opened)
    assert isinstance(target.open(late, True), Opened)


def test_open_senders_have_windows_of_their_own() -> None:
    target = opener()
    assert isinstance(target.open(sealer(A).seal_multicast(b"x"), False), Opened)
    assert isinstance(target.open(sealer(C).seal_multicast(b"x"), False), Opened)


def test_open_restarted_sender_is_taken_and_its_former_boot_is_stale() -> None:
    target, before, after = opener(), sealer(boot=BOOT), sealer(boot=NEXT)
    assert isinstance(target.open(before.seal_multicast(b"1"), False), Opened)
    assert isinstance(target.open(after.seal_multicast(b"2"), False), Opened)
    assert reason(target.open(before.seal_multicast(b"3"), False)) is RejectReason.STALE_BOOT
    assert reason(target.open(before.seal_unicast(b"3", B), True)) is RejectReason.STALE_BOOT
    assert isinstance(target.open(after.seal_multicast(b"4"), False), Opened)


def test_open_former_boots_stay_stale_within_the_bound() -> None:
    target = opener()
    sealers = [sealer(boot=BootId(n)) for n in range(BOOTS_MAX + 1)]
    for source in sealers:
        assert isinstance(target.open(source.seal_multicast(b"x"), False), Opened)
    for source in sealers[:-1]:
        found = target.open(source.seal_multicast(b"x"), False)
        assert reason(found) is RejectReason.STALE_BOOT


def test_open_memory_is_bounded_in_senders_and_forgets_the_quietest() -> None:
    target = opener()
    first, second = sealer(NodeId(1000)), sealer(NodeId(1001))
    spoken = second.seal_multicast(b"x")
    target.open(first.seal_multicast(b"x"), False)
    target.open(spoken, False)
    for number in range(SENDERS_MAX - 2):
        target.open(sealer(NodeId(2000 + number)).seal_multicast(b"x"), False)
    target.open(second.seal_multicast(b"again"), False)
    target.open(sealer(NodeId(9000)).seal_multicast(b"one more"), False)
    assert len(target._peers) == SENDERS_MAX
    assert NodeId(1000) not in target._peers
    assert reason(target.open(spoken, False)) is RejectReason.REPLAYED


def test_keyring_rotation_opens_both_keys_and_seals_with_the_one_in_use() -> None:
    old, both, new = (
        Keyring(1, {1: KEY}),
        Keyring(2, {1: KEY, 2: OTHER}),
        Keyring(2, {2: OTHER}),
    )
    assert isinstance(opener(ring=both).open(sealer(ring=old).seal_multicast(b"x"), False), Opened)
    assert isinstance(opener(ring=new).open(sealer(ring=both).seal_multicast(b"x"), False), Opened)
    found = opener(ring=new).open(sealer(ring=old).seal_multicast(b"x"), False)
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


def test_open_mac_under_another_key_with_the_same_number_is_rejected() -> None:
    datagram = sealer(ring=Keyring(1, {1: OTHER})).seal_multicast(b"x")
    assert reason(opener().open(datagram, False)) is RejectReason.BAD_MAC
    assert len(datagram) == OVERHEAD + 1
    assert OVERHEAD - MAC_BYTES == 29


counters = st.one_of(
    st.integers(0, 40),
    st.integers(WINDOW - 20, WINDOW + 20),
    st.integers(0, 4 * WINDOW),
    st.integers(2**64 - 2 * WINDOW, 2**64 - 1),
)


@settings(max_examples=300)
@given(st.lists(counters, max_size=60))
def test_window_takes_exactly_what_a_set_of_seen_counters_would(sequence: list[int]) -> None:
    window, seen, newest = Window(), set[int](), 0
    for counter in sequence:
        fresh = counter not in seen and counter > newest - WINDOW
        assert window.take(counter) is fresh, counter
        if fresh:
            seen.add(counter)
            newest = max(newest, counter)


@given(st.permutations(range(1, 40)))
def test_window_takes_each_counter_once_in_any_order(order: list[int]) -> None:
    window = Window()
    assert all(window.take(counter) for counter in order)
    assert not any(window.take(counter) for counter in order)


def test_another_ring_at_run_time_keeps_counters_and_windows() -> None:
    """A rotation must neither repeat a counter nor let a recorded datagram in once more."""
    both = Keyring(use=2, keys={1: KEY, 2: bytes(range(40, 72))})
    mouth, ear = sealer(), opener()
    old = mouth.seal_multicast(b"old")
    assert key_number(old) == 1
    assert isinstance(ear.open(old, False), Opened)
    ear.use(Keyring(1, both.keys))
    mouth.use(both)
    assert reason(ear.open(old, False)) is RejectReason.REPLAYED
    assert isinstance(ear.open(mouth.seal_multicast(b"new"), False), Opened)
    ear.use(Keyring(2, {2: both.keys[2]}))
    assert reason(ear.open(old, False)) is RejectReason.UNKNOWN_KEY
