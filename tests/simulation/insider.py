"""A member that lies: it holds the key, hears all, and speaks in every other's name.

Nothing on the wire stops it, so it is let loose on the cores themselves: every two milliseconds it
takes something that was said, changes as much of it as it likes (whom it is from, to whom it goes,
and each number in it, up to the ends of its range), and has it delivered as the word of the boot
that runs. What the codec would turn away is not sent.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import IntEnum
from functools import partial
from typing import Any, cast

from rackgrid.core.settings import MS_NS
from rackgrid.identity import BootId, NodeId, Pair, Round
from rackgrid.simulation.network import Datagram
from rackgrid.simulation.world import World
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Ack, Allotment, Message, Price
from rackgrid.wire.vocabulary import Rejection

EVERY_NS = 2 * MS_NS
KEPT = 400
"""It speaks of what is going on now."""
CHANGED = 0.1
"""Of the fields of what he says."""
EXTREMES = (0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1, -1)


class Forger:
    """Says two things, as often as it can, that each pay: no lie at random comes upon them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._acks: dict[NodeId, tuple[Datagram, Ack]] = {}
        self._price: tuple[Datagram, Price] | None = None
        world.tap = self._hear

    def disown(self, until_ns: int) -> None:
        """Ack in each member's name that it holds nothing and wants nothing."""
        for sent, ack in list(self._acks.values()):
            empty = replace(ack.report, bid_seq=ack.report.bid_seq + 1000, steps=())
            empty = replace(empty, holding_mw=0, holding_ms=0, draw_mw=ack.report.required_mw)
            self._world.deliver(replace(sent, message=replace(ack, report=empty)))
        self._again(self.disown, until_ns)

    def grant(self, until_ns: int) -> None:
        """Give every member all that there is, in the broker's name."""
        if self._price is not None:
            sent, price = self._price
            gifts = tuple(
                Allotment(s.sender, s.boot, ack.report.bid_seq, 2**32 - 1, 2**32 - 1)
                for s, ack in self._acks.values()
            )
            later = Round(price.round + 1)
            gift = replace(price, round=later, price_uc=0, allotments=gifts)
            for to in self._acks:
                self._world.deliver(replace(sent, to=to, message=gift))
        self._again(self.grant, until_ns)

    def _again(self, deed: Callable[[int], None], until_ns: int) -> None:
        next_ns = self._world.now_ns + 20 * MS_NS
        if next_ns < until_ns:
            self._world.at(next_ns, partial(deed, until_ns))

    def _hear(self, sent: Datagram) -> bool:
        match sent.message:
            case Ack():
                self._acks[sent.sender] = sent, sent.message
            case Price():
                self._price = sent, sent.message
            case _:
                pass
        return False


class Insider:
    """Has the key, and lies at random."""

    def __init__(self, world: World, seed: int, *, keeps_terms: bool = False) -> None:
        """Listen.

        Args:
            keeps_terms: it leaves all pairs as they are, and so inflates no term.
        """
        self._world, self._keeps_terms = world, keeps_terms
        self._chance = random.Random(seed)
        self._busy = False
        self._heard: list[Message] = []
        self.said = 0
        world.tap = self._hear

    def begin(self) -> None:
        """Begin to speak."""
        self._busy = True
        self._act()

    def end(self) -> None:
        """Fall silent."""
        self._busy = False

    def _hear(self, sent: Datagram) -> bool:
        if not self._heard or self._heard[-1] is not sent.message:
            self._heard = [*self._heard[1 - KEPT :], sent.message]
        return False

    def _act(self) -> None:
        if not self._busy:
            return
        self._world.at(self._world.now_ns + EVERY_NS, self._act)
        if not self._heard:
            return
        lie = self._twisted(self._chance.choice(self._heard))
        try:
            message = decode(encode(lie))
        except (struct.error, AssertionError, ValueError):
            return  # no bytes say this
        if isinstance(message, Rejection):
            return
        running = [(s.identity, s.node.state.boot) for s in self._world.seats.values() if s.node]
        pair = getattr(message, "pair", None)
        speaker: tuple[NodeId, BootId] = self._chance.choice(running)
        if pair is not None and self._chance.random() < 0.7:
            speaker = (pair.node, pair.boot)  # else it is known for a lie at once
        for to in list(self._world.seats):
            if to != speaker[0] and self._chance.random() < 0.7:
                unicast = self._chance.random() < 0.5
                self._world.deliver(Datagram(*speaker, to, message, unicast))
                self.said += 1

    def _twisted(self, value: Any) -> Any:
        """Change some of what a value is made of."""
        chance = self._chance
        if isinstance(value, Pair) and self._keeps_terms:
            return value
        if is_dataclass(value) and not isinstance(value, type):
            new = {f.name: self._twisted(getattr(value, f.name)) for f in fields(value) if f.init}
            try:
                return replace(cast("Any", value), **new)
            except (ValueError, AssertionError):
                return value
        if isinstance(value, tuple):
            return tuple(self._twisted(each) for each in cast("tuple[Any, ...]", value))
        if chance.random() >= CHANGED or isinstance(value, (str, bytes)):
            return value
        if isinstance(value, bool):
            return not value
        if isinstance(value, IntEnum):
            return chance.choice(list(type(value)))
        near = cast("int", value) + chance.choice((-1, 1, 2, 7, 1000))
        return near if chance.random() < 0.7 else chance.choice(EXTREMES)
