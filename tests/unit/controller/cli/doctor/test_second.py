"""Fails if a machine whose processes do not hear each other passes for one where they do."""

from __future__ import annotations

import socket

import pytest

from rackgrid.adapters.multicast import Place
from rackgrid.cli.doctor import second
from rackgrid.cli.doctor.second import heard_by_another


def swallowed(_transport: object, _data: bytes) -> bool:
    return True


def refused(_transport: object, _data: bytes) -> bool:
    return False


@pytest.fixture
def place() -> Place:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        return Place("lo", "224.0.0.224", free.getsockname()[1], ttl=0)


def test_another_process_hears_the_group(place: Place) -> None:
    assert heard_by_another(place) == ""


def test_interface_that_is_not_there_is_said(place: Place) -> None:
    gone = Place("none0", place.group, place.port, ttl=0)
    assert "there is no interface none0" in heard_by_another(gone)


def test_word_that_does_not_arrive_is_missed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process listens, and another group is spoken to."""
    monkeypatch.setattr(second.Transport, "send_multicast", swallowed)
    assert "has not heard it in 0.3 s" in heard_by_another(place, patience_s=0.3)


def test_process_that_cannot_join_says_why(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second, "HEARER", "raise SystemExit('port is taken')")
    assert heard_by_another(place) == "a second process cannot join: port is taken"


def test_network_that_refuses_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second.Transport, "send_multicast", refused)
    assert heard_by_another(place) == "the network does not take it"
