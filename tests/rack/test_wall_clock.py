"""The wall clock is stepped by a day under a running rack: nothing that matters may look at it.

A Pi has no battery clock: it boots in the past, and NTP steps it when the network is there. The
machine's own clock is never touched: each node's processes read theirs through libfaketime, which
adds what the node's file `clock` says, and leaves CLOCK_MONOTONIC and CLOCK_BOOTTIME alone.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.rack.rig import Rig, RigNode, wait_until
from tests.rack.tight import TRADE_S, assert_bound, tight, wait_settled

pytestmark = [pytest.mark.root, pytest.mark.faketime]

CLOCK = "clock"
CALM_S = 2.0
"""Longer than any promise lives (a grant 1.4 s): what a step harms shows within this."""
TOMORROW, YESTERDAY, TODAY = "+1d", "-1d", "+0"
BY_TARIFF = "source grid: the price is the tariff's"
BY_CONFIG = "source grid: the price is the configuration's"


def set_clock(node: RigNode, offset: str) -> None:
    """Let the node's processes see the wall clock so far from the true one, from now on."""
    new = node.folder / f"{CLOCK}.new"
    new.write_text(f"{offset}\n")
    new.replace(node.folder / CLOCK)


def give_tariff(rig: Rig) -> None:
    """Give every node a price for yesterday and one for tomorrow, and none for today.

    So each controller shows by its log which day it takes it to be.
    """
    now = datetime.now(UTC)
    day, half = timedelta(days=1), timedelta(hours=11)
    intervals = [
        {
            "start": (now + days * day - half).isoformat(),
            "end": (now + days * day + half).isoformat(),
            "value": price,
        }
        for days, price in ((-1, 0.20), (1, 0.30))
    ]
    tariff = rig.folder / "tariff.json"
    tariff.write_text(json.dumps(intervals))
    for node in rig.nodes:
        text = node.config.read_text()
        assert (text.count("price = 0.25"), text.count("[node]\n")) == (1, 1)
        text = text.replace("price = 0.25", f'price = 0.25\ntariff_file = "{tariff}"')
        # Nobody synchronises the clock that is faked here.
        node.config.write_text(text.replace("[node]\n", "[node]\ntrust_clock = true\n"))


@contextmanager
def faked() -> Generator[Rig]:
    """A rack whose nodes' wall clocks can be set."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    env = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": CLOCK,  # each process stands in its node's folder
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",  # s; to read it at every look makes loops late
    }
    pids: list[int] = []
    try:
        with tight(env=env) as rig:
            try:
                yield rig
            finally:
                started = [p for n in rig.nodes for p in (n.firmware, n.controller) if p]
                pids += [process.pid for process in started]
    finally:
        for pid in pids:  # libfaketime leaves these behind
            for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
                Path("/dev/shm", name).unlink(missing_ok=True)


def said(node: RigNode, text: str) -> int:
    return (node.folder / "controller.log").read_text().count(text)


def rejected(rig: Rig) -> list[dict[str, int]]:
    """Count by reason what each node has not believed, its own echoes apart."""
    counts = [node.state()["rejected"] for node in rig.nodes]
    return [{why: n for why, n in each.items() if why != "own_echo"} for each in counts]


def wait_calm(rig: Rig) -> None:
    """Wait until nothing has happened for as long as a step is watched.

    libfaketime slows the start of a process down, most of all the many files that it looks at:
    while five nodes still start on a few cores, loops run late, and late loops do make elections.
    """

    def calm() -> bool:
        since_ns = time.monotonic_ns() - int(CALM_S * 1e9)
        said = [x for node in rig.nodes for x in node.said("role", since_ns)]
        return not said and not rig.edges(since_ns, rig.nodes)

    wait_until("nothing has happened for a while", calm, TRADE_S)


def step(nodes: Sequence[RigNode], offset: str, shows: str) -> None:
    """Step these nodes' clocks, and wait until each controller has shown that it sees another day.

    Args:
        shows: what each says of its tariff then, once more.
    """
    before = [said(node, shows) for node in nodes]
    for node in nodes:
        set_clock(node, offset)
    wait_until(
        f"{[node.name for node in nodes]} see {offset}",
        lambda: [said(node, shows) for node in nodes] == [count + 1 for count in before],
    )
    select.select([], [], [], CALM_S)


def test_wall_clock_stepped_by_a_day_there_and_back_is_noticed_by_no_load_and_no_office() -> None:
    with faked() as rig:
        for node in rig.nodes:
            set_clock(node, TODAY)
        give_tariff(rig)
        rig.start()
        wait_settled(rig)
        wait_calm(rig)
        broker = wait_settled(rig)
        member = rig.others(broker)[0]
        term, before_ns = broker.state()["term"], time.monotonic_ns()
        disbelieved = rejected(rig)
        step([broker, member], TOMORROW, BY_TARIFF)
        step(rig.others(broker)[1:], YESTERDAY, BY_TARIFF)
        step(rig.nodes, TODAY, BY_CONFIG)
        assert rig.edges(before_ns, rig.nodes) == []
        assert [x for node in rig.nodes for x in node.said("role", before_ns)] == []
        assert rig.wait_for_broker(broker)["term"] == term
        assert rejected(rig) == disbelieved
        assert_bound(rig)
