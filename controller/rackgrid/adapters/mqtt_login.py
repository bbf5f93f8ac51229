"""How a node gets into its MQTT server: the password's file and the certificates it trusts."""

from __future__ import annotations

import ssl

from rackgrid.adapters.systemd import secret_file
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError


def read_password(config: MqttConfig) -> str | None:
    """Read the password, if there is one.

    Raises:
        ConfigError: its file cannot be read.
    """
    if config.password_file is None:
        return None
    path = secret_file(config.password_file)
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"[mqtt] password_file {path} cannot be read: {error}") from error


def tls_context(config: MqttConfig) -> ssl.SSLContext | None:
    """Prepare TLS, if the configuration asks for it.

    Raises:
        ConfigError: the certificates that it names cannot be used.
    """
    if config.tls_ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=config.tls_ca_file)
    except OSError as error:
        raise ConfigError(
            f"[mqtt] tls_ca_file {config.tls_ca_file} cannot be used: {error}"
        ) from error
