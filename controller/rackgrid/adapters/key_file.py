"""The file with the rack's keys: read, made, changed, and followed while the daemon runs.

Whoever can read it can elect itself broker, so a file that others can read is refused. It is
replaced as a whole, so that a reader sees the old keys or the new ones.

A running daemon looks at the file once a second and takes up what has changed; no signal has to be
sent, and none can be forgotten. A file that cannot be used is said once and changes nothing: the
keys that the daemon has are good until it is put right.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rackgrid.adapters.keyring import RackKey, RackKeys, parse_keys, write_keys
from rackgrid.adapters.private_file import one_at_a_time, replace_whole, write_new
from rackgrid.adapters.secret import others_may_read
from rackgrid.adapters.store import FILE_BYTES_MAX, read_whole
from rackgrid.errors import ConfigError
from rackgrid.wire.seal import KEY_BYTES

log = logging.getLogger(__name__)


def load_keys(path: Path) -> RackKeys:
    """Read the rack's keys.

    Raises:
        ConfigError: missing, unreadable, readable by others, or no keys; says where and what to do.
    """
    try:
        exposed = others_may_read(path)
        data = read_whole(path)
    except FileNotFoundError as fault:
        raise ConfigError(
            f"there is no group key at {path}: copy it from another node of the rack, or make the "
            f"rack's first one with `rackgrid key new {path}`"
        ) from fault
    except OSError as fault:
        raise ConfigError(
            f"cannot read the group key {path}: {fault.strerror}: give the file to the user that "
            f"runs rackgrid (chown), with mode 0600"
        ) from fault
    if exposed:
        raise ConfigError(f"others can read the group key: chmod 600 {path}")
    if len(data) >= FILE_BYTES_MAX:
        raise ConfigError(f"{path}:1: too long to be the keys of a rack")
    try:
        return parse_keys(data)
    except ValueError as fault:
        raise ConfigError(f"{path}:{fault}") from None


def new_group_key(path: Path) -> RackKeys:
    """Make a ring of one random key, in a file readable by its owner alone.

    Raises:
        FileExistsError: if there is a file already; it is left alone.
        OSError: if it cannot be written.
    """
    keys = RackKeys(1, (RackKey(1, secrets.token_bytes(KEY_BYTES), _now()),))
    write_new(path, write_keys(keys))
    return keys


def add_random(keys: RackKeys) -> RackKeys:
    """Accept one more key, drawn now.

    Raises:
        KeyringError: the ring is full.
    """
    return keys.adding(secrets.token_bytes(KEY_BYTES), _now())


def change_keys(path: Path, change: Callable[[RackKeys], RackKeys]) -> RackKeys:
    """Change the keys in a file, one who does so at a time; return what it holds then.

    Raises:
        ConfigError: the file cannot be used as it is.
        KeyringError: the change is refused; the file is as it was.
        OSError: it cannot be written; the file is as it was.
    """
    with one_at_a_time(path):
        before = load_keys(path)
        after = change(before)
        if after != before:
            replace_whole(path, write_keys(after))
    return after


def fingerprints(keys: RackKeys) -> str:
    """Name the keys in a line, without showing them."""
    return ", ".join(
        f"{key.number} ({key.fingerprint}{', used' if key.number == keys.use else ''})"
        for key in keys.keys
    )


class KeyWatch:
    """Follows the file with the keys."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            ConfigError: it cannot be used.
        """
        self._path = path
        self._stamp = _stamp(path)
        self.keys = load_keys(path)
        self._said = ""

    def changed(self) -> RackKeys | None:
        """Return the keys if there are others now; None else, and while the file is no good."""
        stamp = _stamp(self._path)
        if stamp == self._stamp and not self._said:
            return None
        try:
            keys = load_keys(self._path)
        except ConfigError as fault:
            if str(fault) != self._said:
                self._said = str(fault)
                log.error("the keys stay as they are: %s", fault)
            return None
        self._stamp, self._said = stamp, ""
        if keys == self.keys:
            return None
        self.keys = keys
        log.info("keys: %s", fingerprints(keys))
        return keys


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what changes with a file: None while it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode, found.st_uid


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
