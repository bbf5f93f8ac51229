"""Fails if a meter that is off passes, or one that keeps its word fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering
from tests.unit.controller.cli.meter.bench import bench

from rackgrid.adapters.view_json import rack_state
from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid.core.view import MeterView

METER = MeterView("feed", 12.0, 1.02, 12.24, 5.0, "fresh", 0.015, 0.2, 1.6, "")


def of(meter: MeterView) -> Daemon:
    return Daemon(body=json.dumps(rack_state(replace(VIEW, meters=(meter,)))).encode())


@pytest.mark.parametrize(
    ("reference", "accuracy", "passes"),
    [
        ("1.01", [], True),
        ("1.04", [], False),
        ("1.0", [], False),
        ("1.0", ["--reference-accuracy", "1.5%"], True),
    ],
)
def test_daemon_s_meter_passes_within_what_both_sides_say_of_themselves(
    capsys: pytest.CaptureFixture[str], reference: str, accuracy: list[str], passes: bool
) -> None:
    words = ["meter", "verify", "feed", "--reference", reference, "--samples", "2", *accuracy]
    with answering(of(METER)) as daemon:
        code = main([*words, "--api", daemon.api])
        assert main([*words, "--api", daemon.api, "--json"]) == code
    assert code == (Exit.OK if passes else Exit.FAILED)
    line, report = capsys.readouterr().out.splitlines()
    assert line.startswith("PASS" if passes else "FAIL")
    assert json.loads(report)["verdict"] == line[:4]
    assert json.loads(report)["error_a"] == pytest.approx(1.02 - float(reference))


def test_verify_takes_as_many_samples_as_it_was_told(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(of(METER)) as daemon:
        main(["meter", "verify", "feed", "--reference", "1", "--samples", "3", "--api", daemon.api])
    assert daemon.asked == ["GET /api/state"] * 3


def test_fail_says_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    for calibrated, said in (("", "correct shunt_ohms"), ("2026-11-26", "on 2026-11-26")):
        with answering(of(replace(METER, calibrated=calibrated))) as daemon:
            words = ["meter", "verify", "feed", "--reference", "2", "--samples", "1"]
            assert main([*words, "--api", daemon.api]) == Exit.FAILED
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("meter", "said"),
    [
        (replace(METER, quality="saturated"), "saturated: take a smaller current"),
        (replace(METER, quality="stale"), "stale: check its wiring"),
        (replace(METER, uncertainty_a=None), "nobody knows how good"),
        (replace(METER, name="other"), "no meter 'feed'; it has: other"),
    ],
)
def test_meter_that_cannot_be_judged_fails_with_the_reason(
    capsys: pytest.CaptureFixture[str], meter: MeterView, said: str
) -> None:
    with answering(of(meter)) as daemon:
        words = ["meter", "verify", "feed", "--reference", "1", "--samples", "1"]
        assert main([*words, "--api", daemon.api]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_accuracy_that_is_none_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["meter", "verify", "feed", "--reference", "1", "--reference-accuracy", "3"]
    assert main(words) == Exit.USAGE
    assert "'3' is no accuracy" in capsys.readouterr().err


def test_chip_is_verified_where_no_firmware_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with bench(tmp_path) as desk:
        desk.set(1.0)
        words = ["meter", "verify", "load", *desk.words, "--samples", "10", "--reference"]
        assert main([*words, "1.0"]) == Exit.OK
        assert main([*words, "1.1"]) == Exit.FAILED
        desk.set(2.0)
        assert main([*words, "2.0"]) == Exit.FAILED
    assert "saturated: take a smaller current" in capsys.readouterr().err


KERNEL = """\
[board]
name = "b"
driver = "pi"
base_w = 4

[[meter]]
name = "k"
driver = "hwmon"
path = "{path}"
calibrated = "2026-11-26"
uncertainty_percent = 0.4
uncertainty_a = 0.003
"""


@pytest.mark.parametrize(("milliamps", "verdict"), [(2, "PASS"), (60, "FAIL")])
def test_calibrated_meter_of_a_kernel_driver_is_verified_at_zero(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], milliamps: int, verdict: str
) -> None:
    """Fails if a calibration of such a meter does not reach what is said of it."""
    shown = tmp_path / "hwmon1"
    shown.mkdir()
    for name, value in (("name", "ina226"), ("in1_input", 12_000), ("curr1_input", milliamps)):
        (shown / name).write_text(f"{value}\n")
    board = tmp_path / "board.toml"
    board.write_text(KERNEL.format(path=shown))
    where = ["--profile", str(board), "--firmware", str(tmp_path / "firmware.sock")]
    words = ["meter", "verify", "k", "--reference", "0", "--samples", "2", "--json"]
    assert main([*words, *where]) == (Exit.OK if verdict == "PASS" else Exit.FAILED)
    report = json.loads(capsys.readouterr().out)
    assert report["verdict"] == verdict
    assert report["calibrated"] == "2026-11-26"
    assert 0.003 <= report["uncertainty_a"] < 0.005
    assert main(["meter", "read", "--json", *where]) == Exit.OK
    (read,) = json.loads(capsys.readouterr().out)
    assert read["calibrated"] == "2026-11-26"
    assert read["uncertainty_w"] > 0
