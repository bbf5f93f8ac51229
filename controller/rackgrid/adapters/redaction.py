"""Taking secrets out of what is handed to others.

Two nets, since each has holes that the other has not. What is *known* to be secret, because a file
holds it that the configuration names, is taken out wherever it stands, in any of its spellings.
What only *looks* like a secret is taken out by its looks: a key, a join token, a password in a URL
or beside a name such as `password`. That errs on the side of taking out too much.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

GONE: Final = "(secret)"
_WORD_MIN: Final = 16
"""A word of a secret file that is as long as this is no ordinary word."""
_SHORT: Final = 6
"""A secret shorter than this is taken out only where it stands alone, or nothing could be read."""

_NAMES = r"[\w-]*(?:password|passwd|secret|token|api[_-]?key|apikey|authorization)"
_BESIDE = rf"(?i)(?<![\w-])({_NAMES}[\"']?\s*[=:]\s*)"
_URL = re.compile(r"https?://[^\s\"'<>]+")
_LOOKS: Final = (
    (re.compile(r"rackgrid-join-1\.[\w-]*"), GONE),
    (re.compile(r"(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])"), GONE),
    (re.compile(r"(://)[^/\s\"'@]+@"), rf"\1{GONE}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {GONE}"),
    # In a quoted text the quotes stay, so that TOML and JSON can still be read.
    (re.compile(rf"{_BESIDE}([\"'])[^\n]*?(?<!\\)\2"), rf"\1\2{GONE}\2"),
    (re.compile(rf"{_BESIDE}(?![\"'(])[^\s,&#}}\"']+"), rf"\1{GONE}"),
)


class Redactor:
    """Takes out what it knows to be secret, and what looks like it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Know these secrets, each in its usual spellings."""
        known = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one may be a part of another.
        parts = [
            re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in sorted(known, key=len, reverse=True)
        ]
        self._known = re.compile("|".join(parts)) if parts else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        if self._known is not None:
            text = self._known.sub(GONE, text)
        text = _URL.sub(lambda found: without_query(found[0]), text)
        for look, gone in _LOOKS:
            text = look.sub(gone, text)
        return text


def without_query(url: str) -> str:
    """Return a URL without what its query says: many servers take their key there."""
    return re.sub(r"([?&][^=&#]*=)[^&#]*", rf"\1{GONE}", url)


def secrets_in(text: str) -> set[str]:
    """Say what is secret in a file that is: the whole, each line, and each word that is a long one.

    What stands after a colon, as in the header of a request, is secret by itself.
    """
    lines = [line.strip() for line in text.splitlines() if not line.startswith("#")]
    after = [line.partition(":")[2].strip() for line in lines]
    words = [word for line in lines for word in line.split() if len(word) >= _WORD_MIN]
    return {part for part in (text.strip(), *lines, *after, *words) if len(part) > 2}


def _forms(secret: str) -> Iterable[str]:
    """Spell a secret as a file, a URL, an HTTP login and a program may have it."""
    data = secret.encode()
    spelled = {secret, quote(secret, safe=""), secret.encode("unicode_escape").decode()}
    spelled |= {base64.b64encode(data).decode().rstrip("="), data.hex()}
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        return spelled
    coded = {
        base64.b64encode(key).decode(),
        base64.urlsafe_b64encode(key).decode(),
        repr(key)[2:-1],
    }
    return spelled | {form.rstrip("=") for form in coded} | {secret.upper()}
