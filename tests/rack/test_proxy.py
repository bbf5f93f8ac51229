"""The API behind a real nginx, configured by the very lines that controller/README.md shows.

Fails if those lines do not work as they stand, if a change gets through TLS without the token, or
if `rackgrid`'s own commands cannot get through with one.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.certificates import Authority
from tests.rack.patience import DEADLINE_S, until
from tests.rack.test_web import Node

from rackgrid.adapters.web.token import new_token

pytestmark = pytest.mark.nginx

README = Path(__file__).parents[2] / "controller" / "README.md"
HOST = "rack.example.org"


def shown() -> str:
    """The lines that the README shows."""
    found = re.search(r"^```nginx\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def put(text: str, old: str, new: str) -> str:
    assert old in text, f"the README's lines have no {old!r} any more"
    return text.replace(old, new)


@dataclass
class Site:
    """A node behind its proxy."""

    node: Node
    port: int
    authority: Authority
    token_file: Path

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, object]]:
        context = ssl.create_default_context(cafile=self.authority.certificate)
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            method=method,
            headers={"Host": f"{HOST}:{self.port}"} | (headers or {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S, context=context) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    token_file = tmp_path / "api.token"
    new_token(token_file)
    node = Node("127.0.0.1", token_file, hosts=(HOST,))
    node.start()
    authority = Authority(tmp_path)
    certificate, key = authority.issue("proxy", "127.0.0.1", HOST)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = put(shown(), "listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = put(server, "/etc/ssl/rack.pem", str(certificate))
    server = put(server, "/etc/ssl/private/rack.key", str(key))
    server = put(server, "http://127.0.0.1:8470", node.web.url)
    folders = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {folders}\n{server}\n}}\n"
    )
    proxy = subprocess.Popen(
        ["nginx", "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(config)],
        stderr=subprocess.PIPE,
    )

    def answers() -> bool:
        assert proxy.poll() is None, proxy.stderr and proxy.stderr.read()
        with socket.socket() as line:
            return line.connect_ex(("127.0.0.1", port)) == 0

    until("nginx listens", answers)
    yield Site(node, port, authority, token_file)
    proxy.terminate()
    proxy.communicate(timeout=DEADLINE_S)
    node.stop()


def test_reading_goes_through_under_the_name_in_hosts(site: Site) -> None:
    assert site.ask("/api/state")[1]["broker"] == "bravo"
    assert site.ask("/api/state", headers={"Host": "evil.example"})[0] == 421


def test_change_goes_through_with_the_token_alone(site: Site) -> None:
    assert site.ask("/api/leave", "POST")[0] == 401
    assert site.ask("/api/leave", "POST", {"Authorization": "Bearer x"})[0] == 401
    bearer = {"Authorization": f"Bearer {site.token_file.read_text().strip()}"}
    strange = {"Origin": "https://evil.example"}
    assert site.ask("/api/leave", "POST", bearer | strange)[0] == 403
    assert not site.node.left.is_set()
    own = {"Origin": f"https://{HOST}:{site.port}"}
    assert site.ask("/api/leave", "POST", bearer | own)[0] == 202
    assert site.node.left.is_set()


def test_commands_get_through_with_a_token_file_and_not_without(site: Site) -> None:
    def run(*more: str) -> subprocess.CompletedProcess[str]:
        api = f"https://127.0.0.1:{site.port}"
        return subprocess.run(
            [sys.executable, "-m", "rackgrid", "leave", "--api", api, *more],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"SSL_CERT_FILE": str(site.authority.certificate)},
        )

    refused = run()
    assert refused.returncode == 1
    assert "token" in refused.stderr
    assert not site.node.left.is_set()
    assert run("--token-file", str(site.token_file)).returncode == 0
    assert site.node.left.is_set()
