"""The shipped units, judged by systemd itself.

Only the paths of the executables are rewritten (nothing is installed in /opt here); every other
line is verified as shipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rackgrid_firmware import safe

pytestmark = pytest.mark.systemd

SHIPPED = Path(__file__).parents[2] / "systemd"
UNITS = ("rackgrid-firmware.service", "rackgrid.service")
PREFIX = "/opt/rackgrid/venv"
EXPOSURE_MAX = 2.0


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def settings(unit: str) -> dict[str, list[str]]:
    """Read a unit: every value of every key, in order."""
    found: dict[str, list[str]] = {}
    for line in (SHIPPED / unit).read_text().splitlines():
        if line and line[0] not in "#[;":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def words(name: str) -> list[list[str]]:
    """Read a configuration of one record per line."""
    lines = (SHIPPED / name).read_text().splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Both units, with executables that exist."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("rackgrid", "rackgrid-firmware", "python"):
        (programs / name).symlink_to("/bin/true")
    for unit in UNITS:
        text = (SHIPPED / unit).read_text()
        (tmp_path / unit).write_text(text.replace(PREFIX, str(tmp_path / "venv")))
    return tmp_path


@pytest.mark.parametrize("unit", UNITS)
def test_unit_verified_by_systemd_is_clean(installed: Path, unit: str) -> None:
    done = run("systemd-analyze", "verify", "--man=no", str(installed / unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_unit_with_a_mistake_is_not_clean(installed: Path) -> None:
    # Without this, a verify that looked at nothing would pass the test above.
    unit = installed / UNITS[0]
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystme=strict"))
    done = run("systemd-analyze", "verify", "--man=no", str(unit))
    assert "ProtectSystme" in done.stdout + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_unit_scored_for_security_is_tight(unit: str) -> None:
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", str(SHIPPED / unit))
    score = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert score is not None, done.stderr
    assert float(score[1]) <= EXPOSURE_MAX


def test_firmware_has_devices_and_no_network() -> None:
    unit = settings("rackgrid-firmware.service")
    assert unit["PrivateNetwork"] == ["yes"]
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert unit["DevicePolicy"] == ["closed"]
    assert unit["DeviceAllow"] == ["char-i2c rw", "char-gpiochip rw"]
    # PrivateDevices= would hide the chips, ProcSubset= the board's model.
    assert not {"PrivateDevices", "ProcSubset"} & set(unit)


def test_controller_has_network_and_no_devices() -> None:
    unit = settings("rackgrid.service")
    assert unit["PrivateDevices"] == ["yes"]
    assert unit["DevicePolicy"] == ["closed"]
    assert "DeviceAllow" not in unit
    assert "AF_INET" in unit["RestrictAddressFamilies"][0].split()


def test_firmware_ends_safe_however_it_ends() -> None:
    unit = settings("rackgrid-firmware.service")
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["2"]
    assert unit["WatchdogSignal"] == ["SIGKILL"]
    assert "rackgrid_firmware.safe" in unit["ExecStopPost"][0]
    assert unit["RuntimeDirectoryPreserve"] == ["yes"], "the helper's table outlives a stop"
    assert f"--runtime {safe.RUNTIME}" in unit["ExecStart"][0], "where the helper looks for it"
    assert unit["ExecStopPost"][0].endswith(safe.PROFILE)
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]


def test_controller_is_watched_and_not_bound_to_the_firmware() -> None:
    unit = settings("rackgrid.service")
    assert unit["Type"] == ["notify"]
    assert unit["WatchdogSec"] == ["10"]
    assert unit["RestartPreventExitStatus"] == ["78"]
    assert unit["Wants"] == ["rackgrid-firmware.service"]
    assert "rackgrid-firmware.service" in unit["After"][0].split()
    # Bound to it, a restart of one would stop the other, and blink every load.
    assert not {"BindsTo", "Requires", "Requisite", "PartOf", "PropagatesStopTo"} & set(unit)


def test_commands_are_the_ones_that_the_package_installs() -> None:
    firmware = settings("rackgrid-firmware.service")
    controller = settings("rackgrid.service")
    assert firmware["ExecStart"][0].startswith(
        f"{PREFIX}/bin/rackgrid-firmware --profile /etc/rackgrid/board.toml"
        " --socket /run/rackgrid/firmware.sock --runtime /run/rackgrid-firmware"
    )
    assert controller["ExecStart"] == [
        f"{PREFIX}/bin/rackgrid run --config /etc/rackgrid/rackgrid.toml"
    ]
    scripts = (SHIPPED.parent / "pyproject.toml").read_text()
    assert 'rackgrid = "' in scripts
    assert 'rackgrid-firmware = "' in scripts


@pytest.mark.parametrize("unit", UNITS)
def test_users_and_groups_of_the_units_are_made_by_sysusers(unit: str) -> None:
    records = words("sysusers.d/rackgrid.conf")
    made = {record[1] for record in records if record[0] in "ug"}
    unit_settings = settings(unit)
    assert set(unit_settings["User"] + unit_settings["Group"]) <= made
    groups = [
        group for value in unit_settings.get("SupplementaryGroups", []) for group in value.split()
    ]
    assert set(groups) <= made
    members = {(record[1], record[2]) for record in records if record[0] == "m"}
    assert {(unit_settings["User"][0], group) for group in groups} <= members


@pytest.mark.parametrize("unit", UNITS)
def test_shared_directory_is_writable_in_both_sandboxes(unit: str) -> None:
    assert settings(unit)["ReadWritePaths"] == ["/run/rackgrid"]
    (line,) = [
        record for record in words("tmpfiles.d/rackgrid.conf") if record[1] == "/run/rackgrid"
    ]
    # Both write (0770), neither removes the other's (sticky), the group is inherited (setgid).
    assert line == ["d", "/run/rackgrid", "3770", "root", "rackgrid", "-"]


def test_sysusers_understands_its_file(tmp_path: Path) -> None:
    if shutil.which("systemd-sysusers") is None:
        pytest.skip("needs systemd-sysusers: sudo apt install systemd")
    (tmp_path / "etc").mkdir()
    done = run(
        "systemd-sysusers", f"--root={tmp_path}", str(SHIPPED / "sysusers.d" / "rackgrid.conf")
    )
    if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip(f"needs root to write users below a root of its own: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    users = (tmp_path / "etc" / "passwd").read_text()
    assert "rackgrid:" in users
    assert "rackgrid-firmware:" in users
    groups = dict(
        line.split(":", 1) for line in (tmp_path / "etc" / "group").read_text().splitlines()
    )
    for group in ("i2c", "gpio", "rackgrid"):
        assert groups[group].endswith("rackgrid-firmware")
