from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.wire.mouth import BOOT, KEY, NEXT, OTHER, RING, A, B, C, Mouth, reason

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.bucket import SECOND_NS
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.opener import (
    REPLIES_PER_S,
    SENDERS_MAX,
    THROTTLED_NS,
    Opened,
    Unproven,
)
from rackgrid.wire.peer import MESSAGES_BURST
from rackgrid.wire.proof import EPOCH_NS, Proof
from rackgrid.wire.seal import Keyring, Sealer
from rackgrid.wire.stranger import ANSWER_SPACING_NS, ASK_SPACING_NS, STRANGERS_MAX
from rackgrid.wire.vocabulary import Rejection, RejectReason
from rackgrid.wire.window import WINDOW

LATER_NS = 2 * EPOCH_NS
UNPROVEN, CLONED = RejectReason.UNPROVEN, RejectReason.CLONED


def challenge_in(found: Opened | Rejection) -> Proof:
    assert isinstance(found, Unproven)
    assert found.reply is not None
    return found.reply


# --- a boot proves itself ------------------------------------------------------------------------


def test_open_unknown_boot_is_asked_and_believed_once_it_has_echoed() -> None:
    a, b = Mouth(A), Mouth(B)
    asked = challenge_in(b.hears(a.multicast(b"hello")))
    assert asked.to == A
    assert (asked.challenge != 0, asked.echo) == (True, 0)
    answered = challenge_in(a.hears(b.proof(asked)))
    assert answered.echo == asked.challenge
    assert answered.challenge != 0, "b is not known to a either"
    found = b.hears(a.proof(answered, b"hello"))
    assert found == Opened(A, BOOT, False, b"hello", Proof(A, echo=answered.challenge))
    assert isinstance(found, Opened)
    assert found.reply is not None
    assert a.hears(b.proof(found.reply)) == Opened(B, BOOT, False, b"")
    assert b.hears(a.multicast(b"1")) == Opened(A, BOOT, False, b"1")
    assert a.hears(b.unicast(b"2", A)) == Opened(B, BOOT, True, b"2")


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=4), st.lists(st.integers(0, 5)))
def test_open_two_unknown_boots_believe_each_other_whoever_begins(
    speakers: list[str], hurry: list[int]
) -> None:
    """At once if nothing is overtaken; else after the next word, however it was."""
    a, b = Mouth(A), Mouth(B)

    def talk(now_ns: int) -> None:
        flying = [
            (b, a.multicast(b"x")) if who == "a" else (a, b.multicast(b"x")) for who in speakers
        ]
        while flying:
            to, datagram = flying.pop(hurry.pop() % len(flying) if hurry else 0)
            flying += [(a if to is b else b, reply) for reply in to.replies(datagram, now_ns)]

    was_in_order = not hurry
    talk(0)
    if not was_in_order:
        hurry.clear()
        talk(ASK_SPACING_NS)
    assert isinstance(b.hears(a.multicast(b"1"), ASK_SPACING_NS), Opened)
    assert isinstance(a.hears(b.multicast(b"1"), ASK_SPACING_NS), Opened)


def test_open_datagram_of_an_unproven_boot_is_never_delivered() -> None:
    """Not the first, not those after it, not later: only what is said once it is proven."""
    a, b = Mouth(A), Mouth(B)
    early = [a.multicast(b"x"), a.unicast(b"y", B)]
    for datagram in early:
        assert reason(b.hears(datagram)) is UNPROVEN
    a.meets(b, ASK_SPACING_NS)
    for datagram in early:
        assert reason(b.hears(datagram)) is RejectReason.REPLAYED


def test_open_recording_of_a_living_boot_is_refused_by_a_rebooted_node() -> None:
    """The boot proves itself to the rebooted node: what it said *before* stays worth nothing."""
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    grants = [a.multicast(b"old grant") for _ in range(3)] + [a.unicast(b"old order", B)]
    for grant in grants:
        assert isinstance(b.hears(grant), Opened)
    reborn = Mouth(B, NEXT, secret=2)
    for grant in grants:
        assert reason(reborn.hears(grant)) is UNPROVEN
    a.meets(reborn, ASK_SPACING_NS)
    for grant in grants:
        assert reason(reborn.hears(grant)) is RejectReason.REPLAYED
    assert isinstance(reborn.hears(a.multicast(b"new grant")), Opened)


def test_open_recorded_handshake_does_not_raise_a_dead_boot() -> None:
    """All that a and b have ever said, thrown at the next boot of b: nobody is believed."""
    a, b = Mouth(A), Mouth(B)
    recorded = [*a.meets(b), a.multicast(b"x"), a.unicast(b"y", B)]
    reborn = Mouth(B, NEXT, secret=2)
    for now_ns in (0, 1, EPOCH_NS, LATER_NS):
        for datagram in recorded:
            found = reborn.hears(datagram, now_ns)
            assert reason(found) in {UNPROVEN, RejectReason.BAD_MAC}
    assert not reborn.opener._peers


