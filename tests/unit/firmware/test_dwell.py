"""Fails if dwell that is not of this boot, or no dwell at all, is taken for what an output did."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid_firmware.device import Verdict
from rackgrid_firmware.dwell import DwellFile
from rackgrid_firmware.link import OutputState

FAN = OutputState("fan", True, 7, 0, 0, "held", Verdict.UNKNOWN)


@pytest.fixture
def dwell(tmp_path: Path) -> DwellFile:
    return DwellFile(tmp_path / "dwell.json", "boot-a")


def test_dwell_is_taken_once(dwell: DwellFile) -> None:
    dwell.write((FAN,))
    assert dwell.take() == {"fan": (True, 7)}
    assert dwell.take() is None


def test_dwell_of_another_boot_says_nothing(dwell: DwellFile, tmp_path: Path) -> None:
    dwell.write((FAN,))
    assert DwellFile(tmp_path / "dwell.json", "boot-b").take() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"boot_id": "boot-a"}',
        '{"boot_id": "boot-a", "outputs": 5}',
        '{"boot_id": "boot-a", "outputs": {"fan": [true]}}',
        '{"boot_id": "boot-a", "outputs": {"fan": [true, "x"]}}',
        '{"boot_id": "boot-a", "outputs": {"fan": [true, Infinity]}}',
    ],
)
def test_dwell_file_that_is_not_ours_says_nothing(
    dwell: DwellFile, tmp_path: Path, text: str
) -> None:
    (tmp_path / "dwell.json").write_text(text)
    assert dwell.take() is None
