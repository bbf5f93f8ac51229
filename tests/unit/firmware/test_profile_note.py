"""Fails if a meter grows old, or was never calibrated, and its owner is not told."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_note import profile_notes

BOARD = '[board]\nname = "b"\ndriver = "{driver}"\nbase_w = 4\n'
PLAIN = '[[meter]]\nname = "plain"\naddress = 0x40\n'
DONE = """\
[[meter]]
name = "done"
address = 0x41
calibrated = "{day}"
uncertainty_percent = 0.2
uncertainty_a = 0.001
"""


def notes(folder: Path, text: str, today: str = "2026-11-26") -> list[str]:
    path = folder / "board.toml"
    path.write_text(text)
    found = profile_notes(path, load_profile(path), date.fromisoformat(today))
    return [str(note).removeprefix(str(path)) for note in found]


def test_meter_without_a_calibration_is_noted_with_what_it_is_worth(tmp_path: Path) -> None:
    assert notes(tmp_path, BOARD.format(driver="pi") + PLAIN) == [
        ':5: [[meter]] "plain": not calibrated, so by its datasheet and shunt good to 1.6 % and '
        "2.3 mA: rackgrid meter calibrate plain"
    ]


@pytest.mark.parametrize(
    ("today", "said"),
    [
        ("2026-11-26", ""),
        ("2027-11-26", ""),
        ("2027-11-27", "calibrated 366 days ago"),
        ("2026-11-25", "calibrated in the future"),
    ],
)
def test_calibration_of_more_than_a_year_or_of_tomorrow_is_noted_at_its_line(
    tmp_path: Path, today: str, said: str
) -> None:
    found = notes(tmp_path, BOARD.format(driver="pi") + DONE.format(day="2026-11-26"), today)
    if said:
        (note,) = found
        assert note.startswith(':8: [[meter]] "done": ' + said)
    else:
        assert found == []


def test_chips_of_a_mock_board_need_no_calibration(tmp_path: Path) -> None:
    assert notes(tmp_path, BOARD.format(driver="mock") + PLAIN) == []


def test_soft_feed_is_told_with_what_a_meter_is_worth(tmp_path: Path) -> None:
    """0.05 ohm and at most 2 A: 0.1 V."""
    text = BOARD.format(driver="pi") + PLAIN + "amps_max = 2\nfeed_ohms = 0.05\n"
    (note,) = notes(tmp_path, text)
    assert "up to 0.10 V less than it reads" in note


def test_feed_of_a_load_that_pulses_has_to_be_known(tmp_path: Path) -> None:
    meter = DONE.format(day="2026-11-26")
    pwm = '[[output]]\nname = "fan"\npwm = 12\nnominal_w = 5\nmeter = "done"\n'
    (note,) = notes(tmp_path, BOARD.format(driver="pi") + meter + pwm)
    assert '"done": output "fan" pulses' in note
    assert "feed_ohms" in note
    assert notes(tmp_path, BOARD.format(driver="pi") + meter + "feed_ohms = 0.02\n" + pwm) == []


@pytest.mark.parametrize(
    ("ohms", "said"), [("0.1", "sees 0.819 A, which is less at any voltage"), ("0.01", "")]
)
def test_shunt_that_is_too_large_for_what_is_behind_it_is_noted(
    tmp_path: Path, ohms: str, said: str
) -> None:
    meter = f'[[meter]]\nname = "m"\ndriver = "ina226"\naddress = 0x40\nshunt_ohms = {ohms}\n'
    output = (
        '[[output]]\nname = "pump"\ngpio = 17\nactive_high = true\nnominal_w = 60\nmeter = "m"\n'
    )
    found = notes(tmp_path, BOARD.format(driver="pi") + meter + output)
    assert [note for note in found if "outputs behind" in note and said in note] == (
        found[1:] if said else []
    )