def test_open_dead_boot_cannot_return_by_its_own_old_proof() -> None:
    a, b = Mouth(A), Mouth(B)
    recorded = a.meets(b)
    a2 = Mouth(A, NEXT, secret=3)
    a2.meets(b)
    for datagram in recorded:
        assert reason(b.hears(datagram)) in {UNPROVEN, RejectReason.BAD_MAC}
    assert isinstance(b.hears(a2.multicast(b"x")), Opened)
    assert not b.opener.cloned(0)


def test_open_echo_that_was_held_back_is_worth_nothing() -> None:
    a, b = Mouth(A), Mouth(B)
    asked = challenge_in(b.hears(a.multicast(b"x")))
    held = a.proof(Proof(B, echo=asked.challenge))
    assert reason(b.hears(held, LATER_NS)) is UNPROVEN


def test_open_echo_held_back_over_a_restart_is_worth_nothing_at_once() -> None:
    """A moment after the next boot was believed, the echo of the one before raises nobody."""
    a, b = Mouth(A), Mouth(B)
    asked = challenge_in(b.hears(a.multicast(b"x")))
    held = a.proof(Proof(B, echo=asked.challenge))
    Mouth(A, NEXT, secret=3).meets(b)
    assert reason(b.hears(held)) is UNPROVEN
    assert not b.opener.cloned(0)


def test_open_echo_by_another_sender_or_of_a_guess_is_worth_nothing() -> None:
    a, b, c = Mouth(A), Mouth(B), Mouth(C, secret=4)
    asked = challenge_in(b.hears(a.multicast(b"x")))
    assert reason(b.hears(c.proof(Proof(B, echo=asked.challenge)))) is UNPROVEN
    assert reason(b.hears(a.proof(Proof(B, echo=asked.challenge ^ 1)))) is UNPROVEN


def test_open_unproven_boot_causes_a_seldom_challenge_and_nothing_else() -> None:
    a, b = Mouth(A), Mouth(B)
    step_ns = 1_000_000
    asked = [
        now_ns
        for now_ns in range(0, SECOND_NS, step_ns)
        if (found := b.hears(a.multicast(b"x"), now_ns)) and challenge_in_or_none(found)
    ]
    assert len(asked) == SECOND_NS // ASK_SPACING_NS
    assert not b.opener._peers


def challenge_in_or_none(found: Opened | Rejection) -> Proof | None:
    assert isinstance(found, Unproven)
    return found.reply


def test_open_replies_to_many_unproven_boots_are_bounded_and_so_is_what_is_remembered() -> None:
    b = Mouth(B)
    replies = 0
    for number in range(5000):
        stranger = Mouth(NodeId(1000 + number), secret=5)
        replies += challenge_in_or_none(b.hears(stranger.multicast(b"x"), number)) is not None
    assert replies == REPLIES_PER_S
    assert len(b.opener._strangers) == STRANGERS_MAX
    assert not b.opener._peers


def test_open_replayed_challenge_is_answered_seldom() -> None:
    """A thief's recording of a challenge makes no loud node."""
    a, b = Mouth(A), Mouth(B)
    asked = b.proof(challenge_in(b.hears(a.multicast(b"x"))))
    answered = [challenge_in_or_none(a.hears(asked, n)) for n in range(1000)]
    assert sum(reply is not None for reply in answered) == 1
    fresh = b.proof(Proof(A, challenge=5))
    assert challenge_in(a.hears(fresh, ANSWER_SPACING_NS)).echo == 5, "and b still gets its own"


