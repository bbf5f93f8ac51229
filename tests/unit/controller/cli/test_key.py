import stat
from pathlib import Path

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit


def test_new_key_is_for_its_owner_alone_and_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rack.key"
    assert main(["key", "new", str(path)]) == Exit.OK
    out, err = capsys.readouterr()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().strip() not in out + err
    assert str(path) in err


def test_two_new_keys_differ(tmp_path: Path) -> None:
    first, second = tmp_path / "1.key", tmp_path / "2.key"
    assert main(["key", "new", str(first)]) == main(["key", "new", str(second)]) == Exit.OK
    assert first.read_bytes() != second.read_bytes()


def test_new_key_never_overwrites_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rack.key"
    path.write_text("the old one")
    assert main(["key", "new", str(path)]) == Exit.FAILED
    assert path.read_text() == "the old one"
    assert "exists" in capsys.readouterr().err


def test_new_key_in_a_folder_that_is_not_there_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "new", str(tmp_path / "none" / "rack.key")]) == Exit.FAILED
    assert "No such file or directory" in capsys.readouterr().err
