"""`rackgrid ledger`: sums of the daemon, rows and their proof from the file."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_rack import START_NS, account
from tests.unit.controller.adapters.test_ledger_store import KERNEL, SECOND_NS, rows
from tests.unit.controller.cli.daemon import Daemon, answering

from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid.market.balance import ELECTRONICS, FEED


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Three rows of the fan, from 2026-03-01T12:00:00Z on."""
    path = tmp_path / "ledger.db"
    store = open_ledger(path)
    store.append(rows("fan", 3), KERNEL, 1_772_366_400 * SECOND_NS)
    store.close()
    return path


def test_show_asks_the_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    fan: dict[str, object] = {
        "load": "fan",
        "energy_wh": 1.5,
        "cost": 0.25,
        "currency": "EUR",
        "unpriced_wh": 0.5,
    }
    fan |= {"granted_wh": 2.0, "taken_wh": 1.25}
    body = json.dumps({"accounts": [fan]}).encode()
    with answering(Daemon(body=body)) as daemon:
        assert main(["ledger", "show", "--api", daemon.api]) == Exit.OK
        assert main(["ledger", "show", "--json", "--api", daemon.api]) == Exit.OK
    out = capsys.readouterr().out
    assert daemon.asked == ["GET /api/ledger"] * 2
    first, rest = out.split("\n", 1)
    assert " ".join(first.split()) == (
        "fan 1.500 Wh 0.250000 EUR 1.250 of 2.000 Wh granted (0.500 Wh without a price)"
    )
    assert json.loads(rest) == [fan]


def test_show_before_anything_was_booked_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(Daemon(body=b'{"accounts": []}')) as daemon:
        assert main(["ledger", "show", "--api", daemon.api]) == Exit.OK
    assert "nothing has been booked" in capsys.readouterr().err


