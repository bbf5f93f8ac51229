from pathlib import Path

import pytest

from rackgrid_firmware.key import Key, Kind, Table, printable
from rackgrid_firmware.section import Section
from rackgrid_firmware.settings import FILE_MAX, FINDINGS_MAX, TomlFile

RACK = Table(
    "rack",
    (
        Key("name", Kind.NAME, "what it is called"),
        Key("port", Kind.INTEGER, "where", 8437, low=1, high=65535),
        Key("round_s", Kind.NUMBER, "how long", 0.5, unit="s", low=0.05, high=60),
    ),
    required=True,
    refused=(("key", "a secret does not stand here"),),
)
LOAD = Table(
    "load",
    (
        Key("name", Kind.NAME, "what it is called"),
        Key("output", Kind.NAME, "which output", None),
        Key("worth", Kind.NUMBER, "its worth", None),
    ),
    many=True,
    count_max=3,
    tables=(Table("mock", (Key("draw_w", Kind.NUMBER, "its draw", 1.0, unit="W"),)),),
)
KNOWN = (RACK, LOAD)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str | bytes) -> tuple[TomlFile, dict[str, list[Section]]]:
    file = TomlFile(write(folder, text))
    return file, file.tables(KNOWN)


def said(file: TomlFile) -> list[str]:
    """The findings, without the path."""
    return [str(finding).removeprefix(printable(str(file.path))) for finding in file.findings]


def test_tables_of_a_good_file_have_given_values_and_defaults(tmp_path: Path) -> None:
    text = '[rack]\nname = "a"\nround_s = 1\n[[load]]\nname = "fan"\nmock = { draw_w = 2 }\n'
    file, sections = read(tmp_path, text)
    assert said(file) == []
    (rack,), (load,) = sections["rack"], sections["load"]
    assert (rack.text("name"), rack.integer("port"), rack.number("round_s")) == ("a", 8437, 1.0)
    assert rack.given == {"name", "round_s"}
    assert load.text("output") == ""
    assert load.inside["mock"].number("draw_w") == 2.0


def test_every_finding_comes_at_once_and_in_the_order_of_lines(tmp_path: Path) -> None:
    file, _ = read(
        tmp_path,
        '[rack]\nprot = 1\nround_s = "500"\n\n[[laod]]\nname = "x"\n\n'
        '[[load]]\nname = "fan"\nworht = 1\n'
        "[[load]]\nmock.draw_w = true\n",
    )
    assert said(file) == [
        ":1: [rack] name: missing: what it is called; allowed: 1 to 32 of a-z 0-9 _ -",
        ":2: [rack] prot: unknown key; did you mean 'port'?",
        ':3: [rack] round_s: expected a number of seconds (got "500"); allowed: 0.05 to 60 s; '
        "did you mean 0.5?",
        ":5: [[laod]]: unknown table; allowed: [rack], [[load]]; did you mean 'load'?",
        ":10: [[load]] \"fan\" worht: unknown key; did you mean 'worth'?",
        ":11: [[load]] #2 name: missing: what it is called; allowed: 1 to 32 of a-z 0-9 _ -",
        ":12: [[load]] #2 mock draw_w: expected a number of watts (got true); "
        "allowed: 0 to 1000000000 W",
    ]


def test_misspelt_required_key_is_one_finding_and_not_two(tmp_path: Path) -> None:
    file, sections = read(tmp_path, '[rack]\nnmae = "a"\n')
    assert said(file) == [":2: [rack] nmae: unknown key; did you mean 'name'?"]
    assert not sections["rack"][0].sound("name")
    assert sections["rack"][0].guessed == {"name"}


