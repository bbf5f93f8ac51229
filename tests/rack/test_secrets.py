"""A canary in every place that holds a secret, and no output in which one of them sings."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.rack.rig import wait_until

from rackgrid.adapters.key_file import change_keys, load_keys
from rackgrid.adapters.keys import load_private_key
from rackgrid.config_file import load_config
from rackgrid.parts import assemble

KEY, NEXT = bytes(range(100, 132)), bytes(range(140, 172))
WORDS = {
    "mqtt.password": "canary-mqtt-Qx7",
    "plug.password": "canary-plug-Zp3",
    "header": "X-Api-Key: canary-header-Lk9",
    "api.token": "canary-token-0123456789abcdefABCDEF",
}
CONFIG = """
[mqtt]
host = "127.0.0.1"
port = {closed}
username = "rackgrid"
password_file = "mqtt.password"

[[source]]
name = "tariff"
price = 0.3
http = {{ url = "http://127.0.0.1:{closed}/prices?key=canary-query-Wm5", header_file = "header" }}

[[load]]
name = "plug"
worth = 0.2
http = "shelly://127.0.0.1:{closed}/0"
nominal_w = 10
password_file = "plug.password"

[web]
port = {api}
token_file = "api.token"
"""
PAGES = (
    "/",
    "/api/state",
    "/api/ledger",
    "/api/keys",
    "/api/why/plug",
    "/api/events?last=50",
    "/healthz",
    "/metrics",
)


def rackgrid(*words: object) -> str:
    """Run a command, and return all that it says."""
    argv = [sys.executable, "-m", "rackgrid", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return f"{done.stdout}\n{done.stderr}"


def port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return int(tcp.getsockname()[1])


def page(api: int, path: str, token: str = "", method: str = "GET") -> str:
    """Ask for a page, and return its headers and what of it comes at once."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://127.0.0.1:{api}{path}"
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=headers, method=method), timeout=5
        ) as answer:
            streams = "event-stream" in answer.headers["content-type"]
            return f"{answer.headers}{answer.readline() if streams else answer.read()!r}"
    except urllib.error.HTTPError as refusal:
        with refusal:
            return f"{refusal.headers}{refusal.read()!r}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A node's files, with a canary in each that is secret."""
    assert "good" in rackgrid(
        "setup", "--dir", tmp_path, "--board", "mock-demo", "--capacity", "80"
    )
    (tmp_path / "rack.key").write_text(KEY.hex())
    for name, word in WORDS.items():
        (tmp_path / name).write_text(word + "\n")
        (tmp_path / name).chmod(0o600)
    config = tmp_path / "rackgrid.toml"
    # A plug's own timer needs longer grants than a relay does.
    text = config.read_text().replace("expect = 1", "expect = 1\ngrant_s = 5")
    note = f"# was {KEY.hex()} once, and {' '.join(WORDS.values())}\n"
    config.write_text(note + text + CONFIG.format(closed=port(), api=port()))
    return tmp_path


def canaries(folder: Path) -> dict[str, str]:
    """Every spelling of every secret."""
    found = {word.split()[-1]: name for name, word in WORDS.items()}
    found["canary-query-Wm5"] = "the query of a URL"
    secrets = {"rack.key": KEY, "new key": NEXT, "identity": load_private_key(folder / "state")}
    secrets |= {f"key {key.number}": key.secret for key in load_keys(folder / "rack.key").keys}
    for name, key in secrets.items():
        for form in (key.hex(), base64.b64encode(key).decode().rstrip("="), repr(key)[2:-1]):
            found[form] = name
    return found


def test_no_secret_is_in_any_output(folder: Path) -> None:
    """Fails if a log, a page, a command or a bundle holds what a secret file holds."""
    config = folder / "rackgrid.toml"
    said: dict[str, str] = {}
    api = load_config(config).web.port
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-X", "dev", "-m", "rackgrid", "run", "--config", str(config)],
            stdout=log,
            stderr=log,
        )
    with daemon:
        try:
            wait_until("it listens", lambda: "API at" in (folder / "log").read_text())
            key_file = folder / "rack.key"
            change_keys(key_file, lambda keys: keys.adding(NEXT, "2026-03-01T12:00:00Z"))
            wait_until("it takes up the keys", lambda: "keys: " in (folder / "log").read_text())
            key_file.write_text(f"use 1\nkey 1 {KEY.hex()}\nkey 2 {NEXT.hex()[:-3]}zzz\nend\n")
            wait_until(
                "it refuses others", lambda: "stay as they are" in (folder / "log").read_text()
            )
            key_file.write_text(KEY.hex())
            for path in PAGES:
                said[path] = page(api, path)
            token = WORDS["api.token"]
            said["wrong token"] = page(api, "/api/feed", token[:-1] + "x", "POST")
            said["right token"] = page(api, "/api/feed", token, "POST")
            said["bundle"] = rackgrid("bundle", "--config", config, "--output", folder / "b.tar.gz")
            said["status"] = rackgrid("status", "--config", config)
            said["why"] = rackgrid("why", "plug", "--config", config)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)
    said["log"] = (folder / "log").read_text()
    with tarfile.open(folder / "b.tar.gz") as tar:
        for member in tar.getmembers():
            file = tar.extractfile(member)
            assert file is not None
            said[member.name] = file.read().decode()
    assert "rackgrid-bundle/api-state.json" in said
    for words in (
        ("config", "show", config),
        ("config", "check", config),
        ("config", "check", config, "--json"),
        ("doctor", "--config", config),
        ("doctor", "--config", config, "--json"),
        ("key", "list", "--file", folder / "rack.key"),
        ("key", "rotate", "--file", folder / "rack.key"),
        ("key", "rotate", "--file", folder / "rack.key", "--everywhere"),
        ("key", "drop", "1", "--file", folder / "rack.key", "--force"),
        ("setup", "--dir", folder),
    ):
        said[" ".join(map(str, words[:2]))] = rackgrid(*words)
    parts = assemble(load_config(config))
    said["repr"] = f"{parts!r} {parts.keys.keys!r} {parts.keys.keys.ring()!r} {parts.config!r}"
    parts.store.close()
    parts.shelf.close()
    for secret, name in canaries(folder).items():
        leaks = [where for where, text in said.items() if secret in text]
        assert leaks == [], f"{name} is in {leaks}"
