"""The group port over real loopback multicast, and while there is no interface for it."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rackgrid.adapters.endpoint import Received
from rackgrid.adapters.group import Group
from rackgrid.adapters.multicast import Place
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Leave
from rackgrid.wire.seal import Keyring

A, B, BOOT = NodeId(0xA), NodeId(0xB), BootId(7)
RING = Keyring(1, {1: bytes(range(32))})
DEADLINE_S = 5.0


@pytest.fixture
def place() -> Place:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return Place("lo", "224.0.0.224", probe.getsockname()[1])


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def group(place: Place, node: NodeId, stack: ExitStack) -> Group:
    made = Group(place, RING, node, BOOT)
    stack.callback(made.close)
    return made


def hear(listener: Group, speaker: Group) -> Received:
    end = time.monotonic() + DEADLINE_S
    while not (heard := listener.receive()):
        assert time.monotonic() < end
        select.select([*listener.filenos(), *speaker.filenos()], [], [], 0.1)
        speaker.receive()  # it may be asked to prove itself
    return heard[0]


def test_group_opens_when_it_is_mended_and_carries_both_ways(
    place: Place, stack: ExitStack
) -> None:
    a, b = group(place, A, stack), group(place, B, stack)
    assert a.mend()
    assert b.mend()
    assert len(a.filenos()) == 2
    assert a.multicast(Leave(1))
    assert hear(b, a) == Received(A, BOOT, False, Leave(1))
    assert b.unicast(A, Leave(2))
    assert hear(a, b) == Received(B, BOOT, True, Leave(2))
    assert a.rejected["own_echo"] == 1
    assert a.suspects() == ()
    assert a.trouble == ""


def test_group_mended_when_nothing_is_wrong_changes_nothing(place: Place, stack: ExitStack) -> None:
    a = group(place, A, stack)
    a.mend()
    before = a.filenos()
    assert not a.mend()
    assert a.filenos() == before


def test_group_before_it_is_open_sends_and_hears_nothing(place: Place, stack: ExitStack) -> None:
    a = group(place, A, stack)
    assert not a.multicast(Leave(1))
    assert not a.unicast(B, Leave(1))
    assert a.receive() == ()
    assert a.filenos() == ()
    assert a.rejected == {}
    assert a.suspects() == ()


def test_group_without_its_interface_stays_up_and_says_so_once(
    stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    a = group(Place("nowhere0", "224.0.0.224", 8437), A, stack)
    assert [a.mend() for _ in range(3)] == [False] * 3
    (line,) = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert "nowhere0" in line
    assert a.trouble == line
    assert not a.multicast(Leave(1))


def test_group_whose_port_is_held_opens_when_it_is_free(
    place: Place, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    a = group(place, A, stack)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind((place.group, place.port))  # without sharing it
        assert not a.mend()
        assert str(place.port) in a.trouble
    assert a.mend()
    assert a.trouble == ""


def test_group_closed_is_silent_and_may_be_closed_again(place: Place, stack: ExitStack) -> None:
    a = group(place, A, stack)
    a.mend()
    a.close()
    a.close()
    assert a.filenos() == ()
    assert not a.multicast(Leave(1))


def test_group_uses_another_ring_from_then_on(place: Place, stack: ExitStack) -> None:
    new = Keyring(2, {2: bytes(range(40, 72))})
    a, b = group(place, A, stack), group(place, B, stack)
    assert a.sealed_with() == {}
    assert b.mend()
    a.use(new)  # before it is open
    assert a.mend()
    assert a.multicast(Leave(1))
    select.select(b.filenos(), [], [], DEADLINE_S)
    assert list(b.receive()) == []
    assert b.rejected == {"unknown_key": 1}
    b.use(new)  # while it is open
    assert a.multicast(Leave(2))
    assert hear(b, a).message == Leave(2)
    assert b.sealed_with() == {f"{A:016x}": 2}
