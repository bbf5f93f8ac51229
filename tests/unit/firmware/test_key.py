import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.key import Key, Kind, Need, Table, complaint, meant, shown

SECONDS = Key("round_s", Kind.NUMBER, "between clearings", 0.5, unit="s", low=0.05, high=60)
COUNT = Key("suspect", Kind.INTEGER, "silent heartbeats", 3, low=2, high=20)
ADDRESS = Key("address", Kind.INTEGER, "I2C", low=0x40, high=0x4F, hexadecimal=True)
FLAG = Key("preempt", Kind.FLAG, "handover", True)
NAME = Key("name", Kind.NAME, "its name")
CHOICE = Key("driver", Kind.TEXT, "who", choices=("mock", "pi"))
NAME_RULE = "allowed: 1 to 32 of a-z 0-9 _ -"
NAMES = Key("not_with", Kind.NAMES, "others", None)
HOSTS = Key("hosts", Kind.NAMES, "hosts", None, pattern="[A-Za-z.]+", allowed="hosts")
DRIVERS = 'allowed: "mock" or "pi"'
OHMS = Key("shunt_ohms", Kind.NUMBER, "shunt", 0.1, unit="ohm", low=0.0001, high=10)


@pytest.mark.parametrize(
    ("key", "value", "objection"),
    [
        (SECONDS, 0.5, ""),
        (SECONDS, 1, ""),
        (SECONDS, 0.05, ""),
        (SECONDS, 0.04, "too small (got 0.04); allowed: 0.05 to 60 s"),
        (SECONDS, 61, "too large (got 61); allowed: 0.05 to 60 s"),
        (SECONDS, float("nan"), "not a finite number (got nan); allowed: 0.05 to 60 s"),
        (SECONDS, float("inf"), "not a finite number (got inf); allowed: 0.05 to 60 s"),
        (SECONDS, 10**400, "too large (got a huge number); allowed: 0.05 to 60 s"),
        (SECONDS, True, "expected a number of seconds (got true); allowed: 0.05 to 60 s"),
        (
            SECONDS,
            "5s",
            'expected a number of seconds (got "5s"); allowed: 0.05 to 60 s; did you mean 5?',
        ),
        (
            SECONDS,
            "500",
            'expected a number of seconds (got "500"); allowed: 0.05 to 60 s; did you mean 0.5?',
        ),
        (
            SECONDS,
            "500 ms",
            'expected a number of seconds (got "500 ms"); allowed: 0.05 to 60 s; did you mean 0.5?',
        ),
        (SECONDS, "5W", 'expected a number of seconds (got "5W"); allowed: 0.05 to 60 s'),
        (SECONDS, "9e99", 'expected a number of seconds (got "9e99"); allowed: 0.05 to 60 s'),
        (
            OHMS,
            "20 mΩ",
            'expected a number of ohms (got "20 mΩ"); allowed: 0.0001 to 10 ohm; '
            "did you mean 0.02?",
        ),
        (COUNT, 3, ""),
        (COUNT, 3.0, "expected a whole number (got 3.0); allowed: 2 to 20"),
        (COUNT, True, "expected a whole number (got true); allowed: 2 to 20"),
        (NAMES, [], ""),
        (NAMES, ["fan", "pump"], ""),
        (
            NAMES,
            "fan",
            'expected an array of names (got "fan"); allowed: such as ["fan"], at most 24; '
            'did you mean ["fan"]?',
        ),
        (
            NAMES,
            "A fan",
            'expected an array of names (got "A fan"); allowed: such as ["fan"], at most 24',
        ),
        (NAMES, ["fan", 3], f"not a name (got 3); {NAME_RULE}"),
        (NAMES, ["Fan"], f'not a name (got "Fan"); {NAME_RULE}'),
        (HOSTS, ["A.b"], ""),
        (HOSTS, ["a", "b/c"], 'not a name (got "b/c"); allowed: hosts'),
        (NAMES, ["a"] * 25, 'too many (got 25); allowed: such as ["fan"], at most 24'),
        (ADDRESS, 0x40, ""),
        (ADDRESS, 0x50, "too large (got 0x50); allowed: 0x40 to 0x4f"),
        (
            ADDRESS,
            "0x41",
            'expected a whole number (got "0x41"); allowed: 0x40 to 0x4f; did you mean 0x41?',
        ),
        (FLAG, False, ""),
        (FLAG, "yes", 'expected true or false (got "yes"); did you mean true?'),
        (FLAG, "maybe", 'expected true or false (got "maybe")'),
        (FLAG, 1, "expected true or false (got 1)"),
        (NAME, "fan-1_a", ""),
        (NAME, "Fan 1", f"not a name (got \"Fan 1\"); {NAME_RULE}; did you mean 'fan-1'?"),
        (NAME, "", 'not a name (got ""); allowed: 1 to 32 of a-z 0-9 _ -'),
        (NAME, "fan\n", f"not a name (got \"fan\\n\"); {NAME_RULE}; did you mean 'fan'?"),
        (NAME, [1], "expected a name in quotes (got an array); allowed: 1 to 32 of a-z 0-9 _ -"),
        (NAME, {}, "expected a name in quotes (got a table); allowed: 1 to 32 of a-z 0-9 _ -"),
        (CHOICE, "pi", ""),
        (CHOICE, "mok", f"not one of the choices (got \"mok\"); {DRIVERS}; did you mean 'mock'?"),
        (CHOICE, "zzz", f'not one of the choices (got "zzz"); {DRIVERS}'),
    ],
)  # fmt: skip
def test_objection_to_a_value_says_all_in_one_order(
    key: Key, value: object, objection: str
) -> None:
    assert key.objection(value) == objection


