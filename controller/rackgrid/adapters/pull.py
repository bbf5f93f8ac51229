"""Fetching parcels of a ledger piece by piece, and giving them out.

A parcel is asked for by what it follows, and from which piece on. So many pieces come at a time as
a socket holds beside what decides about power; a moment later more are asked for. What is lost
is asked for again, seldomer and seldomer, and then given up: whoever offered it offers it again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.parcel import packed, parcel_after
from rackgrid.identity import NodeId
from rackgrid.wire.post import DATA_MAX, PARTS_MAX, Kind, Post

BURST: Final = 16
"""Pieces at a time: 20 KB."""
PACE_S: Final = 0.1
"""Between two bursts: 160 pieces a second, where a node is thought a flood from 250 on."""
AGAIN_S: Final = 0.5
TRIES_MAX: Final = 6
"""Some 30 s."""
SHELF_MAX: Final = 2
"""Parcels that are kept ready to be sent."""

Send = Callable[[NodeId | None, Post], None]


@dataclass(slots=True)
class Pull:
    """A copy that grows by what another node has.

    Attributes:
        owner: whose ledger it is; source: who sends.
        number, hash: what the copy ends with.
        parts: those that came of the parcel that is under way.
    """

    owner: NodeId
    source: NodeId
    store: LedgerCopy
    now_s: float
    number: int = 0
    hash: bytes = b""
    parts: dict[int, bytes] = field(default_factory=dict[int, bytes])
    check: tuple[int, int] = (0, 0)
    due_s: float = 0.0
    tries: int = 0

    def __post_init__(self) -> None:
        self.advance(self.now_s)

    def advance(self, now_s: float) -> None:
        """Go on from what the copy ends with now."""
        head = self.store.head()
        self.number, self.hash = head.id, head.hash
        self.parts, self.check, self.tries, self.due_s = {}, (0, 0), 0, now_s + PACE_S

    def is_over(self, now_s: float) -> bool:
        """Whether it was asked for often enough."""
        return self.tries >= TRIES_MAX and self.due_s <= now_s

    def again(self, now_s: float, send: Send) -> None:
        """Ask for what is missing."""
        self.due_s = now_s + AGAIN_S * 2**self.tries
        self.tries += 1
        part = next(at for at in range(len(self.parts) + 1) if at not in self.parts)
        send(self.source, Post(Kind.FETCH, self.owner, self.number, self.hash, part=part))

    def take(self, post: Post, now_s: float) -> bytes | None:
        """Take a piece; return the parcel if it is whole."""
        if (post.number, post.hash) != (self.number, self.hash):
            return None
        if (post.check, post.of) != self.check:
            self.parts, self.check = {}, (post.check, post.of)
        if post.part in self.parts:
            return None
        self.parts[post.part] = post.data
        self.tries, self.due_s = 0, now_s + AGAIN_S
        if len(self.parts) == post.of:
            data = b"".join(self.parts[at] for at in range(post.of))
            if zlib.crc32(data) == post.check:
                return data
            self.parts = {}
        elif post.part % BURST == BURST - 1:
            self.due_s = now_s + PACE_S
        return None


class Shelf:
    """Parcels that are asked for, a burst of pieces at a time."""

    def __init__(self) -> None:
        self._parcels: dict[tuple[NodeId, int, int], bytes] = {}

    def answers(self, ledger: LedgerFile, asked: Post) -> Iterator[Post]:
        """Answer a FETCH out of a ledger."""
        place = (asked.owner, asked.number, asked.hash)
        before = ledger.batch(asked.number) if asked.number else None
        if asked.number and (before is None or before.hash != asked.hash):
            yield Post(Kind.GONE, *place)
            return
        head = ledger.head()
        if head.id == asked.number:
            yield Post(Kind.KEPT, *place)
            return
        key = (asked.owner, asked.number, head.id)
        data = self._parcels.pop(key, None) or packed(parcel_after(ledger, asked.number))
        while len(self._parcels) >= SHELF_MAX:
            self._parcels.pop(next(iter(self._parcels)))
        self._parcels[key] = data
        of = -(-len(data) // DATA_MAX)
        if of > PARTS_MAX:
            return
        for part in range(asked.part, min(of, asked.part + BURST)):
            piece = data[part * DATA_MAX : (part + 1) * DATA_MAX]
            yield Post(Kind.PIECE, *place, zlib.crc32(data), part, of, piece)
