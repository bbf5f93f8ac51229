"""The join token: all that a further node needs to know of a rack, in one line that can be pasted.

    rackgrid-join-1.<base64url of JSON, then 4 bytes of its BLAKE2b hash>

It carries the keys, so it is a secret like the key file; the head is there so that a person, and
a program that looks for leaked secrets, knows one on sight. The hash is no protection: it tells a
token that was cut off while it was copied from a whole one.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from rackgrid.adapters.keyring import RackKeys, parse_keys, write_keys
from rackgrid.errors import KeyringError

HEAD: Final = "rackgrid-join-1."
TOKEN_MAX: Final = 4096
"""Longest token, characters."""
_CHECK_BYTES: Final = 4
_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "rack": (str,),
    "group": (str,),
    "port": (int,),
    "expect": (int,),
    "capacity_w": (int, float),
    "currency": (str,),
    "keys": (str,),
}


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What a node says of its rack; `config_file` judges the values when they are written down.

    Attributes:
        rack: its name.
        group, port: where nodes meet.
        expect: nodes heard before a first broker.
        capacity_w: of the feed, W.
        currency: of prices.
        keys: of the rack; never shown.
    """

    rack: str
    group: str
    port: int
    expect: int
    capacity_w: float
    currency: str
    keys: RackKeys


def write_token(token: JoinToken) -> str:
    """Write the token, one line."""
    content = {
        "rack": token.rack,
        "group": token.group,
        "port": token.port,
        "expect": token.expect,
        "capacity_w": token.capacity_w,
        "currency": token.currency,
        "keys": write_keys(token.keys),
    }
    body = json.dumps(content, separators=(",", ":")).encode()
    return HEAD + base64.urlsafe_b64encode(body + _check(body)).decode().rstrip("=")


def parse_token(text: str) -> JoinToken:
    """Read a token.

    Raises:
        KeyringError: it is none, or not a whole one; shows nothing of it.
    """
    word = text.strip()
    if not word.startswith(HEAD):
        raise KeyringError(
            f"that is no join token: it begins with {HEAD!r}, as `rackgrid key token` prints it"
        )
    if len(word) > TOKEN_MAX:
        raise KeyringError("that is no join token: it is too long")
    coded = word[len(HEAD) :]
    try:
        data = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if _check(body) != check:
        raise KeyringError(
            "the join token is damaged: it is one long line; copy all of it, or print it again "
            "with `rackgrid key token`"
        )
    try:
        return _token(json.loads(body))
    except (ValueError, RecursionError):
        raise KeyringError(
            "the join token is from another version of rackgrid: install the same on both nodes"
        ) from None


def _token(content: object) -> JoinToken:
    if not isinstance(content, dict):
        raise ValueError("no object")
    found: dict[str, object] = {str(key): value for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    for name, kinds in _FIELDS.items():
        if not isinstance(found.get(name), kinds) or isinstance(found.get(name), bool):
            raise ValueError(name)
    rack, group, currency, keys = (found[n] for n in ("rack", "group", "currency", "keys"))
    port, expect, capacity_w = found["port"], found["expect"], found["capacity_w"]
    assert isinstance(rack, str) and isinstance(group, str) and isinstance(currency, str)  # noqa: PT018
    assert isinstance(keys, str) and isinstance(port, int) and isinstance(expect, int)  # noqa: PT018
    assert isinstance(capacity_w, int | float)
    ring = parse_keys(keys.encode())
    return JoinToken(rack, group, port, expect, float(capacity_w), currency, ring)


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES, person=b"rackgrid join").digest()
