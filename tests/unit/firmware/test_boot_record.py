"""Fails if what another boot wrote, or nobody of ours, is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.boot_record import BootRecord, kernel_boot_id


def record_of(folder: Path, boot_id: str = "boot-a") -> BootRecord:
    return BootRecord(folder / "it.json", boot_id, "fans")


def test_record_is_read_again_and_again_and_taken_once(tmp_path: Path) -> None:
    assert record_of(tmp_path).read() is None
    record_of(tmp_path).write({"fan": 1})
    record_of(tmp_path).write({"fan": 2})
    assert record_of(tmp_path).read() == record_of(tmp_path).take() == {"fan": 2}
    assert record_of(tmp_path).take() is None
    assert list(tmp_path.iterdir()) == []


def test_record_of_another_boot_says_nothing_and_is_gone_once_taken(tmp_path: Path) -> None:
    record_of(tmp_path).write({"fan": 1})
    assert record_of(tmp_path, "boot-b").read() is None
    assert record_of(tmp_path, "boot-b").take() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["", "[]", "[" * 100_000, '{"boot_id": "boot-a"}', '{"boot_id": "boot-a", "fans": 5}'],
    ids=["empty", "array", "deep", "nothing", "number"],
)
def test_record_that_is_not_ours_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.json").write_text(text)
    assert record_of(tmp_path).read() is None


def test_record_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        record_of(tmp_path / "nowhere").write({})


def test_kernel_boot_id_is_the_same_twice() -> None:
    assert kernel_boot_id() == kernel_boot_id() != ""
