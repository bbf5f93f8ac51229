from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from rackgrid.adapters.key_file import load_keys
from rackgrid.cli import bundle, main
from rackgrid.cli.exit import Exit

Capture = pytest.CaptureFixture[str]
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("rackgrid.cli.setup.MODEL", tmp_path / "no-model")
    monkeypatch.setattr(bundle, "_journal", lambda: "nothing was logged\n")
    assert main(["setup", "--dir", str(tmp_path / "node"), "--no-doctor"]) == Exit.OK
    return tmp_path / "node" / "rackgrid.toml"


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        return {
            member.name.removeprefix("rackgrid-bundle/"): file.read().decode()
            for member in tar.getmembers()
            if (file := tar.extractfile(member)) is not None
        }


def test_bundle_has_what_a_helper_needs_and_no_key(config: Path, capsys: Capture) -> None:
    output = config.parent / "b.tar.gz"
    words = ["bundle", "--config", str(config), "--api", NOBODY, "--output", str(output)]
    capsys.readouterr()
    assert main(words) == Exit.OK
    out, err = capsys.readouterr()
    assert out == f"{output}\n"
    assert "not in it: api-state.json" in err
    assert output.stat().st_mode & 0o777 == 0o600
    found = contents(output)
    kept = {"about.json", "rackgrid.toml", "board.toml", "doctor.json", "keys.json", "journal.txt"}
    assert kept <= set(found)
    keys = load_keys(config.parent / "rack.key")
    assert keys.used.fingerprint in found["keys.json"]
    assert not any(keys.used.secret.hex() in text for text in found.values())
    about = json.loads(found["about.json"])
    assert about["versions"]["rackgrid"]
    assert any(line.startswith("api-state.json: ") for line in about["missing"])
    assert json.loads(found["doctor.json"])["checks"]


def test_bundle_of_a_broken_configuration_says_what_is_wrong_and_no_secret(
    config: Path, capsys: Capture
) -> None:
    with config.open("a") as file:
        file.write('[mqtt]\nhost = "h"\npassword = "CANARY-inline"\npassword_file = "pw"\n')
    (config.parent / "pw").write_text("CANARY-file\n")
    output = config.parent / "b.tar.gz"
    words = ["bundle", "--config", str(config), "--api", NOBODY, "--output", str(output)]
    assert main(words) == Exit.OK
    found = contents(output)
    assert "password" in found["config-check.txt"]
    assert not any("CANARY" in text for text in found.values())
    said = capsys.readouterr()
    assert "CANARY" not in said.out + said.err
    assert main(["config", "check", str(config)]) == Exit.BAD_CONFIG
    said = capsys.readouterr()
    assert "CANARY" not in said.out + said.err


def test_bundle_without_a_configuration_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "_journal", lambda: "")
    output = tmp_path / "b.tar.gz"
    words = ["bundle", "--config", str(tmp_path / "none.toml"), "--output", str(output)]
    assert main([*words, "--api", NOBODY]) == Exit.OK
    about = json.loads(contents(output)["about.json"])
    assert any(line.startswith("rackgrid.toml: ") for line in about["missing"])


def test_bundle_overwrites_nothing(config: Path, capsys: Capture) -> None:
    output = config.parent / "b.tar.gz"
    output.write_text("mine")
    words = ["bundle", "--config", str(config), "--api", NOBODY, "--output", str(output)]
    assert main(words) == Exit.FAILED
    assert output.read_text() == "mine"
    assert "not overwritten" in capsys.readouterr().err
    words[-1] = str(config.parent / "none" / "b.tar.gz")
    assert main(words) == Exit.FAILED
    assert "choose another place" in capsys.readouterr().err


def test_secret_that_may_not_be_read_is_said(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        if path.name == "rack.key":
            raise PermissionError(13, "Permission denied")
        return path.read_text()

    monkeypatch.setattr(bundle, "_read", refuse)
    missing: list[str] = []
    bundle.known_secrets(config, missing)
    assert any("rack.key" in line and "run it as root" in line for line in missing)
