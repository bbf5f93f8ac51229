"""A scenario under way: what is known of it so far."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rackgrid.market.honesty import Record
from rackgrid.market.tariff import Interval
from rackgrid.simulation.scenario import sky
from rackgrid.simulation.scenario.bill import Books, Flat
from rackgrid.simulation.scenario.library import Node, Scenario
from rackgrid.simulation.scenario.load import Load


@dataclass(frozen=True, slots=True)
class Start:
    """A load that came on: in which second of which minute, and what it bid."""

    minute: int
    second: int
    load: str
    worth_uc: int


@dataclass(frozen=True, slots=True)
class Minute:
    """What one round came to.

    Attributes:
        peak_mw: the most that was drawn at any moment of it.
        drawn_mj: what loads took; bought_mj: what the battery took beside them.
        sources_mj: what each source gave; both together.
        on: whether each load was on, in the order of nodes and their loads.
    """

    minute: int
    price_uc: int | None
    peak_mw: int
    drawn_mj: int
    bought_mj: int
    capacity_mw: int
    sun_mw: int
    stored_mj: int
    sources_mj: dict[str, int]
    on: tuple[bool, ...]


@dataclass(slots=True)
class Run:
    """A scenario under way, and its sums.

    Attributes:
        shades: what clouds take of the sun, of 1000, by the minute.
        records, flagged: what nodes have proved, by number, and who was ever flagged.
        bill: what the sources ask for what they gave, mJ · uc.
        unserved_mj: what required loads lacked while there was a feed.
        defiant: a load that is on against the market's will; excess_mw: what it takes.
        welfare, optimum: sums over the rounds whose optimum was found, `judged_rounds`.
        switched: how often each load was, by day and name.
        known: prices expected; slot_uc: yesterday's, by the slot; seen_uc: those of this slot.
    """

    scenario: Scenario
    days: int
    chance: random.Random
    nodes: list[Node]
    shades: Sequence[int]
    books: Books = field(default_factory=Books)
    flat: Flat = field(default_factory=Flat)
    minutes: list[Minute] = field(default_factory=list[Minute])
    starts: list[Start] = field(default_factory=list[Start])
    records: dict[int, Record] = field(default_factory=dict[int, Record])
    flagged: set[int] = field(default_factory=set[int])
    stored_mj: int = 0
    stored_first_mj: int = 0
    bill: int = 0
    unserved_mj: int = 0
    defiant: Load | None = None
    defiant_until: int = 0
    excess_mw: int = 0
    welfare: int = 0
    optimum: int = 0
    judged_rounds: int = 0
    switched: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])
    known: tuple[Interval, ...] = ()
    slot_uc: list[int | None] = field(default_factory=lambda: [None] * sky.SLOTS)
    seen_uc: list[int] = field(default_factory=list[int])
    hasher: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    @property
    def digest(self) -> str:
        """Of all that happened."""
        return self.hasher.hexdigest()

    def counters_mj(self) -> dict[str, int]:
        """Where every counter stands, mJ: those of loads, and of what nodes always take."""
        counters = {node.name: node.counter_mj for node in self.nodes}
        return counters | {load.name: load.counter_mj for node in self.nodes for load in node.loads}

    def note(self, minute: Minute) -> None:
        """Keep a minute, and put it into the digest."""
        self.minutes.append(minute)
        self.hasher.update(f"{minute}\n".encode())
