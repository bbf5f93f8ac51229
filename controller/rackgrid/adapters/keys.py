"""A node's identity: a secret of its own on its disk (the rack's is in `key_file`).

The identity is an Ed25519 key pair, made at the first start. Its public half names the node: the
node id is 64 bits of its hash, so nobody hands out numbers, and a node can sign what it says
(`signing`). Making one needs `cryptography`, which takes a Pi a second to import and 10 MB to keep;
so it is made once, in a process of its own, both halves are stored, and every start reads a line of
text.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from rackgrid.adapters.private_file import write_new
from rackgrid.adapters.secret import others_may_read
from rackgrid.adapters.store import read_whole
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId

log = logging.getLogger(__name__)

IDENTITY_FILE: Final = "identity"
_HEAD: Final = "rackgrid-identity 1"
_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is."""

    node_id: NodeId
    public_key: bytes


def node_id_of(public_key: bytes) -> NodeId:
    """Return the id that a public key gives: the first 64 bits of its BLAKE2b-512 hash."""
    return NodeId(int.from_bytes(blake2b(public_key).digest()[:8], "big"))


def load_identity(state_dir: Path) -> Identity:
    """Read who this node is; at the first start, make it so.

    Raises:
        StoreError: if the identity cannot be read, trusted or kept.
    """
    path = state_dir / IDENTITY_FILE
    try:
        if not path.exists():
            _make_elsewhere(state_dir)
        _, public = _read_identity(path)
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise StoreError(
            f"cannot keep this node's identity in {path}: {fault.strerror}: give {state_dir} to "
            "the user that runs rackgrid, and make the disk writable"
        ) from fault
    return Identity(node_id_of(public), public)


def load_private_key(state_dir: Path) -> bytes:
    """Read the private half, 32 bytes: for the process that signs, and nobody else.

    Raises:
        StoreError: if there is none, or it cannot be read or trusted.
    """
    path = state_dir / IDENTITY_FILE
    try:
        return _read_identity(path)[0]
    except OSError as fault:
        if isinstance(fault, StoreError):
            raise
        raise StoreError(
            f"cannot read this node's private key in {path}: {fault.strerror}: it is made at the "
            "daemon's first start; give it to the user that runs rackgrid"
        ) from fault


def _make_elsewhere(state_dir: Path) -> None:
    """Make the identity in a process that ends, so that the daemon never holds the library."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    argv = [sys.executable, "-m", __name__, str(state_dir)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StoreError(f"cannot make this node's identity in {state_dir}: {lines[-1]}")


def _make_identity(path: Path) -> None:
    # Imported here: only a node's first start pays for it.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    while True:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        if node_id_of(public) != 0:  # 0 is nobody
            break
    seed = private.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )
    try:
        write_new(path, _identity_text(seed, public))
    except FileExistsError:
        log.info("another process made %s first", path)
    else:
        log.info("made this node's identity: %016x", node_id_of(public))


def _identity_text(seed: bytes, public: bytes) -> str:
    body = f"{_HEAD}\nprivate {seed.hex()}\npublic {public.hex()}\n"
    return f"{body}check {blake2b(body.encode(), digest_size=8).hexdigest()}\n"


def _read_identity(path: Path) -> tuple[bytes, bytes]:
    """Return the private and the public half."""
    if others_may_read(path):
        raise StoreError(
            f"{path} holds this node's private key and others can read it: chmod 600 {path}"
        )
    text = read_whole(path).decode("ascii", "replace")
    words = text.split()
    try:
        seed, public = bytes.fromhex(words[3]), bytes.fromhex(words[5])
    except (IndexError, ValueError):
        seed, public = b"", b""
    if len(seed) != _SEED_BYTES or text != _identity_text(seed, public):
        raise StoreError(
            f"{path} is damaged: restore it from a backup; or delete it together with "
            f"{path.parent}/terms.*, and the node starts as a new one (the rack keeps the old "
            "one's floor reserved until `rackgrid forget`)"
        )
    return seed, public


if __name__ == "__main__":
    _make_identity(Path(sys.argv[1]) / IDENTITY_FILE)
