import argparse
import socket
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import Daemon, answering

from rackgrid.cli.api import (
    DEFAULT_API,
    Record,
    RefusedError,
    UnreachableError,
    add_control,
    add_target,
    address,
    ask,
    tell,
)
from rackgrid.errors import ConfigError

PROFILES = Path(__file__).parents[4] / "hardware" / "profiles"


def target(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_target(parser)
    return parser.parse_args(words)


def config(folder: Path, web: str) -> Path:
    path = folder / "rackgrid.toml"
    path.write_text(
        '[rack]\nname = "demo"\ninterface = "lo"\n[feed]\ncapacity_w = 60\n'
        f'[node]\nname = "pi-1"\nboard = "{PROFILES / "mock-demo.toml"}"\n[web]\n{web}\n'
    )
    return path


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("http://127.0.0.1:1234/", "http://127.0.0.1:1234"),
        ("127.0.0.1:1234", "http://127.0.0.1:1234"),
        ("[::1]:1", "http://[::1]:1"),
    ],
)
def test_address_that_is_given_is_taken(api: str, url: str) -> None:
    assert address(target("--api", api)) == url


@pytest.mark.parametrize(
    ("web", "url"),
    [
        ("", DEFAULT_API),
        ("port = 9000", "http://127.0.0.1:9000"),
        ('host = "::1"', "http://[::1]:8470"),
        ('host = "0.0.0.0"', DEFAULT_API),
        ('host = "::"', "http://[::1]:8470"),
    ],
)
def test_address_is_read_from_the_daemons_configuration(tmp_path: Path, web: str, url: str) -> None:
    assert address(target("--config", str(config(tmp_path, web)))) == url


@pytest.mark.parametrize(
    ("web", "why"), [("enabled = false", "switches the API off"), ("port = 0", "--api URL")]
)
def test_address_that_the_configuration_does_not_know_is_refused(
    tmp_path: Path, web: str, why: str
) -> None:
    with pytest.raises(RefusedError, match=why):
        address(target("--config", str(config(tmp_path, web))))


def test_address_from_a_bad_configuration_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        address(target("--config", str(config(tmp_path, "prot = 1"))))


def test_api_and_config_together_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        target("--api", "x", "--config", "y")
    assert "not allowed with" in capsys.readouterr().err


def test_ask_gives_the_object_and_passes_over_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(Daemon(body=b'{"a": 1}')) as daemon:
        assert ask(f"{daemon.api}/api/state").fields == {"a": 1}
        assert tell(control("--api", daemon.api), "/api/leave").number("a") == 1
    assert daemon.asked == ["GET /api/state", "POST /api/leave"]


def test_tell_sends_a_value_as_json() -> None:
    with answering(Daemon()) as daemon:
        tell(control("--api", daemon.api), "/api/feed", {"capacity_w": 40.5})
    assert (daemon.asked, daemon.sent) == (["POST /api/feed"], [b'{"capacity_w": 40.5}'])


def test_ask_where_nobody_listens_is_unreachable() -> None:
    with socket.socket() as bound:  # bound and not listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(UnreachableError, match="Connection refused; is the daemon running"):
            ask(f"http://127.0.0.1:{bound.getsockname()[1]}/api/state")


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"", b"\xff", b"[" * 100_000])
def test_ask_someone_who_is_no_daemon_is_refused(body: bytes) -> None:
    with (
        answering(Daemon(body=body)) as daemon,
        pytest.raises(RefusedError, match="not from a rackgrid daemon"),
    ):
        ask(daemon.api)


def test_ask_gives_the_reason_of_a_refusal() -> None:
    with (
        answering(Daemon(status=403, body=b'{"error": "read-only"}')) as daemon,
        pytest.raises(RefusedError, match="403: read-only"),
    ):
        tell(control("--api", daemon.api), "/api/leave")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://127.0.0.1:port", "http://[::1", "http://a b/"]
)
def test_ask_what_is_no_http_url_is_an_error_of_ours(url: str) -> None:
    with pytest.raises((RefusedError, UnreachableError)):
        ask(url)


def test_record_leaves_out_what_has_another_type() -> None:
    it = Record({"a": 1, "b": "x", "c": True, "d": {"e": 2.5}, "f": [{"g": 1}, 3], "h": None})
    assert (it.text("b"), it.text("a"), it.text("none")) == ("x", "", "")
    assert (it.number("a"), it.number("b"), it.number("c"), it.number("h")) == (1, None, None, None)
    assert (it.flag("c"), it.flag("a")) == (True, False)
    assert it.record("d").number("e") == 2.5
    assert it.record("a").fields == {}
    assert [each.number("g") for each in it.records("f")] == [1]
    assert it.records("d") == []


def test_record_text_cannot_steer_a_terminal() -> None:
    assert Record({"name": "a\x1b[2Jb\r\n"}).text("name") == "a?[2Jb??"


TOKEN = "0123456789abcdef" * 4


def control(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_control(parser)
    return parser.parse_args(words)


def token_file(folder: Path) -> Path:
    path = folder / "api.token"
    path.touch(0o600)
    path.write_text(TOKEN + "\n")
    return path


def test_tell_sends_the_token_of_a_file_and_only_with_a_change(tmp_path: Path) -> None:
    with answering(Daemon()) as daemon:
        args = control("--api", daemon.api, "--token-file", str(token_file(tmp_path)))
        tell(args, "/api/feed", {"capacity_w": 1.0})
        tell(control("--api", daemon.api), "/api/leave")
        ask(f"{daemon.api}/api/state")
    assert daemon.asked == ["POST /api/feed", "POST /api/leave", "GET /api/state"]
    assert daemon.tokens == [f"Bearer {TOKEN}", None, None]


def test_tell_finds_the_token_by_the_daemons_configuration(tmp_path: Path) -> None:
    token_file(tmp_path)
    with answering(Daemon()) as daemon:
        web = f'port = {daemon.api.rpartition(":")[2]}\ntoken_file = "api.token"'
        tell(control("--config", str(config(tmp_path, web))), "/api/leave")
    assert daemon.tokens == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("api", ["http://192.0.2.1:8470", "pi.lan:8470", "http://127.0.0.1.lan"])
def test_tell_sends_no_token_where_others_can_listen(tmp_path: Path, api: str) -> None:
    with pytest.raises(RefusedError, match="in the clear") as caught:
        tell(control("--api", api, "--token-file", str(token_file(tmp_path))), "/api/leave")
    assert TOKEN not in str(caught.value)


def test_tell_takes_the_token_to_no_other_daemon(tmp_path: Path) -> None:
    with answering(Daemon()) as other, answering(Daemon(status=302)) as daemon:
        daemon.moved_to = f"{other.api}/api/leave"
        tell(control("--api", daemon.api, "--token-file", str(token_file(tmp_path))), "/api/leave")
    assert daemon.tokens == [f"Bearer {TOKEN}"]
    assert other.tokens == [None]


def test_tell_with_a_token_that_others_can_read_says_so(tmp_path: Path) -> None:
    path = token_file(tmp_path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        tell(control("--api", "127.0.0.1:1", "--token-file", str(path)), "/api/leave")
