"""`rackgrid token`."""

from pathlib import Path

import pytest

from rackgrid.adapters.web.token import read_token
from rackgrid.cli import main
from rackgrid.cli.exit import Exit


def test_token_made_is_for_its_owner_alone_and_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "api.token"
    assert main(["token", "new", str(path)]) == Exit.OK
    token = read_token(path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "token_file" in err
    assert token not in err


def test_token_is_not_made_over_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "api.token"
    main(["token", "new", str(path)])
    before = path.read_bytes()
    assert main(["token", "new", str(path)]) == Exit.FAILED
    assert path.read_bytes() == before
    assert "exists" in capsys.readouterr().err


def test_token_where_nobody_may_write_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["token", "new", str(tmp_path / "none" / "api.token")]) == Exit.FAILED
    assert "choose a folder" in capsys.readouterr().err
