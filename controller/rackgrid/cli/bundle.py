"""`rackgrid bundle`: what somebody who helps wants to know of this node, in one file.

Versions, the configuration and the board, what is wrong with them, the doctor's findings, what the
daemon says of the rack, and the last of its log. Whatever is missing is said in `about.json`, since
a bundle is made when something does not work.

No secret is in it (`redaction`), and it is readable by its owner alone all the same: it tells what
a home is made of. Look into it before you give it away.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit
from rackgrid.errors import RackgridError

if TYPE_CHECKING:
    from rackgrid.cli.verb import Verbs

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")
FILE_MAX = 1_000_000
"""The most that is taken of one file, bytes."""
JOURNAL_LINES = 3000
PAGES = ("/api/state", "/api/ledger", "/healthz")
PARTS = (
    "rackgrid",
    "cryptography",
    "gpiozero",
    "lgpio",
    "paho-mqtt",
    "smbus2",
    "starlette",
    "uvicorn",
)
_FILE_KEY = re.compile(r"""\b(\w+_file)\s*=\s*["']([^"'\n]+)["']""")
_PLAIN = ("tariff_file", "temperature_file", "tls_ca_file", "tls_cert_file")
"""Files that a configuration names and that hold no secret."""


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("bundle", help="put what a helper needs into one file, no secrets")
    parser.add_argument("--config", metavar="FILE", type=Path, default=CONFIG_PATH)
    parser.add_argument("--api", metavar="URL", help="of the daemon, if rackgrid.toml does not say")
    parser.add_argument("--output", metavar="FILE", type=Path, help="where to write it; a new file")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Gather, redact, and write."""
    from rackgrid.adapters.redaction import Redactor

    missing: list[str] = []
    config: Path = args.config
    redact = Redactor(known_secrets(config, missing))
    texts = {
        name: text
        for name, gather in _gatherers(config, args.api).items()
        if (text := _tried(name, gather, missing)) is not None
    }
    texts["about.json"] = json.dumps(_about(missing), indent=2)
    now = datetime.now(UTC)
    path: Path = args.output or Path(f"rackgrid-{now:%Y%m%dT%H%M%SZ}.tar.gz")
    try:
        _write(path, {name: redact(text) for name, text in texts.items()}, now)
    except FileExistsError:
        say(f"{path} exists and is not overwritten; take another name with --output")
        return Exit.FAILED
    except OSError as error:
        say(f"{path}: {error.strerror or error}; choose another place with --output")
        return Exit.FAILED
    for line in missing:
        say(f"not in it: {redact(line)}")
    say("Secrets were taken out. Look into it before you give it away all the same.")
    print(path)
    return Exit.OK


def known_secrets(config: Path, missing: list[str]) -> set[str]:
    """Read every secret that the configuration names, so that it can be found and taken out.

    It works on a configuration that is wrong, too. A secret that this user may not read is added to
    `missing`: it can then be taken out by its looks only.
    """
    from rackgrid.adapters.redaction import secrets_in

    paths = {Path("/etc/rackgrid/rack.key"), config.parent / "rack.key"}
    text = _read(config) if config.is_file() else ""
    for key, value in _FILE_KEY.findall(text):
        if key not in _PLAIN:
            paths.add(config.parent / value)
    found = re.search(r"""\bstate_dir\s*=\s*["']([^"'\n]+)["']""", text)
    state_dir = config.parent / found.group(1) if found else Path("/var/lib/rackgrid")
    secrets: set[str] = set()
    for path in sorted(paths):
        try:
            secrets |= secrets_in(_read(path))
        except FileNotFoundError:
            continue
        except OSError as error:
            missing.append(f"what is secret in {path} ({error.strerror}): run it as root")
    return secrets | _identity(state_dir)


def _identity(state_dir: Path) -> set[str]:
    from rackgrid.adapters.keys import load_private_key
    from rackgrid.errors import StoreError

    try:
        return {load_private_key(state_dir).hex()}
    except StoreError:
        return set()  # it is put nowhere, and looks like what is taken out by its looks


def _gatherers(config: Path, api: str | None) -> dict[str, Callable[[], str]]:
    found: dict[str, Callable[[], str]] = {
        "rackgrid.toml": lambda: _read(config),
        "board.toml": lambda: _read(_board(config)),
        "config-check.txt": lambda: _config_check(config),
        "doctor.json": lambda: _doctor(config),
        "keys.json": lambda: _keys(config),
        "journal.txt": _journal,
    }
    for page in PAGES:
        name = page.removeprefix("/").replace("/", "-") + ".json"
        found[name] = partial(_page, config, api, page)
    return found


def _tried(name: str, gather: Callable[[], str], missing: list[str]) -> str | None:
    try:
        return gather()
    except (RackgridError, OSError, subprocess.SubprocessError) as error:
        missing.append(f"{name}: {error}")
        return None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(FILE_MAX).decode("utf-8", "replace")


def _board(config: Path) -> Path:
    found = re.search(r"""^\s*board\s*=\s*["']([^"'\n]+)["']""", _read(config), re.MULTILINE)
    return config.parent / (found.group(1) if found else "board.toml")


def _config_check(config: Path) -> str:
    from rackgrid.config_file import read_config

    outcome = read_config(config)
    return "\n".join(
        [*map(str, outcome.findings), *(f"{note} (note)" for note in outcome.notes), ""]
    )


def _doctor(config: Path) -> str:
    from rackgrid.cli.doctor import as_json
    from rackgrid.cli.doctor.case import gather
    from rackgrid.cli.doctor.examination import examine
    from rackgrid.cli.doctor.host import Host

    return json.dumps(as_json(examine(gather(Host(), config, None))), indent=2, ensure_ascii=False)


def _keys(config: Path) -> str:
    from rackgrid.adapters.key_file import fingerprints, load_keys
    from rackgrid.config_file import load_config

    return json.dumps({"keys": fingerprints(load_keys(load_config(config).rack.key_file))})


def _page(config: Path, api: str | None, page: str) -> str:
    from rackgrid.cli.api import address, ask

    where = address(argparse.Namespace(api=api, config=None if api else config))
    return json.dumps(ask(where + page).fields, indent=2)


def _journal() -> str:
    journalctl = shutil.which("journalctl")
    if journalctl is None:
        raise FileNotFoundError(2, "there is no journalctl here")
    words = ["-u", "rackgrid", "-u", "rackgrid-firmware", "-n", str(JOURNAL_LINES)]
    done = subprocess.run(  # noqa: S603 - the words are ours
        [journalctl, *words, "--no-pager", "-o", "short-iso-precise"],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=True,
    )
    return done.stdout


def _about(missing: list[str]) -> dict[str, object]:
    from importlib.metadata import PackageNotFoundError, version

    versions: dict[str, str | None] = {}
    for name in PARTS:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "versions": versions,
        "missing": missing,
    }


def _write(path: Path, texts: dict[str, str], now: datetime) -> None:
    """Write the archive, for its owner alone, and nothing if that fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            for name, text in sorted(texts.items()):
                data = text.encode()
                entry = tarfile.TarInfo(f"rackgrid-bundle/{name}")
                entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now.timestamp())
                tar.addfile(entry, io.BytesIO(data))
    except BaseException:
        path.unlink()
        raise
