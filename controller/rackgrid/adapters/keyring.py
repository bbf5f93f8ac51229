"""The rack's keys as a file has them: several, numbered, one of them used.

    # comment
    use 1
    key 1 <64 hex digits> 2026-03-01T12:00:00Z
    key 2 <64 hex digits> 2026-06-01T09:30:00Z
    end

The oldest key comes first. Every node accepts all of them and seals with the one that is used,
which is what a rotation needs: add, use, drop (decision 13). The number travels in each datagram.
`end` is there so that a file that is still being copied is never taken for a shorter ring.

A file that holds one bare key, 64 digits of hex or 44 characters of base64, is a ring of key 1.

No message of this module holds a key, nor any part of the line that was not understood.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from rackgrid.errors import KeyringError
from rackgrid.wire.seal import KEY_BYTES, KEYS_MAX, Keyring

NUMBER_MAX: Final = 255
HEAD: Final = "# rackgrid keys: a secret, the same on every node; changed by `rackgrid key`"
FORM: Final = (
    f"{KEY_BYTES} bytes in hex (64 digits) or base64 (44 characters) alone, or the lines `use N`, "
    "`key N HEX [TIME]` for each key, and `end`, as `rackgrid key` writes them"
)
_DISTINCT_MIN: Final = 8
"""32 random bytes hold fewer different values once in 10^40: such a key was typed, not drawn."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True, slots=True)
class RackKey:
    """One key of the rack.

    Attributes:
        number: 1 to 255, as datagrams name it.
        secret: 32 bytes; never shown.
        made: when, RFC 3339 in UTC, or "" if that was not written down.
    """

    number: int
    secret: bytes = field(repr=False)
    made: str = ""

    @property
    def fingerprint(self) -> str:
        """Eight digits that two people may compare: they say nothing of the key."""
        return blake2b(self.secret, digest_size=4, person=b"rackgrid print").hexdigest()


@dataclass(frozen=True, slots=True)
class RackKeys:
    """The keys of a rack, the oldest first, and the number of the one that is used."""

    use: int
    keys: tuple[RackKey, ...]

    @property
    def newest(self) -> RackKey:
        """The key that was added last."""
        return self.keys[-1]

    @property
    def used(self) -> RackKey:
        """The key that seals."""
        return self.key(self.use)

    def key(self, number: int) -> RackKey:
        """Return a key by its number.

        Raises:
            KeyringError: there is none.
        """
        for key in self.keys:
            if key.number == number:
                return key
        have = ", ".join(str(key.number) for key in self.keys)
        raise KeyringError(f"there is no key {number} on the ring: it holds {have}")

    def ring(self) -> Keyring:
        """Return what seals and opens."""
        return Keyring(self.use, {key.number: key.secret for key in self.keys})

    def adding(self, secret: bytes, made: str) -> RackKeys:
        """Accept one more key, which is not used yet; its number is not one of late.

        Raises:
            KeyringError: the ring is full.
        """
        if len(self.keys) >= KEYS_MAX:
            raise KeyringError(
                f"the ring holds {KEYS_MAX} keys, which is all that it may: drop one first, with "
                "`rackgrid key drop`"
            )
        taken = {key.number for key in self.keys}
        number = self.newest.number % NUMBER_MAX + 1
        while number in taken:
            number = number % NUMBER_MAX + 1
        return replace(self, keys=(*self.keys, RackKey(number, secret, made)))

    def using(self, number: int) -> RackKeys:
        """Seal with this key from now on.

        Raises:
            KeyringError: there is no such key.
        """
        return replace(self, use=self.key(number).number)

    def without(self, number: int) -> RackKeys:
        """Accept this key no longer.

        Raises:
            KeyringError: there is no such key, or it is the one that is used.
        """
        key = self.key(number)
        if number == self.use:
            raise KeyringError(f"key {number} is used: use another first, by `rackgrid key rotate`")
        return replace(self, keys=tuple(each for each in self.keys if each != key))


def write_keys(keys: RackKeys) -> str:
    """Write the file of these keys."""
    lines = (f"key {key.number} {key.secret.hex()} {key.made}".rstrip() for key in keys.keys)
    return "\n".join([HEAD, f"use {keys.use}", *lines, "end", ""])


def parse_keys(data: bytes) -> RackKeys:
    """Read what a key file holds.

    Raises:
        ValueError: it holds no keys; says the line, and what is expected there.
    """
    bare = bare_key(data)
    if bare is not None:
        return RackKeys(1, (_drawn(RackKey(1, bare)),))
    use: int | None = None
    keys: list[RackKey] = []
    ended = False
    for at, line in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if ended:
            raise ValueError(f"{at}: nothing may follow `end`")
        try:
            if words[0] == "use" and len(words) == 2 and use is None:
                use = _number(words[1])
            elif words[0] == "key" and len(words) in (3, 4):
                keys.append(_key(words, keys))
            elif words == ["end"]:
                ended = True
            else:
                raise ValueError(f"not understood; the file is {FORM}")
        except ValueError as fault:
            raise ValueError(f"{at}: {fault}") from None
    return _whole(use, keys, ended)


def bare_key(data: bytes) -> bytes | None:
    """Read a key that stands alone, in hex or base64; None if it is none."""
    text = data.strip()
    for decode in (binascii.unhexlify, _unbase64):
        try:
            key = decode(text)
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    return None


def _whole(use: int | None, keys: list[RackKey], ended: bool) -> RackKeys:
    if not keys:
        raise ValueError(f"1: no group key: it is {FORM}")
    if not ended:
        raise ValueError(f"1: `end` is missing: the file is cut off; it is {FORM}")
    if use is None:
        raise ValueError(f"1: no line says which key is used: it is {FORM}")
    if use not in {key.number for key in keys}:
        raise ValueError(f"1: key {use} is to be used, and there is no such key")
    return RackKeys(use, tuple(keys))


def _key(words: list[str], before: list[RackKey]) -> RackKey:
    number = _number(words[1])
    if any(key.number == number for key in before):
        raise ValueError(f"there is a key {number} already")
    if len(before) >= KEYS_MAX:
        raise ValueError(f"at most {KEYS_MAX} keys are accepted")
    secret = bare_key(words[2].encode())
    if secret is None:
        raise ValueError(f"a key is {KEY_BYTES} bytes in hex: 64 digits")
    made = words[3] if len(words) == 4 else ""
    if made and not _TIME.fullmatch(made):
        raise ValueError("the time of a key is written as 2026-03-01T12:00:00Z")
    return _drawn(RackKey(number, secret, made))


def _drawn(key: RackKey) -> RackKey:
    if len(set(key.secret)) < _DISTINCT_MIN:
        raise ValueError("a placeholder, not a random key: make one with `rackgrid key new`")
    return key


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and 1 <= int(word[:4]) <= NUMBER_MAX):
        raise ValueError(f"the number of a key is 1 to {NUMBER_MAX}")
    return int(word)


def _unbase64(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)
