"""Fails if a missing or broken file ends the examination, or another one is read in its place."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.unit.controller.cli.daemon import Daemon, answering
from tests.unit.controller.cli.doctor.judged import put

from rackgrid.cli.doctor.case import gather
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

ROOT = Path(__file__).parents[5]
BOARD = (ROOT / "hardware/profiles/pi-relay4.toml").read_text()
RACK = (ROOT / "systemd/rackgrid.toml").read_text()


def files(folder: Path, rack: str = RACK, board: str = BOARD) -> Path:
    put(folder, "board.toml", board)
    return put(folder, "rackgrid.toml", rack)


def test_both_files_are_read_and_compared() -> None:
    with TemporaryDirectory() as made:  # a short name: a socket's path must fit 107 bytes
        folder = Path(made)
        case = gather(Host(folder), files(folder), None)
        assert not isinstance(case.config, Unknown)
        assert not isinstance(case.profile, Unknown)
        assert case.profile_path == folder / "board.toml"
        assert case.is_real
        assert (case.faults, case.firmware_runs) == ((), False)


def test_usual_files_are_found_below_the_root(tmp_path: Path) -> None:
    files(tmp_path / "etc" / "rackgrid")
    case = gather(Host(tmp_path), None, None)
    assert not isinstance(case.config, Unknown)
    assert not isinstance(case.profile, Unknown)


def test_no_files_at_all_are_no_mistake(tmp_path: Path) -> None:
    case = gather(Host(tmp_path), None, None)
    assert case.config == Unknown("there is no /etc/rackgrid/rackgrid.toml: give one with --config")
    assert case.profile == Unknown("no board profile at /etc/rackgrid/board.toml")
    assert case.faults == ()
    assert not case.is_real
    assert case.why_not_real == "no board profile at /etc/rackgrid/board.toml"


def test_file_that_was_named_and_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    case = gather(Host(tmp_path), tmp_path / "none.toml", None)
    assert isinstance(case.config, Unknown)
    assert "No such file" in str(case.faults[0])
    case = gather(Host(tmp_path), None, tmp_path / "none.toml")
    assert isinstance(case.profile, Unknown)
    assert "No such file" in str(case.faults[0])


def test_file_that_is_not_there_is_not_said_to_have_mistakes(tmp_path: Path) -> None:
    """Nor is a profile that nobody named."""
    none = tmp_path / "none.toml"
    case = gather(Host(tmp_path), none, None)
    assert case.config == Unknown(f"{none} cannot be read: see config-sound")
    assert case.profile == Unknown(
        f"{none} names no board profile that could be read: see config-sound"
    )
    case = gather(Host(tmp_path), None, none)
    assert case.profile == Unknown(f"{none} cannot be read: see config-sound")


def test_files_named_from_the_working_directory_are_known_by_their_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    case = gather(Host(), None, Path("board.toml"))
    assert case.profile_path == tmp_path / "board.toml"
    assert case.host.has(case.profile_path)
    case = gather(Host(), Path("rackgrid.toml"), None)
    assert case.profile_path == tmp_path / "board.toml"


def test_profile_alone_is_examined_without_a_configuration(tmp_path: Path) -> None:
    case = gather(Host(tmp_path), None, put(tmp_path, "b.toml", BOARD))
    assert isinstance(case.config, Unknown)
    assert not isinstance(case.profile, Unknown)
    assert case.profile_path == tmp_path / "b.toml"


def test_mistakes_of_one_file_leave_the_other_to_be_examined(tmp_path: Path) -> None:
    case = gather(Host(tmp_path), files(tmp_path, RACK.replace("120.0", '"120"')), None)
    assert case.config == Unknown(f"{tmp_path}/rackgrid.toml has mistakes: see config-sound")
    assert not isinstance(case.profile, Unknown)
    assert case.profile_path == tmp_path / "board.toml"
    assert len(case.faults) == 1
    broken = gather(Host(tmp_path), files(tmp_path, board=BOARD.replace("gpio", "gpoi")), None)
    assert isinstance(broken.profile, Unknown)
    assert broken.profile.reason == f"{tmp_path}/board.toml has mistakes: see config-sound"


def test_mock_board_is_not_real(tmp_path: Path) -> None:
    profile = ROOT / "hardware/profiles/mock-demo.toml"
    case = gather(Host(tmp_path), None, profile)
    assert not case.is_real
    assert case.why_not_real == "the board mock-demo is a mock one"


@pytest.mark.parametrize("change", ["enabled = false", "port = 0"])
def test_daemon_without_a_known_port_is_not_asked(tmp_path: Path, change: str) -> None:
    rack = RACK.replace("port = 8470", "")
    case = gather(Host(), files(tmp_path, rack.replace("[web]", f"[web]\n{change}")), None)
    assert isinstance(case.state, Unknown)
    assert "no port of its own" in case.state.reason


def test_daemon_is_asked_where_the_configuration_says(tmp_path: Path) -> None:
    with answering(Daemon()) as daemon:
        port = daemon.api.rpartition(":")[2]
        case = gather(Host(), files(tmp_path, RACK.replace("port = 8470", f"port = {port}")), None)
    assert daemon.asked == ["GET /api/state"]
    assert not isinstance(case.state, Unknown)
    assert case.state.text("rack") == "demo"
    gone = gather(Host(), tmp_path / "rackgrid.toml", None)
    assert isinstance(gone.state, Unknown)
    assert "does not answer" in gone.state.reason


def test_another_machines_daemon_is_not_asked(tmp_path: Path) -> None:
    with answering(Daemon()) as daemon:
        port = daemon.api.rpartition(":")[2]
        rack = RACK.replace("port = 8470", f"port = {port}")
        case = gather(Host(tmp_path), files(tmp_path, rack), None)
    assert daemon.asked == []
    assert isinstance(case.state, Unknown)


def test_firmware_that_takes_a_knock_runs_and_what_it_left_does_not(tmp_path: Path) -> None:
    node = f'board = "board.toml"\nruntime_dir = "{tmp_path}"'
    config = files(tmp_path, RACK.replace('board = "board.toml"', node))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as firmware:
        firmware.bind(str(tmp_path / "firmware.sock"))
        firmware.listen()
        assert gather(Host(), config, None).firmware_runs is True
    assert gather(Host(), config, None).firmware_runs is False


def test_firmware_behind_what_is_no_socket_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    node = f'board = "board.toml"\nruntime_dir = "{tmp_path}/run"'
    config = files(tmp_path, RACK.replace('board = "board.toml"', node))
    assert isinstance(gather(Host(), config, None).firmware_runs, Unknown)