def test_objection_to_a_text_that_does_not_match_names_the_form() -> None:
    key = Key("currency", Kind.TEXT, "money", "EUR", pattern="[A-Z]{3}", allowed="three letters")
    assert key.objection("EUR") == ""
    assert key.objection("euro") == 'not understood (got "euro"); allowed: three letters'


@pytest.mark.parametrize(("value", "objection"), [("", 'empty (got "")'), ("a\0b", "holds a zero")])
def test_objection_to_an_impossible_path_is_raised_here_and_not_by_the_kernel(
    value: str, objection: str
) -> None:
    assert Key("file", Kind.PATH, "a file").objection(value).startswith(objection)


@pytest.mark.parametrize("kind", list(Kind))
def test_stand_in_without_default_is_of_the_right_type(kind: Kind) -> None:
    key = Key("any", kind, "any", low=2, high=5)
    assert key.default is Need.REQUIRED
    if kind in {Kind.INTEGER, Kind.NUMBER, Kind.FLAG}:
        assert key.objection(key.stand_in) == ""
    else:
        assert key.stand_in == (() if kind is Kind.NAMES else "")


def test_stand_in_with_default_is_the_default() -> None:
    assert SECONDS.stand_in == 0.5


@given(st.text(st.characters(exclude_categories=["Cs"])))
@settings(max_examples=100)
def test_shown_text_is_toml_or_shortened(text: str) -> None:
    written = shown(text)
    assert len(written) <= 64
    assert written.isprintable()
    if len(written) < 60:
        assert tomllib.loads(f"key = {written}")["key"] == text


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(_anything, st.sampled_from([SECONDS, COUNT, ADDRESS, FLAG, NAME, CHOICE, OHMS]))
@settings(max_examples=200, deadline=None)
def test_objection_to_anything_is_a_sentence_and_its_absence_a_usable_value(
    value: object, key: Key
) -> None:
    objection = key.objection(value)
    assert isinstance(objection, str)
    if not objection:
        assert isinstance(value, str | int | float | bool)


def test_meant_finds_the_near_and_not_the_far() -> None:
    assert meant("gpoi", ["gpio", "name"]) == "'gpio'"
    assert meant("Capacity_W", ["capacity_w"]) == "'capacity_w'"
    assert meant("zebra", ["gpio", "name"]) == ""


def test_complaint_leaves_out_what_is_not_known() -> None:
    assert complaint("wrong") == "wrong"
    assert complaint("wrong", "1", "2", "3") == "wrong (got 1); allowed: 2; did you mean 3?"


def test_table_says_its_header_its_names_and_its_needs() -> None:
    table = Table("meter", (NAME, SECONDS), many=True, tables=(Table("mock", ()),))
    assert table.title == "[[meter]]"
    assert table.names == ("name", "round_s", "mock")
    assert table.needs == "name"
