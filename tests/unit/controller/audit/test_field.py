"""Fails if a field of the wrong kind is taken for a right one, or raises anything else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rackgrid.audit.field import (
    UNREADABLE,
    Fields,
    Malformed,
    list_row,
    offer_row,
    parsed,
    rows_of,
    step_row,
    whole_row,
)

F = Fields({"n": 3, "t": "x", "b": True, "none": None, "o": {"a": 1}, "l": [{"a": 1}], "f": 1.5})


def test_fields_of_the_right_kind_are_given() -> None:
    assert (F.whole("n"), F.text("t"), F.flag("b")) == (3, "x", True)
    assert (F.maybe("none"), F.maybe("n"), F.part("none")) == (None, 3, None)
    assert (F.part("o"), F.parts("l")) == (Fields({"a": 1}), [Fields({"a": 1})])
    assert (F.numbers("o"), F.rows("l")) == ({"a": 1}, [{"a": 1}])
    assert F.named("o") == {"a": 1}
    assert "n" in F
    assert "m" not in F


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (lambda: F.whole("m"), "m is missing"),
        (lambda: F.whole("b"), "b: True is no whole number"),
        (lambda: F.whole("f"), "f: 1.5 is no whole number"),
        (lambda: F.maybe("t"), "t: 'x' is no whole number"),
        (lambda: F.text("n"), "n: 3 is no text"),
        (lambda: F.flag("n"), "n: 3 is neither true nor false"),
        (lambda: F.part("n"), "n: no object"),
        (lambda: F.parts("o"), "o: no list"),
        (lambda: Fields({"l": [1]}).parts("l"), "l: no object"),
        (lambda: Fields({"o": {"a": "1"}}).numbers("o"), "o of a: '1' is no whole number"),
        (lambda: step_row([1, 2, 3]), "a step is"),
        (lambda: step_row([1, 2, 3, 0]), "a step is"),
        (lambda: step_row([1, 3, 2, False]), "a step of 3 mW that reserves 2 mW"),
        (lambda: step_row([1, -1, 2, False]), "a step of -1 mW"),
        (lambda: step_row([1, 1, -2, False]), "a step of 1 mW that reserves -2 mW"),
        (lambda: step_row("step"), "a step: no list"),
        (lambda: F.named("l"), "l: no object"),
        (lambda: rows_of(None, "said"), "said: no list"),
        (lambda: list_row([1], "a row", 2), "a row: 1 values, where there are 2"),
        (lambda: whole_row([1, True], "a row", 2), "a row: True is no whole number"),
        (lambda: offer_row([1, 2, 3]), "an offer is"),
        (lambda: offer_row(["grid", 2, -3]), "an offer of -3 mW"),
        (lambda: parsed("{"), UNREADABLE),
        (lambda: parsed("[" * 100_000), UNREADABLE),
        (lambda: parsed("[]"), "the line: no object"),
    ],
)
def test_fields_of_another_kind_are_named(look: Callable[[], object], said: str) -> None:
    with pytest.raises(Malformed, match=said.replace("[", r"\[")):
        look()


def test_rows_are_read() -> None:
    assert step_row([-5, 2, 3, True]) == (-5, 2, 3, True)
    assert step_row([5, 2, 0, True]) == (5, 2, 0, True), "a later stage of a load that modulates"
    assert offer_row(["grid", -2, 3]) == (-2, "grid", 3)
    assert whole_row([1, -2], "a row", 2) == (1, -2)
    assert list_row([1, None], "a row", 2) == rows_of([1, None], "a row") == [1, None]
    assert parsed('{"a": 1}') == Fields({"a": 1})
