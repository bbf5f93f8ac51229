"""What plugs answer is JSON, or it is not understood: nothing of it raises anything else."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.plug.talk import inside, number, read_object
from rackgrid.errors import TransportError


def test_object_is_read() -> None:
    answer = read_object(b'{"a": {"b": 1.5}, "c": true}', "it")
    assert number(inside(answer, "a"), "b") == 1.5


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b"1e999"])
def test_what_is_no_object_is_not_understood(raw: bytes) -> None:
    with pytest.raises(TransportError, match="plug-1 says"):
        read_object(raw, "plug-1")


@given(st.binary(max_size=40))
def test_no_answer_raises_anything_else(raw: bytes) -> None:
    with contextlib.suppress(TransportError):
        read_object(raw, "it")


@pytest.mark.parametrize("value", [None, "1", True, [], {}, float("nan"), float("inf"), 1e300])
def test_what_is_no_number_is_none(value: object) -> None:
    assert number(read_object(json.dumps({"a": value}).encode(), "it"), "a") is None


@pytest.mark.parametrize("value", [None, "1", True, [], 3])
def test_what_is_no_object_inside_is_empty(value: object) -> None:
    assert inside({"a": value}, "a") == {}
