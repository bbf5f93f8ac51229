import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid_firmware.position import Place, Positions

TEXT = '''\
# a comment
top = 1

[rack]
name = "a"   # [not] a = "table"
long = """
[inside]
name = 1
"""
"quoted key" = 'x = 1'
dotted.inner = 2

[[meter]]
name = "first"
mock = { source_w = 1, deep = { deeper = [1, 2] } }

[[meter]]
name = "second"
list = [
    1,  # one
    [2, 3],
    { x = 4 },
]

[meter.mock]
source_w = 2
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("rack",), 4),
        (("rack", "name"), 5),
        (("rack", "long"), 6),
        (("rack", "quoted key"), 10),
        (("rack", "dotted"), 11),
        (("rack", "dotted", "inner"), 11),
        (("meter",), 13),
        (("meter", 0), 13),
        (("meter", 0, "name"), 14),
        (("meter", 0, "mock", "deep", "deeper"), 15),
        (("meter", 1), 17),
        (("meter", 1, "name"), 18),
        (("meter", 1, "list", 0), 20),
        (("meter", 1, "list", 1, 1), 21),
        (("meter", 1, "list", 2, "x"), 22),
        (("meter", 1, "mock"), 25),
        (("meter", 1, "mock", "source_w"), 26),
    ],
)
def test_positions_of_every_form_are_exact(place: Place, line: int) -> None:
    positions = Positions(TEXT)
    assert positions.knows(place)
    assert positions.line(place) == line


def test_positions_of_an_absent_key_fall_back_on_its_table() -> None:
    positions = Positions(TEXT)
    assert not positions.knows(("meter", 1, "address"))
    assert positions.line(("meter", 1, "address")) == 17
    assert positions.line(("nothing",)) == 1


def test_positions_with_windows_line_ends_are_the_same() -> None:
    positions = Positions(TEXT.replace("\n", "\r\n"))
    assert positions.line(("meter", 1, "mock", "source_w")) == 26


def test_positions_of_a_string_that_ends_in_quotes_go_on_after_it() -> None:
    text = 'a = """x""""' + "\"\nb = '''y''''\nc = \"\"\"\"\"\"\nd = 1\n"
    assert tomllib.loads(text)["a"] == 'x""'
    positions = Positions(text)
    assert [positions.line((key,)) for key in "abcd"] == [1, 2, 3, 4]


@pytest.mark.parametrize("text", ["[", "a = ", 'a = "', "= 1", "[[a]", "a = [1", "a = {b", "\x00"])
def test_positions_of_what_is_no_toml_never_raise(text: str) -> None:
    assert Positions(text).line(("a",)) == 1


def test_positions_of_deep_nesting_never_raise() -> None:
    positions = Positions("first = 1\na = " + "[" * 5000 + "]" * 5000)
    assert positions.line(("first",)) == 1


# --- the law: whatever tomllib accepts, every key of it has its line ------------------------------

_bare_key = st.text("abcXYZ019_-", min_size=1, max_size=5)
_scalar = st.one_of(
    st.integers(-99, 99).map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.sampled_from(
        ['"a # b"', "'[x]'", '"""\nk = 1\n[t]\n"""', "'''\n]'\n'''", "1.5", "07:32:00"]
    ),
)


def _composite(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arrays = st.lists(inner, max_size=3).map(lambda each: "[\n" + ", # c\n".join(each) + "\n]")
    tables = st.dictionaries(
        _bare_key, _scalar.filter(lambda text: "\n" not in text), max_size=3
    ).map(lambda each: "{ " + ", ".join(f"{key} = {value}" for key, value in each.items()) + " }")
    return arrays | tables


_value = st.recursive(_scalar, _composite, max_leaves=6)
_table = st.dictionaries(_bare_key, _value, max_size=4)


def _places(value: object, place: Place) -> list[Place]:
    found = [place] if place else []
    if isinstance(value, dict):
        for key, each in value.items():
            found += _places(each, (*place, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += _places(each, (*place, index))
    return found


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["[t{}]", "[[many]]", "[t0.u{}]"]), _table), max_size=5))
def test_positions_of_any_document_cover_every_key(
    tables: list[tuple[str, dict[str, str]]],
) -> None:
    lines: list[str] = []
    for number, (header, keys) in enumerate(tables):
        lines += ["", header.format(number), *(f"{key} = {value}" for key, value in keys.items())]
    text = "\n".join(lines)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    positions = Positions(text)
    split = text.split("\n")
    for place in _places(data, ()):
        # A table that only a deeper header implies has no line of its own: [t0.u1] without [t0].
        if place in {("t0",), ("many",)}:
            continue
        assert positions.knows(place), place
        if isinstance(place[-1], str):
            assert place[-1] in split[positions.line(place) - 1]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_span_is_where_the_value_stands_whatever_ends_the_lines(newline: str) -> None:
    text = TEXT.replace("\n", newline)
    positions = Positions(text)
    for place, value in [
        (("top",), "1"),
        (("rack", "name"), '"a"'),
        (("rack", "quoted key"), "'x = 1'"),
        (("rack", "dotted", "inner"), "2"),
        (("meter", 0, "mock", "deep", "deeper"), "[1, 2]"),
        (("meter", 1, "list", 2, "x"), "4"),
        (("meter", 1, "mock", "source_w"), "2"),
    ]:
        span = positions.span(place)
        assert span is not None
        assert text[slice(*span)] == value
    assert positions.span(("rack",)) is None, "a header has no value"
    assert set(positions.spans(("meter", 1))) == {"name", "list"}
    assert positions.spans(("meter", 2)) == {}