def test_days_say_what_was_granted_and_what_was_drawn_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if the energy of a row that nobody knows the grant of counts as drawn of a grant."""
    path = tmp_path / "ledger.db"
    store = open_ledger(path)
    first, second, third, fourth = rows("fan", 4)
    told = [first, *(replace(each, granted_mj=3_600_000) for each in (second, third)), fourth]
    midnight_ns = 1_772_323_200 * SECOND_NS
    store.append([*told, *rows("bell", 1)], KERNEL, midnight_ns - 2 * SECOND_NS)
    store.append(rows("lamp", 1), "undated", None)
    store.close()
    asked = ["ledger", "days", "--file", str(path)]
    assert main([*asked, "--json"]) == Exit.OK
    found = json.loads(capsys.readouterr().out)
    assert [(each["day"], each["load"], each["granted_wh"]) for each in found] == [
        (None, "lamp", None),
        ("2026-02-28", "bell", None),
        ("2026-02-28", "fan", 1.0),
        ("2026-03-01", "fan", 1.0),
    ]
    taken_mj = [second.energy_mj, third.energy_mj]
    assert [round(each["taken_wh"] * 3_600_000) for each in found[2:]] == taken_mj
    assert round(found[3]["energy_wh"] * 3_600_000) == third.energy_mj + fourth.energy_mj
    assert main(asked) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("undated    lamp")
    assert lines[3].endswith("0.000 of 1.000 Wh granted")
    assert main([*asked, "--until", "2026-01-01"]) == Exit.OK
    assert "nothing has been booked in that time" in capsys.readouterr().err


def test_export_as_csv_and_as_json_lines_say_the_same(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "export", "--file", str(ledger)]) == Exit.OK
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main(["ledger", "export", "--jsonl", "--file", str(ledger)]) == Exit.OK
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(table) == len(lines) == 3
    assert lines[1]["start"] == "2026-03-01T12:00:01.000Z"
    assert lines[2]["cost"] is None
    for cells, line in zip(table, lines, strict=True):
        assert cells == {key: "" if value is None else str(value) for key, value in line.items()}


def test_export_of_a_span_has_the_rows_that_began_in_it(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ["--since", "2026-03-01T12:00:01Z", "--until", "2026-03-01T13:00:02+01:00"]
    assert main(["ledger", "export", "--jsonl", "--file", str(ledger), *span]) == Exit.OK
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["start"] == "2026-03-01T12:00:01.000Z"


def test_export_since_no_date_is_bad_usage(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "export", "--file", str(ledger), "--since", "noon"]) == Exit.USAGE
    assert "not a date: 'noon'" in capsys.readouterr().err


def test_verify_says_that_all_adds_up_and_gives_the_hash_to_keep(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "verify", "--file", str(ledger)]) == Exit.OK
    out, err = capsys.readouterr()
    assert out == ""
    assert "all adds up; the newest hash is" in err


def test_verify_fails_for_a_row_that_was_changed(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(ledger) as file:
        file.execute("UPDATE entry SET energy_mj = energy_mj + 1 WHERE id = 2")
    file.close()
    assert main(["ledger", "verify", "--file", str(ledger)]) == Exit.FAILED
    assert "row 2, of fan" in capsys.readouterr().out
    assert main(["ledger", "verify", "--json", "--file", str(ledger)]) == Exit.FAILED
    assert len(json.loads(capsys.readouterr().out)["findings"]) >= 2


def test_verify_says_what_it_could_not_check(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "verify", "--file", str(ledger)]) == Exit.OK
    assert "not checked: the balance of the rack" in capsys.readouterr().err
    assert main(["ledger", "verify", "--rack", "--json", "--file", str(ledger)]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert said["rack"]["hours"] == 0
    assert any("hours are not booked by all nodes" in each for each in said["unchecked"])
    assert said["last_hash"] == said["last_hashes"][str(ledger)]


def test_verify_of_a_rack_takes_the_ledgers_of_all_its_nodes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fails if a rack whose feed gives more than its loads draw can pass."""
    files = list[str]()
    for name, accounts in {
        "a": [account(ELECTRONICS, 1), account("fan", 10), account(FEED, 31)],
        "b": [account(ELECTRONICS, 1), account("lamp", 18)],
    }.items():
        store = open_ledger(tmp_path / f"{name}.db")
        store.append([row for rows in accounts for row in rows], KERNEL, START_NS)
        store.close()
        files += ["--file", str(tmp_path / f"{name}.db")]
    assert main(["ledger", "verify", "--rack", *files]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out.count("differ by +1.000 Wh") == 2
    assert "hours 2, energy_wh 60.0, loss_wh 2.0" in err
    assert main(["ledger", "verify", *files]) == Exit.OK
    assert f"the newest hash of {files[3]} is" in capsys.readouterr().err


def test_verify_says_where_the_ledger_before_a_damaged_one_ended(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sqlite3.connect(ledger) as file:
        file.execute("UPDATE entry SET energy_mj = energy_mj + 1 WHERE id = 2")
        (last_hash,) = file.execute("SELECT hash FROM batch").fetchone()
    file.close()
    open_ledger(ledger).close()
    assert main(["ledger", "verify", "--file", str(ledger)]) == Exit.OK
    err = capsys.readouterr().err
    assert "it goes on from ledger.db.bad, which was damaged" in err
    assert last_hash.hex() in err


def test_show_says_what_was_saved_and_earned(capsys: pytest.CaptureFixture[str]) -> None:
    job: dict[str, object] = {"load": "job", "energy_wh": 1.5, "cost": 0.25, "currency": "EUR"}
    job |= {"saving": 0.125, "revenue": 1.0, "profit": 0.75}
    with answering(Daemon(body=json.dumps({"accounts": [job]}).encode())) as daemon:
        assert main(["ledger", "show", "--api", daemon.api]) == Exit.OK
    out = " ".join(capsys.readouterr().out.split())
    assert out.endswith("EUR saving 0.125000 revenue 1.000000 profit 0.750000")


def test_ledger_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "verify", "--file", str(tmp_path / "none.db")]) == Exit.FAILED
    assert "there is no ledger at" in capsys.readouterr().err
