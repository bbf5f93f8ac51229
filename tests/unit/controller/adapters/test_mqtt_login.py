"""Fails if a node that cannot get in does not say which of its files is to blame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid.adapters.mqtt_login import read_password, tls_context
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError

CONFIG = MqttConfig("127.0.0.1", 1883, "rack", None, None, "rackgrid")


def test_password_is_the_file_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("secret word\r\n")
    assert read_password(replace(CONFIG, password_file=tmp_path / "pw")) == "secret word"


def test_password_of_systemd_is_read_in_place_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pw").write_text("credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password(replace(CONFIG, password_file=Path("/etc/rackgrid/pw"))) == "credential"


def test_no_files_are_no_password_and_no_tls() -> None:
    assert read_password(CONFIG) is None
    assert tls_context(CONFIG) is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_password_that_cannot_be_read_names_its_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "pw"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"password_file {path} cannot be read"):
        read_password(replace(CONFIG, password_file=path))


def test_certificates_that_are_none_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    path.write_text("none")
    with pytest.raises(ConfigError, match=f"tls_ca_file {path} cannot be used"):
        tls_context(replace(CONFIG, tls_ca_file=path))
