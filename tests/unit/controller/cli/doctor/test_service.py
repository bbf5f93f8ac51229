"""Fails if a rung of the fail-safe ladder that systemd holds can be missing and nobody says so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world

from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.service import CHECKS, Facts, judge, look, seconds, unit
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid_firmware import safe
from rackgrid_firmware.pin_table import stamp_of, write_table
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.safe_pins import table_of

ROOT = Path(__file__).parents[5]
PROFILE = ROOT / "hardware" / "profiles" / "pi-relay4.toml"
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
FIRMWARE = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "Result": "success",
    "WatchdogUSec": "2s",
    "ExecStopPost": f"{{ path={sys.executable} ; argv[]=python -I -m rackgrid_firmware.safe "
    "/etc/rackgrid/board.toml ; ignore_errors=no }",
    "Environment": "LG_WD=/run/rackgrid-firmware",
    "WorkingDirectory": "/run/rackgrid-firmware",
    "NRestarts": "0",
}
CONTROLLER = {**FIRMWARE, "WatchdogUSec": "10s", "ExecStopPost": ""}
ABSENT = {"LoadState": "not-found", "ActiveState": "inactive"}
NO_BUS = Unknown("systemctl ended with 1")
SOUND = Facts(
    firmware=FIRMWARE,
    controller=CONTROLLER,
    needs_units=True,
    profile_path=Path("/etc/rackgrid/board.toml"),
    table="7 7",
    stamp="7 7",
)


def firmware(**change: str) -> dict[str, str]:
    return {**FIRMWARE, **change}


def service_worlds(code: str, key: str) -> list[World]:
    """Both units are judged alike."""

    def changed(grade: Grade, says: str, **change: str) -> World:
        return world(code, grade, says, **{key: firmware(**change)})

    return [
        world(code, PASS, "runs and is enabled"),
        changed(FAIL, "watchdog", ActiveState="failed", Result="watchdog"),
        changed(WARN, "systemctl enable", UnitFileState="disabled"),
        changed(WARN, "systemctl start", ActiveState="inactive"),
        changed(WARN, "restarted 9 times", NRestarts="9"),
        world(code, WARN, "systemd/README.md", **{key: ABSENT}),
        world(code, SKIP, "a mock", **{key: ABSENT}, needs_units=Unknown("a mock")),
        world(code, SKIP, "ended with 1", **{key: NO_BUS}),
    ]


WORLDS = [
    *service_worlds("firmware-unit", "firmware"),
    *service_worlds("controller-unit", "controller"),
    world("service-watchdog", PASS, "after 2 s"),
    world("service-watchdog", FAIL, "never", firmware=firmware(WatchdogUSec="0")),
    world("service-watchdog", FAIL, "never", firmware=firmware(WatchdogUSec="infinity")),
    world("service-watchdog", FAIL, "after 30 s", firmware=firmware(WatchdogUSec="30s")),
    world("service-watchdog", WARN, "controller", controller=firmware(WatchdogUSec="0")),
    world(
        "service-watchdog",
        PASS,
        "after 2 s",
        controller=firmware(WatchdogUSec="0", ActiveState="inactive"),
    ),
    world(
        "service-watchdog",
        SKIP,
        "does not run",
        firmware=firmware(WatchdogUSec="0", ActiveState="inactive"),
    ),
    world("service-watchdog", SKIP, "not installed", firmware=ABSENT),
    world("service-watchdog", SKIP, "ended with 1", firmware=NO_BUS),
    world("fail-safe-helper", PASS, "makes the outputs safe"),
    world("fail-safe-helper", FAIL, "no ExecStopPost", firmware=firmware(ExecStopPost="")),
    world(
        "fail-safe-helper",
        FAIL,
        "is not there",
        firmware=firmware(ExecStopPost="{ path=/no/python ; argv[]=x rackgrid_firmware.safe }"),
    ),
    world("fail-safe-helper", FAIL, "another board", profile_path=Path("/srv/board.toml")),
    world("fail-safe-helper", SKIP, "not installed", firmware=ABSENT),
    world("fail-safe-helper", SKIP, "ended with 1", firmware=NO_BUS),
    world("profile-in-force", PASS, "as it is now"),
    world("profile-in-force", WARN, "systemctl restart", stamp="8 8"),
    world("profile-in-force", SKIP, "no firmware", table=Unknown("no firmware")),
    world("profile-in-force", SKIP, "no profile", stamp=Unknown("no profile")),
    world("lgpio-directory", PASS, "below /run"),
    world(
        "lgpio-directory",
        FAIL,
        "LG_WD",
        firmware=firmware(Environment="", WorkingDirectory="/"),
    ),
    world("lgpio-directory", PASS, "below /run", firmware=firmware(Environment="")),
    world("lgpio-directory", SKIP, "not installed", firmware=ABSENT),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_services_are_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2s", 2), ("1min 30s", 90), ("500ms", 0.5), ("0", 0), ("infinity", 0), ("", 0), ("1h", 3600)],
)
def test_seconds_reads_what_systemd_writes(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_look_asks_systemd_and_compares_the_table_with_the_profile(tmp_path: Path) -> None:
    board = put(tmp_path, "/etc/rackgrid/board.toml", PROFILE.read_bytes())
    table = tmp_path / safe.TABLE.lstrip("/")
    table.parent.mkdir(parents=True)
    write_table(str(table), table_of(load_profile(PROFILE), b"of another day"))
    asked: list[str] = []

    def run(argv: Sequence[str]) -> str:
        asked.append(argv[2])
        return "LoadState=loaded\nExecStopPost=one\nExecStopPost=two\nno sense\n"

    facts = look(
        case_in(
            tmp_path,
            host=Host(tmp_path, run),
            profile=load_profile(PROFILE),
            profile_path=Path("/etc/rackgrid/board.toml"),
        )
    )
    assert asked == ["rackgrid-firmware.service", "rackgrid.service"]
    assert facts.firmware == {"LoadState": "loaded", "ExecStopPost": "one two", "no sense": ""}
    assert facts.stamp == stamp_of(board.read_bytes())
    assert facts.table == stamp_of(b"of another day")


def test_look_at_a_table_that_is_none_or_damaged_knows_nothing(tmp_path: Path) -> None:
    none = look(case_in(tmp_path)).table
    assert isinstance(none, Unknown)
    assert "no firmware of this boot" in none.reason
    put(tmp_path, safe.TABLE, "rackgrid-pins 9")
    bad = look(case_in(tmp_path)).table
    assert isinstance(bad, Unknown)
    assert "cannot be read" in bad.reason


def test_shipped_units_are_sound(tmp_path: Path) -> None:
    """What the doctor asks of a unit, the shipped ones have."""
    lines = (ROOT / "systemd" / "rackgrid-firmware.service").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    shipped = {key: value for key, _, value in pairs}
    found = {
        **FIRMWARE,
        "WatchdogUSec": f"{shipped['WatchdogSec']}s",
        "ExecStopPost": shipped["ExecStopPost"],
        "Environment": shipped["Environment"],
        "WorkingDirectory": shipped["WorkingDirectory"],
    }
    codes = {"service-watchdog", "fail-safe-helper", "lgpio-directory"}
    found_ill = [
        each
        for each in judge(replace(SOUND, firmware=found))
        if each.code in codes and each.grade is not PASS
    ]
    assert not found_ill
    assert unit(Host(tmp_path, lambda _: NO_BUS), "x") is NO_BUS