def test_unknown_key_of_another_table_is_sent_home(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[rack]\nname = "a"\n[[load]]\nname = "b"\nround_s = 1\n')
    assert said(file) == [':5: [[load]] "b" round_s: unknown key; it belongs into [rack]']


def test_unknown_key_without_a_like_lists_what_there_is(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[rack]\nname = "a"\n"x y" = 1\n')
    assert said(file) == [':3: [rack] "x y": unknown key; allowed: name, port, round_s']


def test_refused_key_gives_the_reason_and_never_the_value(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[rack]\nname = "a"\nkey = "hunter2"\n')
    assert said(file) == [":3: [rack] key: a secret does not stand here"]


def test_refused_table_gives_the_reason(tmp_path: Path) -> None:
    file = TomlFile(write(tmp_path, '[rack]\nname = "a"\n[[meter]]\nname = "m"\n'))
    file.tables(KNOWN, {"meter": "belongs elsewhere"})
    assert said(file) == [":3: [[meter]]: belongs elsewhere"]


def test_key_outside_of_any_table_is_sent_home(tmp_path: Path) -> None:
    file, _ = read(tmp_path, 'port = 1\n[rack]\nname = "a"\n')
    assert said(file) == [":1: port: a key outside of any table; did you mean 'port' under [rack]?"]


def test_names_that_could_steer_a_terminal_are_written_harmlessly(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '"\\u001b[2J" = 1\n[rack]\nname = "a"\n["x\\ny"]\n')
    assert said(file) == [
        ':1: "\\u001b[2J": a key outside of any table',
        ':4: ["x\\ny"]: unknown table; allowed: [rack], [[load]]',
    ]


def test_missing_table_names_what_it_needs(tmp_path: Path) -> None:
    file, sections = read(tmp_path, '[[load]]\nname = "a"\n')
    assert said(file) == [":1: [rack]: missing; it needs name"]
    assert not sections["rack"][0].present
    assert sections["rack"][0].integer("port") == 8437


def test_array_written_as_a_table_is_reported_and_still_read(tmp_path: Path) -> None:
    file, sections = read(tmp_path, '[rack]\nname = "a"\n[load]\nname = "Fan"\n')
    assert said(file) == [
        ":3: [load]: there may be several; write [[load]]",
        ':4: [[load]] "Fan" name: not a name (got "Fan"); allowed: 1 to 32 of a-z 0-9 _ -; '
        "did you mean 'fan'?",
    ]
    assert len(sections["load"]) == 1


def test_table_written_as_an_array_is_reported_and_still_read(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[[rack]]\nname = "a"\nport = 0\n')
    assert said(file) == [
        ":1: [[rack]]: there is one of these; write [rack]",
        ":3: [rack] port: too small (got 0); allowed: 1 to 65535",
    ]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("rack = 1\n", ":1: [rack]: expected a table (got 1)"),
        ("rack = []\n", ":1: [[rack]]: there is one of these; write [rack]"),
        ('[rack]\nname = "a"\n[[load]]\nname = "b"\nmock = 3\n', None),
        ('load = 3\n[rack]\nname = "a"\n', ":1: load: expected tables (got 3); allowed: [[load]]"),
        ('load = [3]\n[rack]\nname = "a"\n', ":1: [[load]] #1: expected a table (got 3)"),
    ],
)
def test_value_where_a_table_belongs_is_reported(
    tmp_path: Path, text: str, finding: str | None
) -> None:
    file, _ = read(tmp_path, text)
    wanted = finding or ':5: [[load]] "b" mock: expected a table (got 3)'
    assert wanted in said(file)


def test_too_many_elements_are_reported_at_the_first_that_is_too_much(tmp_path: Path) -> None:
    loads = "".join(f'[[load]]\nname = "l{n}"\n' for n in range(5))
    file, sections = read(tmp_path, f'[rack]\nname = "a"\n{loads}')
    assert said(file) == [":9: [[load]]: too many (got 5); allowed: at most 3"]
    assert len(sections["load"]) == 3


def test_findings_of_a_hostile_file_are_limited(tmp_path: Path) -> None:
    keys = "".join(f"k{n} = 1\n" for n in range(FINDINGS_MAX + 50))
    file, _ = read(tmp_path, f'[rack]\nname = "a"\n{keys}')
    assert len(file.findings) == FINDINGS_MAX


def test_unique_reports_the_second_and_says_where_the_first_is(tmp_path: Path) -> None:
    file, sections = read(
        tmp_path, '[rack]\nname = "a"\n[[load]]\nname = "b"\n[[load]]\nname = "b"\n'
    )
    file.unique(sections["load"], "name")
    file.unique(sections["load"], "output")  # left out twice: no duplicate
    assert said(file) == [
        ':6: [[load]] "b" name: used already in line 4, by [[load]] "b"; each needs its own '
        '(got "b")'
    ]


def test_refer_reports_what_nothing_has_and_suggests_the_nearest(tmp_path: Path) -> None:
    file, sections = read(tmp_path, '[rack]\nname = "a"\n[[load]]\nname = "b"\noutput = "hetaer"\n')
    (load,) = sections["load"]
    assert not file.refer(load, "output", {"heater", "fan"}, "output")
    assert file.refer(load, "output", {"hetaer"}, "output")
    assert said(file) == [
        ':5: [[load]] "b" output: no such output (got "hetaer"); allowed: "fan", "heater"; '
        "did you mean 'heater'?"
    ]


def test_refer_where_there_is_nothing_to_refer_to_says_so(tmp_path: Path) -> None:
    file, sections = read(tmp_path, '[rack]\nname = "a"\n[[load]]\nname = "b"\noutput = "x"\n')
    assert not file.refer(sections["load"][0], "output", set(), "output")
    assert "allowed: none, there is no output" in said(file)[0]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[rack]\nname = \n", ":2: column 8: not TOML: Invalid value"),
        (
            "[rack]\nname = rack\n",
            ":2: column 8: not TOML: Invalid value; did you mean '\"rack\"'?",
        ),
        ("[rack]\nx = True # no\n", ":2: column 5: not TOML: Invalid value; did you mean 'true'?"),
        ("[rack]\na = 1\na = 2\n", ":3: column 6: not TOML: Cannot overwrite a value"),
        ('[rack]\nname = "a\n', ":2: column 10: not TOML: Illegal character '\\n'"),
        ("[rack]\nname = [1,\n2", ":3: not TOML: Unclosed array at the end of the file"),
    ],
)
def test_syntax_error_has_line_and_column(tmp_path: Path, text: str, finding: str) -> None:
    file, sections = read(tmp_path, text)
    assert said(file) == [finding]
    assert not file.parsed
    assert not sections["rack"][0].present


