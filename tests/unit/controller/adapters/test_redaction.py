from __future__ import annotations

import base64
import json
import tomllib
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.join import HEAD
from rackgrid.adapters.keyring import RackKey, RackKeys, write_keys
from rackgrid.adapters.redaction import GONE, Redactor, secrets_in, without_query

KEY = bytes(range(90, 122))
NONE = Redactor(())


@given(
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), min_size=6), st.text()
)
def test_secret_that_is_known_is_gone_wherever_it_stands(secret: str, around: str) -> None:
    text = Redactor([secret])(f"{around}{secret}{around}")
    assert secret not in text or secret in Redactor([secret])(around) or secret in GONE


@pytest.mark.parametrize(
    "form",
    [
        KEY.hex(),
        KEY.hex().upper(),
        base64.b64encode(KEY).decode(),
        base64.urlsafe_b64encode(KEY).decode().rstrip("="),
        repr(KEY),
        repr(KEY.hex()),
    ],
)
def test_key_is_gone_in_each_of_its_spellings(form: str) -> None:
    redact = Redactor([KEY.hex()])
    assert redact(f"before {form} after").count(form.strip("b'\"=")) == 0
    assert GONE in redact(f"before {form} after")


@pytest.mark.parametrize("form", ["hunter2/ü &x", quote("hunter2/ü &x", safe="")])
def test_password_is_gone_in_a_url_and_in_a_login(form: str) -> None:
    assert form not in Redactor(["hunter2/ü &x"])(f"GET /?p={form} HTTP/1.1")
    login = base64.b64encode("hunter2/ü &x".encode()).decode()
    assert login not in Redactor(["hunter2/ü &x"])(login)


def test_short_secret_is_taken_out_as_a_word_and_leaves_words_alone() -> None:
    assert Redactor(["cat"])("cat concatenated (cat)") == f"{GONE} concatenated ({GONE})"


@pytest.mark.parametrize(
    ("text", "canary"),
    [
        (f"{HEAD}eyJyYWNrIjoic2hlZCJ9", "eyJyYWNr"),
        (f"key 1 {KEY.hex()} 2026-03-01T12:00:00Z", KEY.hex()),
        ("https://user:hunter22@example.com/x", "hunter22"),
        ("https://example.com/?securityToken=hunter22&x=1", "hunter22"),
        ("Authorization: Bearer hunter22", "hunter22"),
        ("authorization = 'hunter 22 33'", "22 33"),
        ('password = "hunter 22"', "hunter"),
        ('{"api_key": "hunter22"}', "hunter22"),
        ("mqtt_password=hunter22", "hunter22"),
    ],
)
def test_what_looks_like_a_secret_is_gone_though_nobody_knows_it(text: str, canary: str) -> None:
    assert canary not in NONE(text)


@pytest.mark.parametrize(
    "text",
    [
        'password_file = "/etc/rackgrid/mqtt.password"',
        'token_file = "/etc/rackgrid/api.token"',
        "node 6b6b6b6b6b6b6b6b, term 1001, price 0.412",
        "http://127.0.0.1:8470/api/state",
        "keys: 1 (deadbeef, used), 2 (12345678)",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert NONE(text) == text


def test_json_stays_json() -> None:
    text = json.dumps({"token": "hunter22", "a": {"password": "x"}, "n": 1})
    assert json.loads(NONE(text)) == {"token": GONE, "a": {"password": GONE}, "n": 1}


def test_secrets_of_a_file_are_its_lines_its_long_words_and_what_a_header_says() -> None:
    keys = write_keys(RackKeys(1, (RackKey(1, KEY),)))
    found = secrets_in(keys)
    assert KEY.hex() in found
    assert "rackgrid" not in found
    assert "hunter22" in secrets_in("X-Api-Key: hunter22\n")
    assert secrets_in("hunter2\n") == {"hunter2"}
    assert secrets_in("") == set()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a/b", "https://a/b"),
        ("https://a/b?key=k1&day=1#top", f"https://a/b?key={GONE}&day={GONE}#top"),
        ("https://a/b?flag", "https://a/b?flag"),
    ],
)
def test_url_is_shown_without_what_its_query_says(url: str, shown: str) -> None:
    assert without_query(url) == shown


def test_toml_stays_toml() -> None:
    text = 'password = "a \\" b"\nurl = "https://a/?token=x1&d=2"\nn = 1\n'
    found = tomllib.loads(NONE(text))
    assert found == {"password": GONE, "url": f"https://a/?token={GONE}&d={GONE}", "n": 1}
