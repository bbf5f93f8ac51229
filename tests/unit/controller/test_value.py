"""`record.replace`: whatever `dataclasses.replace` makes of a record, and as strict."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.core.agent import Agent
from rackgrid.value import replace


@dataclass(frozen=True, slots=True)
class Span:
    """A record that checks itself."""

    start: int
    end: int = 9
    names: tuple[str, ...] = field(default_factory=tuple[str, ...])

    def __post_init__(self) -> None:
        assert self.start <= self.end, "a span ends after it has begun"


@dataclass(frozen=True, slots=True)
class Single:
    """A record of one field: it is read in another way than several."""

    word: str


changes = st.fixed_dictionaries(
    {},
    optional={
        "start": st.integers(-9, 0),
        "end": st.integers(0, 9),
        "names": st.lists(st.text()).map(tuple),
    },
)


@given(changes)
def test_replace_makes_what_the_standard_library_makes(what: dict[str, object]) -> None:
    made = replace(Span(0, 9, ("a",)), **what)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert made == dataclasses.replace(Span(0, 9, ("a",)), **what)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert type(made) is Span


def test_replace_of_the_longest_record_keeps_every_other_field() -> None:
    before = Agent(bid_seq=1, refused=frozenset({"lamp"}), leaving=True)
    assert replace(before, bid_seq=2) == Agent(bid_seq=2, refused=frozenset({"lamp"}), leaving=True)


def test_replace_of_a_single_field() -> None:
    assert replace(Single("a"), word="b") == Single("b")
    assert replace(Single("a")) == Single("a")


def test_replace_with_a_value_that_the_record_refuses_is_refused() -> None:
    with pytest.raises(AssertionError, match="ends after"):
        replace(Span(0, 9), end=-1)


def test_replace_of_a_field_that_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        replace(Single("a"), colour="red")  # type: ignore[call-arg]


def test_replace_of_what_is_no_record_is_an_error() -> None:
    with pytest.raises(TypeError):
        replace("a", word="b")  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]


def test_replace_leaves_the_original_alone() -> None:
    before = Span(0, 9)
    replace(before, end=5)
    assert before == Span(0, 9)
