from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.keyring import (
    NUMBER_MAX,
    RackKey,
    RackKeys,
    bare_key,
    parse_keys,
    write_keys,
)
from rackgrid.errors import KeyringError
from rackgrid.wire.seal import KEYS_MAX

A, B = bytes(range(32)), bytes(range(100, 132))
MADE = "2026-03-01T12:00:00Z"
TWO = RackKeys(1, (RackKey(1, A, MADE), RackKey(2, B)))


def secrets_of(count: int) -> st.SearchStrategy[list[bytes]]:
    drawn = st.binary(min_size=32, max_size=32).filter(lambda key: len(set(key)) >= 8)
    return st.lists(drawn, min_size=count, max_size=count)


@given(secrets_of(3), st.permutations(range(1, NUMBER_MAX + 1)), st.integers(0, 2))
def test_keys_written_are_the_keys_read(secrets: list[bytes], numbers: list[int], use: int) -> None:
    each = zip(numbers[:3], secrets, strict=True)
    keys = RackKeys(numbers[use], tuple(RackKey(n, s, MADE) for n, s in each))
    assert parse_keys(write_keys(keys).encode()) == keys
    assert keys.ring().use == keys.used.number


@pytest.mark.parametrize("text", [A.hex(), base64.b64encode(A).decode()])
def test_bare_key_is_a_ring_of_key_1(text: str) -> None:
    assert parse_keys(f"  {text}\n".encode()) == RackKeys(1, (RackKey(1, A),))
    assert bare_key(text.encode()) == A


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"use 1\nkey 1 {A.hex()}\n", "`end` is missing"),
        (f"key 1 {A.hex()}\nend", "no line says which key is used"),
        (f"use 2\nkey 1 {A.hex()}\nend", "key 2 is to be used"),
        (f"use 1\nuse 1\nkey 1 {A.hex()}\nend", "2: not understood"),
        (f"use 1\nkey 1 {A.hex()}\nkey 1 {B.hex()}\nend", "3: there is a key 1"),
        (f"use 1\nkey 0 {A.hex()}\nend", "2: the number of a key"),
        (f"use 1\nkey 256 {A.hex()}\nend", "2: the number of a key"),
        (f"use 1\nkey 1 {A.hex()[2:]}\nend", "2: a key is 32 bytes"),
        (f"use 1\nkey 1 {'00' * 32}\nend", "2: a placeholder"),
        (f"use 1\nkey 1 {A.hex()} yesterday\nend", "2: the time of a key"),
        (f"use 1\nkey 1 {A.hex()}\nend\nkey 2 {B.hex()}", "4: nothing may follow"),
        ("# nothing\nuse 1\nend", "no group key"),
        (
            "use 1\n" + "".join(f"key {n} {A.hex()}\n" for n in range(1, 6)) + "end",
            f"{KEYS_MAX + 2}: at most",
        ),
    ],
)
def test_file_that_is_no_ring_is_refused_by_line_and_shows_no_key(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_keys(text.encode())
    assert A.hex()[:8] not in str(caught.value)
    assert B.hex()[:8] not in str(caught.value)


@given(st.integers(0, 300))
def test_file_cut_off_anywhere_is_never_another_ring(cut: int) -> None:
    text = write_keys(TWO)
    part = text[:cut].rstrip()
    if part == text.rstrip():
        assert parse_keys(part.encode()) == TWO
        return
    with pytest.raises(ValueError, match=r"^\d: "):
        parse_keys(part.encode())


@given(st.binary(max_size=300))
def test_whatever_stands_in_the_file_is_keys_or_a_value_error(data: bytes) -> None:
    try:
        keys = parse_keys(data)
    except ValueError:
        return
    assert parse_keys(write_keys(keys).encode()) == keys


def test_rotation_adds_uses_and_drops() -> None:
    one = RackKeys(1, (RackKey(1, A),))
    two = one.adding(B, MADE)
    assert (two.use, two.newest) == (1, RackKey(2, B, MADE))
    used = two.using(2)
    assert set(used.ring().keys) == {1, 2}
    assert used.without(1) == RackKeys(2, (RackKey(2, B, MADE),))


def test_number_of_a_new_key_is_none_of_late() -> None:
    last = RackKeys(NUMBER_MAX, (RackKey(1, A), RackKey(NUMBER_MAX, B)))
    assert last.adding(A, MADE).newest.number == 2


def test_ring_that_is_full_takes_no_more() -> None:
    keys = TWO.adding(A, MADE).adding(B, MADE)
    with pytest.raises(KeyringError, match="drop one first"):
        keys.adding(A, MADE)


def test_key_that_is_used_is_not_dropped_and_one_that_is_not_there_is_not_used() -> None:
    with pytest.raises(KeyringError, match="use another first"):
        TWO.without(1)
    with pytest.raises(KeyringError, match="no key 7 on the ring: it holds 1, 2"):
        TWO.using(7)


def test_key_shown_is_its_number_and_its_fingerprint_tells_keys_apart() -> None:
    assert A.hex() not in repr(TWO)
    assert repr(A) not in repr(TWO)
    assert TWO.keys[0].fingerprint != TWO.keys[1].fingerprint
    assert TWO.keys[0].fingerprint not in A.hex()
