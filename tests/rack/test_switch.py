"""The switch does to frames what the tests that use it rest on."""

from __future__ import annotations

import select
import socket
import struct
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.rack.lan import Lan
from tests.rack.rig import wait_until
from tests.rack.switch import ADDRESS, Fate, Switch, Weather

ROUGH = Weather(doubled=0.2, lost=0.1, delay_s=0.08)
EVERYBODY = b"\xff" * ADDRESS
A, B = b"\x02aaaaa", b"\x02bbbbb"
FAR_NS = 10**12
GROUP = ("224.0.0.224", 4711)
SENT = 300


def fates(seed: int, weather: Weather) -> list[tuple[int, int, bytes]]:
    """What becomes of a hundred frames to everybody, sent a millisecond apart."""
    fate = Fate(3, weather, seed)
    for number in range(100):
        fate.take(number * 1_000_000, 0, EVERYBODY + A + bytes([number]))
    return [(copy.due_ns, copy.port, copy.frame) for copy in fate.give(FAR_NS)]


def test_fate_of_the_same_seed_is_the_same_and_of_another_another() -> None:
    assert fates(1, ROUGH) == fates(1, ROUGH)
    assert fates(1, ROUGH) != fates(2, ROUGH)


def test_fate_in_calm_weather_gives_every_port_but_the_sender_s_each_frame_once_in_order() -> None:
    given = fates(1, Weather())
    for port in (1, 2):
        frames = [frame[-1] for _, to, frame in given if to == port]
        assert frames == list(range(100))
    assert {port for _, port, _ in given} == {1, 2}


def test_fate_of_a_frame_to_a_known_address_leaves_by_its_port_alone() -> None:
    fate = Fate(3, Weather(), 1)
    fate.take(1, 0, EVERYBODY + A)
    fate.take(2, 1, A + B)
    assert [(copy.source, copy.port) for copy in fate.give(FAR_NS)] == [(0, 1), (0, 2), (1, 0)]


def test_fate_in_rough_weather_doubles_loses_and_delays_the_stated_shares() -> None:
    fate = Fate(2, ROUGH, 1)
    for _ in range(10_000):
        fate.take(0, 0, EVERYBODY + A)
    dues_ns = [copy.due_ns for copy in fate.give(FAR_NS)]
    assert fate.count.doubled == pytest.approx(2_000, rel=0.1)
    assert fate.count.copies == 10_000 + fate.count.doubled
    assert fate.count.lost == pytest.approx(1_200, rel=0.1)
    assert len(dues_ns) == fate.count.copies - fate.count.lost
    assert 0 <= min(dues_ns) < 1_000_000
    assert 79_000_000 < max(dues_ns) <= 80_000_000
    assert fate.count.overtaken > 9_000


@pytest.fixture
def lan() -> Iterator[Lan]:
    with Lan(hosts=3) as made:
        yield made


def receiver(lan: Lan, number: int) -> socket.socket:
    """A socket on that host that hears the group and what is said to the host itself."""
    with lan.host(number).entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", GROUP[1]))
    address = socket.inet_aton(lan.host(number).address)
    joined = socket.inet_aton(GROUP[0]) + address
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joined)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.setblocking(False)
    return sock


def numbers(sock: socket.socket) -> list[int]:
    """The numbers that have arrived there, as they came."""
    found: list[int] = []
    while True:
        try:
            found.append(struct.unpack("!I", sock.recv(64))[0])
        except BlockingIOError:
            return found


@pytest.mark.root
def test_switch_doubles_and_reorders_real_datagrams_and_stops_when_told(lan: Lan) -> None:
    weather = Weather(doubled=0.2, delay_s=0.03)
    with (
        Switch(lan, weather, seed=1) as switch,
        receiver(lan, 1) as sender,
        receiver(lan, 2) as near,
        receiver(lan, 3) as far,
    ):
        source = socket.inet_aton(lan.host(1).address)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, source)
        for number in range(SENT):
            sender.sendto(struct.pack("!I", number), GROUP)
            sender.sendto(struct.pack("!I", SENT + number), (lan.host(2).address, GROUP[1]))
            select.select([], [], [], 0.001)
        heard: dict[str, list[int]] = {"near": [], "far": []}

        def all_came() -> bool:
            heard["near"] += numbers(near)
            heard["far"] += numbers(far)
            return set(heard["near"]) == set(range(2 * SENT)) and set(heard["far"]) == set(
                range(SENT)
            )

        wait_until("every datagram", all_came)
        for came in heard.values():
            assert max(Counter(came).values()) == 2, "some came twice, and none thrice"
            assert came != sorted(came)
        multicast = [number for number in heard["near"] if number < SENT]
        assert multicast != heard["far"], "each port has its own order"
        count = switch.set(Weather(lost=1.0))
        assert count.doubled > 0
        assert count.overtaken > 0
        assert count.lost == 0
        sender.sendto(struct.pack("!I", 0), GROUP)
        wait_until("it is lost on both ways", lambda: switch.count().lost >= 2)
