from __future__ import annotations

import io
import socket
from pathlib import Path

import pytest

from rackgrid.adapters.key_file import load_keys
from rackgrid.cli import main, setup
from rackgrid.cli.doctor import first_look
from rackgrid.cli.exit import Exit
from rackgrid.config_file import load_config

Capture = pytest.CaptureFixture[str]
LOOK = first_look.first_look


def is_well(_config: Path) -> bool:
    return True


@pytest.fixture(autouse=True)
def no_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Pi, nobody at a terminal, and a node that is well, whatever machine this is."""
    monkeypatch.setattr(setup, "MODEL", tmp_path / "no-model")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(first_look, "first_look", is_well)


class Terminal(io.StringIO):
    """Somebody who answers line by line."""

    def isatty(self) -> bool:
        return True


def token_of(folder: Path, capsys: Capture) -> str:
    capsys.readouterr()
    assert main(["key", "token", "--config", str(folder / "rackgrid.toml")]) == Exit.OK
    out, err = capsys.readouterr()
    assert out.strip() not in err
    assert "whoever has it can switch loads" in err
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_first_node_has_a_good_configuration_and_a_private_key(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "node"
    assert main(["setup", "--dir", str(folder), "--node", "pi-1", "--expect", "3"]) == Exit.OK
    out, err = capsys.readouterr()
    config = load_config(folder / "rackgrid.toml")
    assert (config.node.name, config.rack.expect, config.rack.interface) == ("pi-1", 3, "lo")
    assert [load.kind for load in config.loads] == ["required", "flexible", "flexible"]
    assert (folder / "rack.key").stat().st_mode & 0o777 == 0o600
    assert "Next: rackgrid run --config" in err
    secret = load_keys(folder / "rack.key").used.secret.hex()
    assert secret not in out + err
    assert secret not in (folder / "rackgrid.toml").read_text()


def test_second_node_joins_by_one_token_from_stdin(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    first = ["--rack", "shed", "--capacity", "42.5", "--expect", "2"]
    assert main(["setup", "--dir", str(one), *first]) == Exit.OK
    token = token_of(one, capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO(token))
    assert main(["setup", "--dir", str(two), "--node", "pi-2", "--join", "-"]) == Exit.OK
    a, b = load_config(one / "rackgrid.toml"), load_config(two / "rackgrid.toml")
    assert (b.rack.name, b.rack.expect, b.feed.capacity_w) == ("shed", 2, 42.5)
    assert (b.rack.group, b.rack.port) == (a.rack.group, a.rack.port)
    assert load_keys(two / "rack.key") == load_keys(one / "rack.key")
    assert (two / "rack.key").stat().st_mode & 0o777 == 0o600
    out, err = capsys.readouterr()
    assert token.strip() not in out + err


def test_token_in_a_file_must_be_for_its_owner_alone(tmp_path: Path, capsys: Capture) -> None:
    main(["setup", "--dir", str(tmp_path / "one")])
    file = tmp_path / "token"
    file.write_text(token_of(tmp_path / "one", capsys))
    file.chmod(0o644)
    words = ["setup", "--dir", str(tmp_path / "two"), "--join", str(file)]
    assert main(words) == Exit.FAILED
    assert f"chmod 600 {file}" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()
    file.chmod(0o600)
    assert main(words) == Exit.OK


def test_token_as_an_argument_is_refused_and_not_repeated(tmp_path: Path, capsys: Capture) -> None:
    main(["setup", "--dir", str(tmp_path / "one")])
    token = token_of(tmp_path / "one", capsys).strip()
    assert main(["setup", "--dir", str(tmp_path / "two"), "--join", token]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert "`--join -`" in err
    assert token[20:40] not in out + err
    assert not (tmp_path / "two").exists()


def test_nothing_that_is_there_is_overwritten(tmp_path: Path, capsys: Capture) -> None:
    main(["setup", "--dir", str(tmp_path)])
    before = contents(tmp_path)
    assert main(["setup", "--dir", str(tmp_path), "--node", "other", "--capacity", "9"]) == Exit.OK
    assert contents(tmp_path) == before
    assert "stays as it is" in capsys.readouterr().err


def test_node_with_another_rack_s_key_is_left_alone(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    main(["setup", "--dir", str(one)])
    main(["setup", "--dir", str(two)])
    before = contents(two)
    monkeypatch.setattr("sys.stdin", io.StringIO(token_of(one, capsys)))
    assert main(["setup", "--dir", str(two), "--join", "-"]) == Exit.FAILED
    assert "other keys than the token" in capsys.readouterr().err
    assert contents(two) == before


@pytest.mark.parametrize("text", ["", "hello", "rackgrid-join-1.AAAA"])
def test_token_that_is_none_writes_nothing(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert main(["setup", "--dir", str(tmp_path / "x"), "--join", "-"]) == Exit.FAILED
    assert "token" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_name_that_cannot_be_is_a_finding_with_its_line(tmp_path: Path, capsys: Capture) -> None:
    words = ["setup", "--dir", str(tmp_path), "--rack", 'a"\nexpect = 9']
    assert main(words) == Exit.BAD_CONFIG
    assert "rackgrid.toml:4: [rack] name" in capsys.readouterr().err


def test_pi_without_a_board_is_told_what_it_needs(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    monkeypatch.setattr(setup, "MODEL", model)
    folder = tmp_path / "node"
    assert main(["setup", "--dir", str(folder), "--capacity", "60"]) == Exit.USAGE
    assert "--board" in capsys.readouterr().err
    assert contents(folder) == {}
    words = ["setup", "--dir", str(folder), "--board", "pi-relay4"]
    assert main(words) == Exit.USAGE
    assert "--capacity" in capsys.readouterr().err
    assert contents(folder) == {}
    assert main([*words, "--capacity", "60", "--no-doctor"]) == Exit.OK
    err = capsys.readouterr().err
    assert "Next: rackgrid doctor" in err
    assert "FAIL" not in err


def test_node_that_is_not_fit_to_run_is_said_to_be_so(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if an installation that cannot work looks like one that does."""
    monkeypatch.setattr(first_look, "first_look", LOOK)
    words = ["setup", "--dir", str(tmp_path), "--interface", "no-such-if"]
    assert main(words) == Exit.FAILED
    err = capsys.readouterr().err
    assert "FAIL interface: there is no interface no-such-if" in err
    assert "     do: correct interface in [rack]" in err
    assert "run rackgrid doctor again" in err
    assert main([*words, "--no-doctor"]) == Exit.OK
    assert "FAIL" not in capsys.readouterr().err


