"""How a node gets into its MQTT server: password, certificates, and the server that it believes."""

from __future__ import annotations

import ssl

from rackgrid.adapters.secret import others_may_read, read_secret
from rackgrid.adapters.systemd import secret_file
from rackgrid.config import MqttConfig
from rackgrid.errors import ConfigError


def read_password(config: MqttConfig) -> str | None:
    """Read the password, if there is one.

    Raises:
        ConfigError: its file cannot be read, or others can read it.
    """
    if config.password_file is None:
        return None
    return read_secret(config.password_file, "[mqtt] password_file")


def tls_context(config: MqttConfig) -> ssl.SSLContext | None:
    """Prepare TLS, if the configuration asks for it.

    The server has to show a certificate that is signed by `tls_ca_file` and names `host`; nothing
    switches that off. With `tls_cert_file` and `tls_key_file` we show one of ours.

    Raises:
        ConfigError: the certificates that it names cannot be used, or others can read our key.
    """
    if config.tls_ca_file is None:
        return None
    try:
        context = ssl.create_default_context(cafile=config.tls_ca_file)
    except OSError as error:
        raise ConfigError(
            f"[mqtt] tls_ca_file {config.tls_ca_file} cannot be used: {error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.tls_cert_file is not None and config.tls_key_file is not None:
        key = secret_file(config.tls_key_file)
        try:
            exposed = others_may_read(key)
            context.load_cert_chain(config.tls_cert_file, key, _no_password)
        except OSError as error:
            raise ConfigError(
                f"[mqtt] tls_cert_file {config.tls_cert_file} and tls_key_file {key} cannot be "
                f"used: {error}"
            ) from error
        if exposed:
            raise ConfigError(f"[mqtt] tls_key_file {key} can be read by others: chmod 600 {key}")
    return context


def _no_password() -> bytes:
    """Answer when a key asks for a pass phrase: a daemon has nobody to ask for it."""
    raise OSError("the key has a pass phrase; take it off (openssl pkey), the file is 0600")
