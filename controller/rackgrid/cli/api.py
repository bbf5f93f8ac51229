"""Asking a running daemon, through the API of its node.

Which daemon: the one that `--api` names, or else the one whose `rackgrid.toml` this is. A proxy
that the environment may name is passed over: the daemon is on this machine or on this LAN.

What changes something may need the node's token. It is read from the file that `rackgrid.toml` or
`--token-file` names, never from a flag or the environment, sent along only with what changes
something, only to the daemon that was meant (a redirection does not take it elsewhere), and only
where nobody can listen: over https, or within this machine.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from rackgrid.errors import RackgridError

if TYPE_CHECKING:
    from rackgrid.config import Config

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")
DEFAULT_API = "http://127.0.0.1:8470"
ANSWER_MAX = 4_000_000
"""Longest answer, bytes."""
TIMEOUT_S = 5.0


class UnreachableError(RackgridError):
    """Nobody answers there."""


class RefusedError(RackgridError):
    """Somebody answers, and not with what was asked for."""


@dataclass(frozen=True, slots=True)
class Record:
    """An object of the answer: another version of the daemon may leave things out."""

    fields: dict[str, object]

    def text(self, key: str) -> str:
        """Return a text that a terminal can take, or "" if there is none.

        Names come from other machines: what is not printable could move the cursor or worse.
        """
        value = self.fields.get(key)
        if not isinstance(value, str):
            return ""
        return "".join(each if each.isprintable() else "?" for each in value)

    def number(self, key: str) -> float | None:
        """Return a number, or None if there is none."""
        value = self.fields.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value

    def flag(self, key: str) -> bool:
        """Return whether it is true."""
        return self.fields.get(key) is True

    def record(self, key: str) -> Record:
        """Return the object inside; an empty one if there is none."""
        value = self.fields.get(key)
        return Record(value if is_object(value) else {})

    def records(self, key: str) -> list[Record]:
        """Return the objects of an array."""
        value = self.fields.get(key)
        return [Record(each) for each in value if is_object(each)] if is_array(value) else []


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a value of `json` is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[object]]:
    """Whether a value of `json` is an array."""
    return isinstance(value, list)


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which daemon is asked."""
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--api", metavar="URL", help=f"of the daemon, such as {DEFAULT_API}")
    target.add_argument("--config", metavar="FILE", type=Path, help="the daemon's rackgrid.toml")


def add_control(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which daemon is told something, and by what right."""
    add_target(parser)
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="holds the node's token; else [web] token_file of its rackgrid.toml",
    )


def address(args: argparse.Namespace) -> str:
    """Return the URL of the daemon's API.

    Raises:
        ConfigError: the configuration cannot be used.
        RefusedError: it says that there is no API, or not where.
    """
    api: str | None = args.api
    if api is not None:
        return api.rstrip("/") if "://" in api else f"http://{api.rstrip('/')}"
    config = config_of(args)
    if config is None:
        return DEFAULT_API
    if not config.web.enabled:
        raise RefusedError(f"{config.path} switches the API off: [web] enabled = false")
    if config.web.port == 0:
        raise RefusedError(
            f"{config.path} lets the kernel choose the API's port ([web] port = 0): the daemon's "
            "log says which; give it with --api URL"
        )
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{config.web.port}"


def config_of(args: argparse.Namespace) -> Config | None:
    """Read the daemon's configuration, if there is one on this machine.

    Raises:
        ConfigError: it cannot be used.
    """
    path: Path | None = args.config
    if path is None and not CONFIG_PATH.exists():
        return None
    from rackgrid.config_file import load_config

    return load_config(path or CONFIG_PATH)


def tell(args: argparse.Namespace, path: str, value: dict[str, object] | None = None) -> Record:
    """Tell the daemon to do something, with the node's token if there is one.

    Args:
        args: of a verb that has `add_control`.
        path: of the page, such as "/api/leave".
        value: what is sent along, as JSON.

    Raises:
        ConfigError: the configuration or the token cannot be used.
        UnreachableError: nobody answers.
        RefusedError: the answer is a refusal, or somebody could overhear the token.
    """
    url, token = address(args), _token(args)
    # A configuration is of a daemon on this machine, whatever address that has.
    if token is not None and args.api is not None:
        _forbid_listeners(url)
    return _send(f"{url}{path}", "POST", value, token)


def _token(args: argparse.Namespace) -> str | None:
    """Read the token, if one is known; one of this node's is not for a daemon elsewhere."""
    path: Path | None = args.token_file
    if path is None and args.api is None:
        config = config_of(args)
        path = config.web.token_file if config else None
    if path is None:
        return None
    from rackgrid.adapters.web.token import read_token

    return read_token(path)


def ask(url: str) -> Record:
    """Ask for a page, and return the JSON object of the answer.

    Raises:
        UnreachableError: nobody answers.
        RefusedError: the answer is a refusal, or not JSON.
    """
    return _send(url, "GET", None, None)


def _send(url: str, method: str, value: dict[str, object] | None, token: str | None) -> Record:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    if not url.startswith(("http://", "https://")):
        raise RefusedError(f"{url}: not an http URL; give one such as {DEFAULT_API}")
    try:
        request = Request(url, method=method)  # noqa: S310 (http and https only, see above)
        if value is not None:
            request.data = json.dumps(value).encode()
            request.add_header("content-type", "application/json")
        if token is not None:
            request.add_unredirected_header("authorization", f"Bearer {token}")
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read(ANSWER_MAX)
    except HTTPError as error:
        with error:
            detail = _reason(error.read(ANSWER_MAX)) or error.reason
        raise RefusedError(f"{url}: {error.code}: {detail}") from error
    except URLError as error:
        raise UnreachableError(_unreachable(url, error.reason)) from error
    except (OSError, HTTPException) as error:
        raise UnreachableError(_unreachable(url, error)) from error
    except ValueError as error:
        raise RefusedError(f"{url}: not an http URL: {error}") from error
    record = _parsed(body)
    if record is None:
        raise RefusedError(f"{url}: the answer is not from a rackgrid daemon; is the port right?")
    return record


def _forbid_listeners(url: str) -> None:
    from urllib.parse import urlsplit

    from rackgrid.adapters.web.host import is_loopback

    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise RefusedError(f"{url}: not an http URL: {error}") from error
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise RefusedError(
            f"the token is not sent to {url} in the clear: ask on the node itself, through a "
            "tunnel (ssh -L 8470:127.0.0.1:8470 NODE), or with --api https://... if it has a proxy"
        )


def _unreachable(url: str, reason: object) -> str:
    what = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
    return f"{url}: {what}; is the daemon running? (rackgrid run, or systemctl status rackgrid)"


def _parsed(body: bytes) -> Record | None:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return Record(value) if is_object(value) else None


def _reason(body: bytes) -> str:
    record = _parsed(body)
    return "" if record is None else record.text("error") or record.text("reason")
