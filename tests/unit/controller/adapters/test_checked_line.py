"""Fails if a damaged small file passes for a sound one, or a sound one does not come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.checked_line import checked, numbers_line, numbers_of

FORM = "rackgrid things 1"
KEPT = {"fan": (1, 2, 3), "übel \n": (0, 10**15, 7)}


@given(
    st.text(max_size=9),
    st.dictionaries(st.text(max_size=9), st.tuples(st.integers(0), st.integers(0)), max_size=4),
)
def test_numbers_come_back(kernel: str, numbers: dict[str, tuple[int, int]]) -> None:
    line = numbers_line(FORM, kernel, numbers)
    assert line.count(b"\n") == 1
    assert numbers_of(line, FORM, 2) == (kernel, numbers)


@given(st.data())
def test_line_with_a_flipped_bit_is_not_believed(data: st.DataObject) -> None:
    line = bytearray(numbers_line(FORM, "boot", KEPT))
    line[data.draw(st.integers(0, len(line) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert numbers_of(bytes(line), FORM, 3) is None


@pytest.mark.parametrize("length", [0, 1, 20, -2, -1])
def test_line_that_was_cut_is_not_believed(length: int) -> None:
    assert numbers_of(numbers_line(FORM, "boot", KEPT)[:length], FORM, 3) is None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "5",
        "[]",
        '["boot"]',
        '["boot", 5]',
        '["boot", {"fan": 5}]',
        '["boot", {"fan": [1, 2]}]',
        '["boot", {"fan": [1, 2, -3]}]',
        '["boot", {"fan": [1, 2, true]}]',
        '["boot", {"fan": [1, 2, 3.0]}]',
        '["boot", {"fan": "abc"}]',
        '[7, {"fan": [1, 2, 3]}]',
        "[" * 100_000,
    ],
)
def test_what_nobody_wrote_is_not_believed_though_its_checksum_fits(body: str) -> None:
    assert numbers_of(checked(f"{FORM} {body}"), FORM, 3) is None


def test_line_of_another_form_is_not_believed() -> None:
    assert numbers_of(numbers_line("rackgrid others 1", "boot", KEPT), FORM, 3) is None
