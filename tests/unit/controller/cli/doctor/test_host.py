"""Fails if a probe can hang, raise, or read another machine's files for this one's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.unit.controller.cli.doctor.judged import put

from rackgrid.cli.doctor import host as module
from rackgrid.cli.doctor.host import Host, run_command
from rackgrid.cli.doctor.unknown import Unknown


def said(result: str | Unknown) -> str:
    assert isinstance(result, Unknown)
    return result.reason


def test_command_that_answers_is_read() -> None:
    assert run_command([sys.executable, "-c", "print('yes')"]) == "yes\n"


def test_command_that_fails_is_no_answer_and_its_last_words_are_kept() -> None:
    program = "import sys; print('first', file=sys.stderr); sys.exit('last')"
    assert said(run_command([sys.executable, "-c", program])).endswith("ended with 1: last")


def test_command_that_is_not_there_is_no_answer() -> None:
    assert said(run_command(["no-such-command"])) == "no-such-command is not installed"


def test_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_S", 0.05)
    program = "import sys; sys.stdin.readline(); import select; select.select([], [], [])"
    assert "has not answered" in said(run_command([sys.executable, "-c", program]))


def test_files_are_read_below_the_root(tmp_path: Path) -> None:
    put(tmp_path, "/proc/device-tree/model", b"Raspberry Pi 5\0")
    put(tmp_path, "/dev/gpiochip4", "")
    host = Host(tmp_path)
    assert host.text("/proc/device-tree/model") == "Raspberry Pi 5"
    assert host.has("/dev/gpiochip4")
    assert host.glob("/dev/gpiochip*") == [Path("/dev/gpiochip4")]
    assert said(host.text("/etc/os-release")) == "there is no /etc/os-release"
    assert "cannot be read" in said(host.text("/dev"))
    assert not host.is_this
    assert Host().is_this
