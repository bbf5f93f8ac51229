"""Secrets on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from rackgrid.adapters.private_file import write_new
from rackgrid.adapters.secret import read_secret
from rackgrid.errors import ConfigError


def test_secret_is_a_line_without_its_end(tmp_path: Path) -> None:
    path = tmp_path / "x.password"
    write_new(path, "hunter 2\r\n")
    assert read_secret(path, "[mqtt] password_file") == "hunter 2"


@pytest.mark.parametrize("data", [b"", b"\n", b"two\nlines", b"\xff", b"x" * 5000, b"a\x00b"])
def test_secret_that_is_no_line_is_refused_and_not_repeated(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.password"
    path.touch(0o600)
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"\[mqtt\] password_file") as caught:
        read_secret(path, "[mqtt] password_file")
    assert "xxx" not in str(caught.value)
    assert "two" not in str(caught.value)


def test_secret_of_a_credential_comes_first_and_may_be_its_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # systemd.exec(5): an access-control list lets the service user in, and shows as the group's r.
    folder = tmp_path / "credentials"
    folder.mkdir()
    passed = folder / "x.password"
    passed.write_text("passed")
    passed.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert read_secret(tmp_path / "x.password", "key") == "passed"
    passed.chmod(0o444)
    with pytest.raises(ConfigError, match="read by others"):
        read_secret(tmp_path / "x.password", "key")
