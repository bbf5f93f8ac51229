"""The token: who has it may change something here, from wherever it is sent.

Without a token the API listens to changes on loopback only, where whoever asks is a user of this
machine. With one, every change needs it, *on loopback too*: behind an SSH tunnel or a reverse proxy
every stranger's request comes from 127.0.0.1, so that the address says nothing about who asks, and
a node whose owner made a token meant it to be asked for. Reading needs none.

A token is 32 random bytes in hex, or as long a text of one's own; what is shorter is refused at the
start. That length, not the limit below, is what makes guessing hopeless. The limit keeps whoever
tries all the same from filling the log: it lets the right token through at any time, since one
that does not is a switch with which any stranger locks the operator out.

Sources: RFC 6750 (bearer tokens; 2.1: in the Authorization header and nowhere else; 3: the
challenge).
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Final

from rackgrid.adapters.private_file import write_new
from rackgrid.adapters.secret import read_secret
from rackgrid.errors import ConfigError

log = logging.getLogger("rackgrid.web")

LENGTH_MIN: Final = 32
"""Shortest token, characters: 128 random bits in hex, 192 in base64."""
_DISTINCT_MIN: Final = 8
"""32 random digits hold fewer different ones once in 10^7: such a token was typed, not drawn."""
WRONG_MAX: Final = 10
"""Wrong tokens that are answered as such within `WINDOW_S`; further ones are told to wait."""
WINDOW_S: Final = 60


class Claim(Enum):
    """What a request's Authorization comes to."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"
    TOO_OFTEN = "too often"


class Token:
    """What a change must carry; it is not shown by `repr`, nor written into any log."""

    def __init__(self, text: str, clock: Callable[[], float]) -> None:
        """Ask for this token.

        Args:
            text: of the token.
            clock: monotonic, s.
        """
        self._token = text.encode()
        self._clock = clock
        self._wrong = 0
        self._since_s = clock()

    def judge(self, authorization: str | None, client: str) -> Claim:
        """Judge the value of an Authorization header.

        Args:
            authorization: as it came, or None.
            client: who sent it, for the log.
        """
        if authorization is None:
            return Claim.MISSING
        scheme, _, given = authorization.partition(" ")
        # Headers are bytes; what they are decoded by is undone, whatever stood there.
        claimed = given.strip(" ").encode("latin-1", "replace")
        if scheme.lower() == "bearer" and hmac.compare_digest(claimed, self._token):
            return Claim.GOOD
        return self._refused(client)

    def _refused(self, client: str) -> Claim:
        now_s = self._clock()
        if now_s - self._since_s >= WINDOW_S:
            self._wrong, self._since_s = 0, now_s
        self._wrong += 1
        if self._wrong == 1:
            log.warning("a wrong token was sent from %s; nothing was changed", client)
        if self._wrong == WRONG_MAX:
            log.warning("%d wrong tokens within %d s: no more are logged", WRONG_MAX, WINDOW_S)
        return Claim.TOO_OFTEN if self._wrong > WRONG_MAX else Claim.WRONG


def read_token(path: Path) -> str:
    """Read a token.

    Raises:
        ConfigError: there is none, others can read it, or it could be guessed.
    """
    text = read_secret(path, "[web] token_file")
    is_plain = text.isascii() and " " not in text
    if not is_plain or len(text) < LENGTH_MIN or len(set(text)) < _DISTINCT_MIN:
        raise ConfigError(
            f"[web] token_file {path} holds no token: it is {LENGTH_MIN} characters or more, "
            "drawn at random, as `rackgrid token new` writes them"
        )
    return text


def new_token(path: Path) -> None:
    """Make a random token, readable by its owner alone.

    Raises:
        FileExistsError: if there is a file already; it is left alone.
        OSError: if it cannot be written.
    """
    write_new(path, secrets.token_hex(32) + "\n")
