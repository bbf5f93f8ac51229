import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.unpack import (
    LIST_MAX,
    TEXT_MAX,
    WHOLE_MAX,
    Fields,
    MismatchError,
    whole_object,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_every_kind_of_field_is_read() -> None:
    fields = Fields(
        {"w": 3, "n": 1, "f": True, "t": "a", "c": "one", "i": {"w": 4}, "l": [{"w": 5}, {"w": 6}]}
    )
    assert fields.whole("w") == 3
    assert fields.number("n") == 1.0
    assert fields.flag("f") is True
    assert fields.text("t") == "a"
    assert fields.choice("c", {"one": 1}) == 1
    assert fields.item("i", lambda f: f.whole("w")) == 4
    assert fields.items("l", lambda f: f.whole("w")) == (5, 6)
    fields.end()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "w is not a 64-bit integer"),
        (1.0, "w is not a 64-bit integer"),
        (WHOLE_MAX + 1, "w is not a 64-bit integer"),
    ],
)
def test_what_is_no_whole_number_is_refused(value: object, said: str) -> None:
    with pytest.raises(MismatchError, match=said):
        Fields({"w": value}).whole("w")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1"])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(MismatchError, match="n is not a finite number"):
        Fields({"n": value}).number("n")


@pytest.mark.parametrize("value", ["a\nb", "x" * (TEXT_MAX + 1), 3])
def test_a_text_that_would_break_a_log_is_refused(value: object) -> None:
    with pytest.raises(MismatchError, match="t is not a printable text"):
        Fields({"t": value}).text("t")


def test_missing_surplus_and_too_many_are_refused() -> None:
    with pytest.raises(MismatchError, match="no field w"):
        Fields({}).whole("w")
    with pytest.raises(MismatchError, match="unknown field 'x'"):
        whole_object({"x": 1}, lambda _: None)
    with pytest.raises(MismatchError, match="more than"):
        Fields({"l": [{}] * (LIST_MAX + 1)}).items("l", lambda _: None)
    with pytest.raises(MismatchError, match="l is not a list"):
        Fields({"l": 3}).items("l", lambda _: None)
    with pytest.raises(MismatchError, match="list where an object belongs"):
        Fields([])


@given(value=json_values)
def test_whatever_it_is_only_a_mismatch_comes_out(value: object) -> None:
    with contextlib.suppress(MismatchError):
        assert whole_object(value, lambda f: f.whole("w")) == value["w"]  # type: ignore[index]
