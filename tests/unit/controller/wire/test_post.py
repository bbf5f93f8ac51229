"""Posts: what is written is read, and what is none is a rejection."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.identity import NodeId
from rackgrid.wire.codec import KINDS
from rackgrid.wire.post import DATA_MAX, FIRST_KIND, PARTS_MAX, Kind, Post, decode, encode, is_post
from rackgrid.wire.seal import PAYLOAD_MAX
from rackgrid.wire.vocabulary import Rejection, RejectReason

U64 = st.integers(0, 2**64 - 1)


@given(
    st.sampled_from([kind for kind in Kind if kind is not Kind.PIECE]),
    U64,
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**16 - 1),
)
def test_post_is_read_as_it_was_written(
    kind: Kind, owner: int, number: int, digest: bytes, part: int
) -> None:
    post = Post(kind, NodeId(owner), number, digest, part=part)
    assert decode(encode(post)) == post
    assert is_post(encode(post))


def test_largest_piece_fits_a_datagram() -> None:
    post = Post(
        Kind.PIECE,
        NodeId(2**64 - 1),
        1,
        bytes(32),
        2**32 - 1,
        PARTS_MAX - 1,
        PARTS_MAX,
        bytes(DATA_MAX),
    )
    assert len(encode(post)) <= PAYLOAD_MAX
    assert decode(encode(post)) == post


def test_posts_are_told_from_what_decides() -> None:
    assert max(KINDS) < FIRST_KIND == min(Kind)
    assert not is_post(b"")
    assert not is_post(bytes((FIRST_KIND - 1,)))


OFFER = encode(Post(Kind.OFFER, NodeId(1), 5))
PIECE = bytes((Kind.PIECE,)) + OFFER[1:-4]
"""Without its place among the others."""


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (OFFER[:-1], RejectReason.MALFORMED),
        (b"\xff" + OFFER[1:], RejectReason.UNKNOWN_KIND),
        (OFFER + b"x", RejectReason.MALFORMED),
        (OFFER[:9] + b"\xff" + OFFER[10:], RejectReason.MALFORMED),
        (PIECE + b"\0\0\0\1", RejectReason.MALFORMED),
        (PIECE + b"\0\5\0\5x", RejectReason.MALFORMED),
        (PIECE + b"\0\0\xff\xffx", RejectReason.MALFORMED),
        (PIECE + b"\0\0\0\1" + bytes(DATA_MAX + 1), RejectReason.MALFORMED),
    ],
)
def test_what_is_no_post_is_rejected(payload: bytes, reason: RejectReason) -> None:
    found = decode(payload)
    assert isinstance(found, Rejection)
    assert found.reason is reason


@given(st.binary(max_size=200))
def test_nothing_that_arrives_raises(data: bytes) -> None:
    found = decode(data)
    assert isinstance(found, Rejection) or encode(found) == data
