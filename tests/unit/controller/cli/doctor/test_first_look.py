"""Fails if what setup has looked at leaves out what is there, or asks for what comes later."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import put
from tests.unit.controller.cli.doctor.test_doctor import MOCK

from rackgrid.cli.doctor.examination import FAMILIES as ALL
from rackgrid.cli.doctor.first_look import FAMILIES, first_look
from rackgrid.cli.doctor.host import Host

ROOT = Path(__file__).parents[5]


def test_first_look_leaves_to_later_what_needs_a_running_node() -> None:
    later = {family.name for family in ALL} - {family.name for family in FAMILIES}
    assert later == {"services", "watchdogs", "plugs", "state", "mqtt", "rack", "peers"}


def test_first_look_tells_what_fails_and_what_to_do_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "board.toml", (ROOT / "hardware/profiles/mock-demo.toml").read_bytes())
    config = put(tmp_path, "rackgrid.toml", MOCK)
    put(tmp_path, "rack.key", "6b" * 32).chmod(0o644)
    put(tmp_path, "/sys/class/net/lo/operstate", "unknown")
    assert first_look(config, Host(tmp_path)) is False
    err = capsys.readouterr().err
    assert "FAIL key-file: others can read" in err
    assert "     do: chmod 600" in err
    assert "1 of what rackgrid doctor looked at FAILS" in err
    assert "WARN" not in err
    (tmp_path / "rack.key").chmod(0o600)
    assert first_look(config, Host(tmp_path)) is True
    assert "none fails" in capsys.readouterr().err