def test_node_that_was_set_up_is_what_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Path] = []
    monkeypatch.setattr(first_look, "first_look", looked_at.append)
    assert main(["setup", "--dir", str(tmp_path)]) == Exit.FAILED, "it says nothing good of it"
    assert looked_at == [tmp_path / "rackgrid.toml"]


def test_person_at_a_terminal_is_asked_what_no_flag_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("pi-7\n\nboat\n33\n"))
    assert main(["setup", "--dir", str(tmp_path)]) == Exit.OK
    config = load_config(tmp_path / "rackgrid.toml")
    found = (config.node.name, config.rack.interface, config.rack.name, config.feed.capacity_w)
    assert found == ("pi-7", "lo", "boat", 33)


@pytest.mark.parametrize(
    ("host", "name"), [("Pi-4.lan", "pi-4"), ("ü", "node"), ("A" * 40, "a" * 24)]
)
def test_node_is_named_after_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert main(["setup", "--dir", str(tmp_path)]) == Exit.OK
    assert load_config(tmp_path / "rackgrid.toml").node.name == name


def test_interface_is_the_one_of_the_default_route(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = tmp_path / "route"
    monkeypatch.setattr(setup, "ROUTES", routes)
    assert setup.default_interface() == "eth0"
    routes.write_text("Iface Destination Gateway\nwlan0 0000FEA9 0\nend0 00000000 0102A8C0\n")
    assert setup.default_interface() == "end0"


def test_folder_that_may_not_be_written_says_so(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "file").touch()
    assert main(["setup", "--dir", str(tmp_path / "file" / "x")]) == Exit.FAILED
    assert "choose another --dir" in capsys.readouterr().err
