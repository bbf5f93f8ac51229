"""Fails if a damaged record passes for a sound one, or a sound one does not come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.checked import MISREAD, read, written


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
def test_record_comes_back(record: dict[str, object]) -> None:
    assert read(written(record)) == record


@given(st.data())
def test_record_with_a_flipped_bit_is_not_believed(data: st.DataObject) -> None:
    content = bytearray(written({"outputs": {"saw": {"is_locked": True}}}))
    at = data.draw(st.integers(0, len(content) - 2))  # its last byte only ends the line
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = read(bytes(content))
    except MISREAD:
        return
    assert found == {"outputs": {"saw": {"is_locked": True}}}, "a digit in another case"


@pytest.mark.parametrize("content", [b"", b"zz {}", b"00000000 {}", b"a3 []", b"\xff", b"0 5"])
def test_what_is_no_record_is_not_believed(content: bytes) -> None:
    with pytest.raises(MISREAD):
        read(content)