def test_bytes_that_are_no_text_are_found_in_their_line(tmp_path: Path) -> None:
    file = TomlFile(write(tmp_path, b'[rack]\nname = "\xff"\n'))
    assert said(file) == [":2: byte 0xff is not UTF-8; save the file as UTF-8"]


def test_numbers_and_nesting_beyond_the_parser_are_findings(tmp_path: Path) -> None:
    for text in ("a = " + "9" * 5000, "a = " + "[" * 20000):
        file = TomlFile(write(tmp_path, text))
        assert not file.parsed
        assert "not TOML" in said(file)[0]


def test_file_that_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    file = TomlFile(write(tmp_path, b"#" * (FILE_MAX + 1)))
    assert said(file) == [f": longer than {FILE_MAX} bytes: this is no settings file"]


def test_file_that_is_not_there_or_a_folder_is_a_finding(tmp_path: Path) -> None:
    missing = TomlFile(tmp_path / "none.toml")
    assert said(missing)[0].startswith(": cannot be read: No such file or directory")
    assert said(TomlFile(tmp_path))[0].startswith(": cannot be read: Is a directory")
    assert said(TomlFile(Path("a\0b")))[0].startswith(": cannot be read: embedded null byte")


def test_beside_resolves_against_the_file_and_not_the_caller(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[rack]\nname = "a"\n')
    assert file.beside("b.toml") == tmp_path / "b.toml"
    assert file.beside("/etc/b.toml") == Path("/etc/b.toml")
    assert file.beside("") is None


def test_peek_and_has_look_before_anything_is_checked(tmp_path: Path) -> None:
    file, _ = read(tmp_path, '[rack]\nname = "a"\nport = 3\n')
    assert (file.peek("rack", "name"), file.peek("rack", "port"), file.peek("x", "y")) == (
        "a",
        "",
        "",
    )
    assert file.has("rack")
    assert not file.has("load")
