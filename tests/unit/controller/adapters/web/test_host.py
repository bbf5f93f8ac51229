"""Under which names an API may be asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.web.host import Names, host_name, is_loopback

LOOPBACK = Names(loopback=True, hosts=("rack.example.org",), machine="pi-1")
LAN = Names(loopback=False, hosts=("rack.example.org",), machine="pi-1.lan")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1"])
def test_host_of_this_machine_is_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "example.org", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "10.0.0.1"],
)
def test_host_of_another_machine_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@given(st.text(max_size=40))
def test_names_asked_for_any_text_never_raise(text: str) -> None:
    is_loopback(host_name(text))
    for names in (LOOPBACK, LAN):
        names.has(text)


@pytest.mark.parametrize(
    ("authority", "expected"),
    [
        ("localhost:8470", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8470", "::1"),
        ("[::1]", "::1"),
        ("", ""),
    ],
)
def test_host_name_without_port_and_brackets(authority: str, expected: str) -> None:
    assert host_name(authority) == expected


@pytest.mark.parametrize(
    ("authority", "loopback", "lan"),
    [
        ("localhost:8470", True, True),
        ("127.0.0.1:8470", True, True),
        ("[::1]:8470", True, True),
        ("rack.example.org", True, True),
        ("RACK.Example.org.:443", True, True),
        ("192.168.1.20:8470", False, True),
        ("[fe80::1]:8470", False, True),
        ("pi-1.lan:8470", False, True),
        ("pi-1.local:8470", False, True),
        ("pi-1", False, False),
        ("evil.example", False, False),
        ("rack.example.org.evil.example", False, False),
        ("192.168.1.20.evil.example", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("", False, False),
    ],
)
def test_names_are_this_machines_and_those_in_the_configuration(
    authority: str, loopback: bool, lan: bool
) -> None:
    assert LOOPBACK.has(authority) is loopback
    assert LAN.has(authority) is lan
