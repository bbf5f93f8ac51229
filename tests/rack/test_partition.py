"""The rack falls in two: every way in which five nodes can, both ways and one way only."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tests.rack.cables import Cables
from tests.rack.rig import Rig
from tests.rack.tight import (
    NODES,
    abreast,
    assert_bound,
    pumps_on,
    tight,
    wait_more_pumps,
    wait_settled,
)

pytestmark = pytest.mark.root

RACKS = 4
"""Racks among which the partitions are dealt out: each waits most of the time."""


@dataclass(frozen=True, slots=True)
class Partition:
    """What `senders` say to the others is lost; what the others say to them, only `both` ways."""

    senders: tuple[int, ...]
    both: bool

    def __str__(self) -> str:
        others = [n for n in range(1, NODES + 1) if n not in self.senders]
        return f"{list(self.senders)} {'<->' if self.both else '-->'} {others}"


def subsets(sizes: range) -> Iterator[tuple[int, ...]]:
    for size in sizes:
        yield from itertools.combinations(range(1, NODES + 1), size)


TWO_WAY = [Partition(some, True) for some in subsets(range(1, 3))]
ONE_WAY = [Partition(some, False) for some in subsets(range(1, NODES))]


def suffer(rig: Rig, cables: Cables, partition: Partition) -> None:
    """Part the rack till the smaller side has shed and the larger has traded that; then heal it."""
    senders = [node for node in rig.nodes if node.host.number in partition.senders]
    others = [node for node in rig.nodes if node not in senders]
    few, many = sorted((senders, others), key=len)
    pumps, severed = pumps_on(rig, many), cables.severed()
    if partition.both:
        cables.part([node.host for node in few], [node.host for node in many])
    else:
        cables.sever([node.host for node in senders], [node.host for node in others])
    rig.wait_for_loads(few, on=False)
    rig.wait_for_broker(among=many)
    wait_more_pumps(rig, many, than=pumps)
    assert not any(node.state()["authority"] for node in few)
    assert cables.severed() > severed, "nothing was lost"
    cables.heal()
    wait_settled(rig)


def sweep(rig: Rig, partitions: list[Partition]) -> set[int]:
    """Let one rack suffer these partitions; return the terms that it went through."""
    cables = Cables(rig.lan)
    rig.start()
    wait_settled(rig)
    terms: set[int] = set()
    for partition in partitions:
        terms.add(rig.node(1).state()["term"])
        try:
            suffer(rig, cables, partition)
        except AssertionError as failure:
            raise AssertionError(f"{partition}: {failure}") from failure
    assert_bound(rig)
    return terms


@pytest.mark.timeout(400)
def test_partition_of_every_kind_sheds_the_smaller_side_and_never_gives_a_watt_twice() -> None:
    """What the smaller side held goes to the larger one, and not while it may still be drawn."""
    partitions = TWO_WAY + ONE_WAY
    assert (len(TWO_WAY), len(ONE_WAY)) == (15, 30)
    with ExitStack() as stack:
        rigs = [stack.enter_context(tight()) for _ in range(RACKS)]
        terms = abreast(
            [
                functools.partial(sweep, rig, partitions[number::RACKS])
                for number, rig in enumerate(rigs)
            ]
        )
    assert all(len(each) > 1 for each in terms), "no partition ever took the broker away"
