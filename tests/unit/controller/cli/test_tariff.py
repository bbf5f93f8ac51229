"""`rackgrid tariff`: what a tariff file says of the hours to come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit


@pytest.fixture
def tariff(tmp_path: Path) -> Path:
    """Two hours from an hour ago on, a gap of an hour, and an hour at a negative price."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)

    def slot(first: int, last: int, value: float) -> dict[str, object]:
        start, end = begin + timedelta(hours=first), begin + timedelta(hours=last)
        return {"start": start.isoformat(), "end": end.isoformat(), "value": value}

    path = tmp_path / "tariff.json"
    path.write_text(json.dumps([slot(0, 2, 0.31), slot(3, 4, -0.02)]))
    return path


def test_prices_ahead_are_shown_with_their_gaps(
    tariff: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tariff", str(tariff)]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("   ")[1] for line in lines] == ["0.3100", "not known", "-0.0200"]


def test_prices_ahead_as_json_are_a_tariff_file(
    tariff: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tariff", str(tariff), "--hours", "3", "--json"]) == Exit.OK
    text = capsys.readouterr().out
    assert [row["value"] for row in json.loads(text)] == [0.31, -0.02]
    again = tmp_path / "again.json"
    again.write_text(text)
    assert main(["tariff", str(again)]) == Exit.OK


def test_file_that_says_nothing_of_the_hours_asked_for_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old.csv"
    path.write_text("start,end,value\n2020-01-01T00:00:00Z,2020-01-01T01:00:00Z,1\n")
    assert main(["tariff", str(path)]) == Exit.OK
    out, err = capsys.readouterr()
    assert out == ""
    assert "says nothing of the next 24 h" in err


@pytest.mark.parametrize(
    ("text", "expected"), [('{"price": "dear"}', "price must be a number"), (None, "No such file")]
)
def test_file_that_cannot_be_used_is_bad_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, expected: str
) -> None:
    path = tmp_path / "tariff.json"
    if text is not None:
        path.write_text(text)
    assert main(["tariff", str(path)]) == Exit.BAD_CONFIG
    assert expected in capsys.readouterr().err


def test_hours_out_of_range_are_bad_usage(tariff: Path) -> None:
    assert main(["tariff", str(tariff), "--hours", "0"]) == Exit.USAGE
