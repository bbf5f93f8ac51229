"""Fails if a node that cannot get in does not say which of its files is to blame."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from tests.certificates import Authority

from rackgrid.adapters.mqtt_login import read_password, tls_context
from rackgrid.adapters.private_file import write_new
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError

CONFIG = MqttConfig("127.0.0.1", 1883, "rack", None, None, "rackgrid")


def test_password_is_the_file_without_its_newline(tmp_path: Path) -> None:
    write_new(tmp_path / "pw", "secret word\r\n")
    assert read_password(replace(CONFIG, password_file=tmp_path / "pw")) == "secret word"


def test_password_of_systemd_is_read_in_place_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_new(tmp_path / "pw", "credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_password(replace(CONFIG, password_file=Path("/etc/rackgrid/pw"))) == "credential"


def test_no_files_are_no_password_and_no_tls() -> None:
    assert read_password(CONFIG) is None
    assert tls_context(CONFIG) is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_password_that_cannot_be_read_names_its_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "pw"
    if content is not None:
        path.touch(0o600)
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"password_file {path} cannot be read"):
        read_password(replace(CONFIG, password_file=path))


def test_certificates_that_are_none_name_their_file(tmp_path: Path) -> None:
    path = tmp_path / "ca"
    path.write_text("none")
    with pytest.raises(ConfigError, match=f"tls_ca_file {path} cannot be used"):
        tls_context(replace(CONFIG, tls_ca_file=path))


def test_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    write_new(tmp_path / "pw", "secret word")
    (tmp_path / "pw").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_password(replace(CONFIG, password_file=tmp_path / "pw"))


def test_tls_asks_for_a_certificate_that_names_the_server(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = tls_context(replace(CONFIG, tls_ca_file=authority.certificate))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_own_certificate_is_loaded_and_its_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("node")
    config = replace(
        CONFIG, tls_ca_file=authority.certificate, tls_cert_file=certificate, tls_key_file=key
    )
    assert tls_context(config) is not None
    key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        tls_context(config)
    other, _ = authority.issue("other")
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="tls_cert_file"):
        tls_context(replace(config, tls_cert_file=other))


def test_key_with_a_pass_phrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("node", pass_phrase=b"x")
    config = replace(
        CONFIG, tls_ca_file=authority.certificate, tls_cert_file=certificate, tls_key_file=key
    )
    with pytest.raises(ConfigError, match="pass phrase"):
        tls_context(config)
