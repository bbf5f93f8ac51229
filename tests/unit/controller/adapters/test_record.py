"""Fails if the record waits for a disk, grows without end, or hides what it lacks."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path

import pytest

from rackgrid.adapters import record as records
from rackgrid.adapters.record import Record
from rackgrid.audit.record import KINDS

DAY = "2026-03-01"


def line(number: int, size: int = 60) -> bytes:
    head = {"t_ns": number, "time": None, "node": "pi-1", "event": "note", "text": ""}
    bare = len(json.dumps(head))
    return json.dumps({**head, "text": "x" * (size - bare)}).encode()


def made(folder: Path, days: int = 3, day_bytes: int = 10_000) -> Record:
    return Record(folder / "record", "pi-1", days, day_bytes)


def add(record: Record, number: int, day: str | None = DAY, size: int = 100) -> None:
    record.add(line(number, size), day and f"{day}T12:00:00.000Z", number)


def kept(folder: Path, day: str = DAY) -> list[dict[str, object]]:
    return [json.loads(each) for each in (folder / f"record/{day}.jsonl").read_text().splitlines()]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "record").iterdir())


def full_disk(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_record_writes_what_waits_to_the_file_of_its_day(tmp_path: Path) -> None:
    record = made(tmp_path)
    add(record, 1)
    add(record, 2, "2026-03-02")
    add(record, 3, None)
    assert not (tmp_path / "record").exists(), "not before it is time"
    record.write()
    assert files(tmp_path) == [f"{DAY}.jsonl", "2026-03-02.jsonl", "undated.jsonl"]
    assert [each["t_ns"] for each in kept(tmp_path, "2026-03-02")] == [2]
    assert record.waiting == 0
    record.write()
    assert len(kept(tmp_path)) == 1


def test_record_that_is_started_writes_at_its_end(tmp_path: Path) -> None:
    record = made(tmp_path)
    record.start()
    add(record, 1)
    record.close()
    assert [each["t_ns"] for each in kept(tmp_path)] == [1]


def test_record_that_was_never_started_is_closed_at_once(tmp_path: Path) -> None:
    record = made(tmp_path)
    add(record, 1)
    record.close()
    assert not (tmp_path / "record").exists()


def test_record_keeps_so_many_days_and_touches_no_other_file(tmp_path: Path) -> None:
    record = made(tmp_path, days=2)
    (tmp_path / "record").mkdir()
    (tmp_path / "record/notes.jsonl").write_text("mine")
    for day in range(1, 6):
        add(record, day, f"2026-03-0{day}")
        record.write()
    assert files(tmp_path) == ["2026-03-04.jsonl", "2026-03-05.jsonl", "notes.jsonl"]


def test_record_of_a_day_ends_at_its_limit_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = made(tmp_path, day_bytes=1000)
    for number in range(12):
        add(record, number)
    record.write()
    add(record, 12)
    record.write()
    lines = kept(tmp_path)
    assert [each["event"] for each in lines] == ["note"] * 9 + ["full"]
    assert (lines[-1]["count"], record.lost, record.waiting) == (3, 4, 0)
    assert len(caplog.messages) == 1
    assert "record_mb" in caplog.text
    again = made(tmp_path, day_bytes=1000)
    add(again, 13)
    again.write()
    assert len(kept(tmp_path)) == 10, "a new start does not say it again in the file"
    add(again, 14, "2026-03-02")
    again.write()
    assert len(kept(tmp_path, "2026-03-02")) == 1, "another day is another file"


def test_record_without_a_date_begins_anew_when_it_is_full(tmp_path: Path) -> None:
    record = made(tmp_path, day_bytes=1000)
    for number in range(12):
        add(record, number, None)
    record.write()
    add(record, 12, None)
    record.write()
    assert [each["t_ns"] for each in kept(tmp_path, "undated")] == [12]
    assert len(kept(tmp_path, "undated-1")) == 10


def test_record_on_a_full_disk_complains_once_keeps_its_lines_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    record = made(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        for number in range(3):
            add(record, number)
            record.write()
    assert record.waiting == 3
    assert sum("No space left" in message for message in caplog.messages) == 1
    record.write()
    assert [each["t_ns"] for each in kept(tmp_path)] == [0, 1, 2]
    assert "is written again" in caplog.messages[-1]


def test_record_takes_back_what_a_full_disk_took_half_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if lines are in the record twice, once of them torn."""
    record, write, calls = made(tmp_path), os.write, [0]

    def half(number: int, text: bytes) -> int:
        calls[0] += 1
        return write(number, text[: len(text) // 2]) if calls[0] == 1 else full_disk()

    add(record, 1)
    add(record, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        record.write()
    assert (tmp_path / f"record/{DAY}.jsonl").read_bytes() == b""
    record.write()
    assert [each["t_ns"] for each in kept(tmp_path)] == [1, 2]


def test_record_that_gave_lines_up_says_how_many_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "WAITING_MAX", 500)
    record = made(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_disk)
        for number in range(9):
            add(record, number)
        record.write()
    assert (record.waiting, record.lost) == (5, 4)
    record.write()
    lines = kept(tmp_path)
    assert [each["event"] for each in lines] == ["lost"] + ["note"] * 5
    assert (lines[0]["count"], lines[0]["t_ns"]) == (4, 3)
    assert {str(each["event"]) for each in lines} <= KINDS
    add(record, 9)
    record.write()
    assert [each["event"] for each in kept(tmp_path)].count("lost") == 1


def test_record_ends_a_line_that_was_torn(tmp_path: Path) -> None:
    folder = tmp_path / "record"
    folder.mkdir()
    (folder / f"{DAY}.jsonl").write_text('{"torn": ')
    record = made(tmp_path)
    add(record, 1)
    record.write()
    text = (folder / f"{DAY}.jsonl").read_text().splitlines()
    assert (text[0], json.loads(text[1])["t_ns"]) == ('{"torn": ', 1)


def test_record_whose_folder_cannot_be_made_complains_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "record").write_text("in the way")
    record = made(tmp_path)
    add(record, 1)
    record.write()
    assert record.waiting == 1
    assert "lines wait in memory" in caplog.text


def test_record_whose_disk_stalls_does_not_keep_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(records, "JOIN_S", 0.05)
    reading, writing = os.pipe()

    def stalled(*_: object) -> int:
        os.read(reading, 9)
        return full_disk()

    record = made(tmp_path)
    monkeypatch.setattr(os, "write", stalled)
    record.start()
    add(record, 1)
    record.close()
    assert "the disk stalls" in caplog.text
    os.close(writing)
    record._thread.join(5)
    assert not record._thread.is_alive()
    os.close(reading)
