"""Secrets on disk: read if nobody else can read them (`private_file` writes them).

A secret is a file of its own, readable by its owner alone, or a systemd credential of the same file
name. Never a value of the configuration, which is shown and copied; never a flag or a variable of
the environment, which `ps` and `systemctl show` tell to everyone.

A systemd credential shows the group as a reader where an access-control list lets the service user
in (systemd.exec(5)): in that folder only the rest of the world is looked at.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rackgrid.adapters.store import FILE_BYTES_MAX, read_whole
from rackgrid.adapters.systemd import secret_file
from rackgrid.errors import ConfigError


def read_secret(path: Path, key: str) -> str:
    """Read a secret: a text of one line, without the end of that line.

    Args:
        path: where the configuration says that it is; a credential of the same name comes first.
        key: that names it there, for messages: "[web] token_file".

    Raises:
        ConfigError: it is missing, unreadable, readable by others, or no line of text.
    """
    found = secret_file(path)
    try:
        exposed = others_may_read(found)
        data = read_whole(found)
    except OSError as fault:
        raise ConfigError(
            f"{key} {found} cannot be read: {fault.strerror}: give the file to the user that runs "
            "rackgrid (chown), with mode 0600, or ask as root"
        ) from fault
    if exposed:
        raise ConfigError(f"{key} {found} can be read by others: chmod 600 {found}")
    try:
        text = data.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as fault:
        raise ConfigError(
            f"{key} {found} cannot be read: it is no text; write one line into it"
        ) from fault
    if len(data) >= FILE_BYTES_MAX or not text or not text.isprintable():
        raise ConfigError(f"{key} {found} does not hold one line of text: write that into it")
    return text


def others_may_read(path: Path) -> bool:
    """Say whether anybody but the owner can read a file.

    Raises:
        OSError: it cannot be looked at.
    """
    mode = path.stat().st_mode
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    if credentials and path.resolve().is_relative_to(Path(credentials).resolve()):
        return bool(mode & stat.S_IRWXO)
    return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))
