"""Fails if a table does not read back as it was written, or a damaged one passes for whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid_firmware.pin_table import Pins, PinTable, read_table, stamp_of, write_table

PINS: Pins = {"server": (17, True), "fan": (22, False)}
TABLE = PinTable("pi-relay4", "pi", stamp_of(b"[board]"), PINS)
TEXT = f"rackgrid-pins 1\nboard pi-relay4 pi\nprofile {TABLE.stamp}\n17 1 server\n22 0 fan\nend 2\n"


def fields(table: PinTable) -> tuple[str, str, str, Pins]:
    return table.board, table.driver, table.stamp, table.pins


def test_table_is_written_as_documented() -> None:
    assert str(TABLE) == TEXT


@given(
    pins=st.dictionaries(
        st.text("abcxyz019_-", min_size=1, max_size=32),
        st.tuples(st.integers(0, 27), st.booleans()),
        max_size=24,
    )
)
def test_table_reads_back_as_it_was(pins: Pins, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.getbasetemp() / "pins")
    write_table(path, PinTable("b", "mock", "3 4", pins))
    assert fields(read_table(path)) == ("b", "mock", "3 4", pins)


@pytest.mark.parametrize("length", range(len(TEXT)))
def test_table_cut_anywhere_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "pins"
    path.write_text(TEXT[:length])
    with pytest.raises(ValueError, match="no whole pin table"):
        read_table(str(path))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("rackgrid-pins 1", "rackgrid-pins 2"),
        ("17 1", "28 1"),
        ("17 1", "-1 1"),
        ("17 1", "17 2"),
        ("17 1", "17 on"),
        ("end 2", "end 3"),
        ("22 0 fan\n", ""),
        ("fan", "fan \xe9"),
    ],
)
def test_table_that_says_what_cannot_be_is_refused(tmp_path: Path, line: str, wrong: str) -> None:
    assert line in TEXT
    path = tmp_path / "pins"
    path.write_text(TEXT.replace(line, wrong), encoding="latin-1")
    with pytest.raises(ValueError, match="a start of the firmware mends it"):
        read_table(str(path))


def test_table_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_table(str(tmp_path / "pins"))


def test_write_replaces_what_was_there_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "pins"
    path.write_text("old")
    write_table(str(path), TABLE)
    assert path.read_text() == TEXT
    assert os.listdir(tmp_path) == ["pins"]


def test_stamp_tells_texts_apart() -> None:
    assert len({stamp_of(text) for text in (b"", b"a", b"b", b"ab", b"ba")}) == 5