def test_open_thief_cannot_stand_in_the_way_of_the_boot_that_he_has_recorded() -> None:
    """However often he replays it, and in whatever order: its own next word is asked for."""
    a, b = Mouth(A), Mouth(B)
    recorded = [a.multicast(b"x") for _ in range(500)]
    for now_ns in range(0, 10 * ASK_SPACING_NS, ASK_SPACING_NS // 20):
        b.hears(recorded[now_ns % 499], now_ns)
    live = a.multicast(b"alive")
    now_ns = 10 * ASK_SPACING_NS
    b.hears(live, now_ns)
    for datagram in recorded:
        b.hears(datagram, now_ns + ASK_SPACING_NS)
    asked = challenge_in(b.hears(a.multicast(b"alive"), now_ns + ASK_SPACING_NS))
    assert isinstance(b.hears(a.proof(Proof(B, echo=asked.challenge)), now_ns), Opened)


def test_open_challenge_of_a_known_boot_is_answered_and_restates_nothing_twice() -> None:
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    found = b.hears(a.proof(Proof(B, challenge=77)))
    assert found == Opened(A, BOOT, False, b"", Proof(A, echo=77))


# --- windows, buckets, memory --------------------------------------------------------------------


def test_open_own_multicast_is_an_echo_and_no_fault() -> None:
    a = Mouth(A)
    assert reason(a.hears(a.multicast(b"x"))) is RejectReason.OWN_ECHO


def test_open_same_datagram_twice_is_a_replay() -> None:
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    datagram = a.multicast(b"x")
    assert isinstance(b.hears(datagram), Opened)
    assert reason(b.hears(datagram)) is RejectReason.REPLAYED


def test_open_multicasts_and_unicasts_count_apart() -> None:
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    late = a.unicast(b"late", B)
    for number in range(WINDOW + 1):
        assert isinstance(b.hears(a.multicast(b"x"), number * SECOND_NS), Opened)
    assert isinstance(b.hears(late, LATER_NS * WINDOW), Opened)


def test_open_flood_of_a_member_is_throttled_and_named_and_nobody_else_is() -> None:
    a, b, c = Mouth(A), Mouth(B), Mouth(C, secret=4)
    a.meets(b)
    c.meets(b)
    found = [b.hears(a.multicast(b"x"), 0) for _ in range(3 * MESSAGES_BURST)]
    taken = [one for one in found if isinstance(one, Opened)]
    assert MESSAGES_BURST - 5 <= len(taken) <= MESSAGES_BURST
    assert reason(found[-1]) is RejectReason.THROTTLED
    assert b.opener.throttled(0) == {A}
    assert isinstance(b.hears(c.multicast(b"x"), 0), Opened)
    assert isinstance(b.hears(a.multicast(b"x"), SECOND_NS), Opened), "it is not banned"
    assert not b.opener.throttled(THROTTLED_NS)


def test_open_memory_is_bounded_in_senders_and_forgets_the_quietest() -> None:
    b = Mouth(B)
    mouths = [Mouth(NodeId(1000 + n), secret=5) for n in range(SENDERS_MAX + 1)]
    for number, mouth in enumerate(mouths[:-1]):
        mouth.meets(b, number * SECOND_NS)
    now_ns = SENDERS_MAX * SECOND_NS
    spoken = mouths[0].multicast(b"x")
    assert isinstance(b.hears(spoken, now_ns), Opened)
    mouths[-1].meets(b, now_ns)
    assert len(b.opener._peers) == SENDERS_MAX
    assert NodeId(1001) not in b.opener._peers
    assert reason(b.hears(spoken, now_ns)) is RejectReason.REPLAYED


@settings(max_examples=300)
@given(st.binary(max_size=DATAGRAM_MAX + 10), st.booleans())
def test_open_any_bytes_are_rejected_and_remembered_nowhere(datagram: bytes, unicast: bool) -> None:
    b = Mouth(B)
    for data in (datagram, b"RG\x01\x01" + datagram):
        found = b.opener.open(data, unicast, 0)
        assert isinstance(found, Rejection)
        assert not isinstance(found, Unproven), "a stranger is not even asked"
    assert not b.opener._peers
    assert len(b.opener._strangers) == 0


@given(st.binary(max_size=60), st.data())
def test_open_any_flipped_bit_of_a_proof_is_rejected(restated: bytes, data: st.DataObject) -> None:
    a, b = Mouth(A), Mouth(B)
    asked = challenge_in(b.hears(a.multicast(b"x")))
    datagram = a.proof(Proof(B, echo=asked.challenge), restated)
    bit = data.draw(st.integers(0, len(datagram) * 8 - 1))
    flipped = bytearray(datagram)
    flipped[bit // 8] ^= 1 << bit % 8
    assert isinstance(b.hears(bytes(flipped)), Rejection)
    assert isinstance(b.hears(datagram), Opened), "the forgery left a trace"


def test_open_proof_that_is_too_short_is_malformed() -> None:
    """Only a key-holder can say it: it must not raise, before it is proven and after."""
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    for mouth in (a, Mouth(C, secret=4)):
        short = mouth.sealer._seal(b"short", 2, 10_000, B.to_bytes(8))  # type: ignore[arg-type]
        assert reason(b.hears(short)) is RejectReason.MALFORMED


# --- rotation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaker_first", [True, False])
def test_open_rotation_keeps_windows_and_boots(speaker_first: bool) -> None:
    """Add, use, drop: nobody has to prove itself again, and no recording comes back."""
    both, new = Keyring(2, {1: KEY, 2: OTHER}), Keyring(2, {2: OTHER})
    a, b = Mouth(A), Mouth(B)
    a.meets(b)
    recorded = a.multicast(b"before")
    assert isinstance(b.hears(recorded), Opened)
    a.opener.use(Keyring(1, both.keys))
    b.opener.use(Keyring(1, both.keys))
    if speaker_first:
        a.sealer.use(both)
        assert isinstance(b.hears(a.multicast(b"x")), Opened)
    b.sealer.use(both)
    assert isinstance(a.hears(b.unicast(b"x", A)), Opened)
    a.sealer.use(both)
    a.opener.use(new)
    b.opener.use(new)
    assert isinstance(b.hears(a.multicast(b"x")), Opened)
    assert reason(b.hears(recorded)) is RejectReason.UNKNOWN_KEY
    b.opener.use(both)
    assert reason(b.hears(recorded)) is RejectReason.REPLAYED


def test_open_sealed_by_a_node_with_the_new_key_only() -> None:
    b = Mouth(B)
    assert reason(b.hears(Sealer(RING, A, BOOT).seal_multicast(b"x"))) is UNPROVEN
    b.opener.use(Keyring(2, {2: OTHER}))
    found = b.hears(Sealer(RING, C, BootId(3)).seal_multicast(b"x"))
    assert reason(found) is RejectReason.UNKNOWN_KEY
