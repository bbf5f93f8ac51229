"""What a node does about copies of ledgers: it offers its own, keeps others', and seeks its own.

Everything is pulled. An owner offers the batch that its ledger ends with to two keepers: the broker
that it follows, and the member next above it by node id, around. A keeper fetches what follows the
end of its copy, a parcel at a time and one parcel at a time in all, so that memory is bounded and a
slow disk slows nobody else. What is lost on the way is asked for again.

A parcel is taken if its batches follow the copy's last one, and if the owner signed them: a holder
of the rack's key cannot write another node's bill. A keeper whose last batch the owner does not
know begins anew beside its copy, and sets the old one aside only when the new one is whole.

While nobody leads, nothing is asked for or offered: what is sent to a node that is cut off has the
kernel look for its address for a second, and the first ack after the cut would wait behind that.

A node that has lost its ledger asks who has a copy, fetches the longest, and goes on from there.

Nothing here waits or sleeps; `clerk` is the thread that calls it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rackgrid.adapters.copies import Copies
from rackgrid.adapters.departed import Departed, Retention
from rackgrid.adapters.ledger_chain import Batch
from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.parcel import Parcel, unpacked
from rackgrid.adapters.pull import Pull, Shelf
from rackgrid.adapters.signing import Purpose, belongs
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId
from rackgrid.wire.post import Kind, Post

KEEPERS: Final = 2
OFFER_S: Final = 2.0
"""An offer that nobody answers is repeated after so long, then after twice that, ..."""
OFFER_MAX_S: Final = 300.0
WANTED_MAX: Final = 64
"""Owners that wait for their turn."""
REST_S: Final = 60.0
"""Nothing is due: look again after so long."""
SWEEP_S: Final = 3600.0
"""Between two looks at who has left."""
SEEK_S: Final = 10.0
"""So long a node that lost its ledger waits for who has not answered, once it has a broker."""
SEARCH_S: Final = 1.0
ALONE_S: Final = 300.0
"""So long it waits for a broker: without one there is no price to book at."""

Verify = Callable[[bytes, Purpose, bytes, bytes], bool]
_log = logging.getLogger("rackgrid.ledger")


@dataclass(frozen=True, slots=True)
class Circle:
    """Who is there.

    Attributes:
        broker: that is followed, or None.
        members: the nodes on the roster; live: those of them that are heard. Without this node.
        is_settled: the roster is of a rack that is there, and this node is on it: who is not among
            the members has left.
    """

    broker: NodeId | None = None
    members: frozenset[NodeId] = frozenset()
    live: frozenset[NodeId] = frozenset()
    is_settled: bool = False

    def keepers(self, me: NodeId) -> tuple[NodeId, ...]:
        """Say who keeps a node's copies: the broker, and those next above it by id, around."""
        ring = sorted(self.live, key=lambda node: (node < me, node))
        if self.broker in self.live:
            ring.sort(key=lambda node: node != self.broker)
        return tuple(ring[:KEEPERS])


@dataclass(slots=True)
class _Offer:
    """What a keeper has been offered: when again, and what it said that it keeps."""

    due_s: float
    wait_s: float = OFFER_S
    kept: Batch | None = None


@dataclass(slots=True)
class _Seek:
    """A node looks for its own ledger.

    Attributes:
        path: where it is to be.
        give_up_s: it begins anew then, if it has no broker.
        until_s: it takes the longest that it was told of by then; None before there is a broker.
        answers: what each node keeps: the number of its last batch.
    """

    path: Path
    give_up_s: float
    until_s: float | None = None
    search_s: float = 0.0
    answers: dict[NodeId, int] = field(default_factory=dict[NodeId, int])
    found: LedgerCopy | None = None
    keeper: NodeId | None = None


class Copyist:
    """The copies of one node.

    Args:
        me: whose.
        path: of its own ledger; copies lie in the folder `copies` beside it.
        verify: checks a signature.
        send: sends a post to a node, or to all.
        retention: how long copies of nodes that have left stay; None for ever.
    """

    def __init__(
        self,
        me: NodeId,
        path: Path,
        verify: Verify,
        send: Callable[[NodeId | None, Post], None],
        retention: Retention | None = None,
    ) -> None:
        self._me, self._path, self._verify, self._send = me, path, verify, send
        self.circle = Circle()
        self.copies = Copies(path.parent / "copies")
        self._retention = retention
        self._swept_s: float | None = None
        self._own: LedgerFile | None = None
        self._shelf = Shelf()
        self._offers: dict[NodeId, _Offer] = {}
        self._wanted: OrderedDict[NodeId, None] = OrderedDict()
        self._pull: Pull | None = None
        self._seek: _Seek | None = None

    @property
    def seeking(self) -> bool:
        """Whether it still looks for its own ledger: nothing may be written to that."""
        return self._seek is not None

    def close(self) -> None:
        """Let go of all files."""
        self.copies.close()
        if self._own is not None:
            self._own.close()
        if self._seek is not None and self._seek.found is not None:
            self._seek.found.close()

    # --- what happens ----------------------------------------------------------------------------

    def wrote(self, now_s: float) -> None:
        """Its own ledger has a new batch."""
        if self._own is None:
            self._own = LedgerFile(self._path, writable=False)
        for offer in self._offers.values():
            offer.due_s, offer.wait_s = now_s, OFFER_S

    def seek(self, now_s: float) -> None:
        """Look for its own ledger: what lies there is empty."""
        self._seek = _Seek(self._path, now_s + ALONE_S)

    def hear(self, sender: NodeId, post: Post, now_s: float) -> None:
        """Take what another node says."""
        match post.kind:
            case Kind.OFFER:
                self._offered(sender, post, now_s)
            case Kind.KEPT:
                self._kept(sender, post, now_s)
            case Kind.FETCH:
                self._fetched(sender, post)
            case Kind.PIECE | Kind.GONE:
                self._got(sender, post, now_s)
            case Kind.SEARCH:
                if sender in self.circle.members:
                    head = self.copies.head(sender)
                    number, digest = (0, bytes(32)) if head is None else (head.id, head.hash)
                    self._send(sender, Post(Kind.KEPT, sender, number, digest))

    def tick(self, now_s: float) -> float:
        """Do what is due; say when to call again, s."""
        due_s = now_s + REST_S
        if self._seek is not None:
            due_s = min(due_s, self._look_for(self._seek, now_s))
        elif self.circle.broker is None:
            return due_s
        if self._pull is not None:
            if self._pull.is_over(now_s):
                self._end_pull(now_s, whole=False)
            elif self._pull.due_s <= now_s:
                self._pull.again(now_s, self._send)
        self._next_pull(now_s)
        if self._pull is not None:
            due_s = min(due_s, self._pull.due_s)
        self._sweep(now_s)
        return min(due_s, self._offer_all(now_s))

    def _sweep(self, now_s: float) -> None:
        """Remove the copies of nodes that left long ago, and backups that nobody needs."""
        retention = self._retention
        is_due = self._swept_s is None or now_s - self._swept_s >= SWEEP_S
        if retention is None or not is_due or not self.circle.is_settled or self.seeking:
            return
        wall_ns = retention.wall_ns()
        if wall_ns is None:
            return
        self._swept_s = now_s
        departed = Departed(self.copies.folder, retention.keep_days)
        for owner in departed.over(self.circle.members, wall_ns):
            if self._pull is None or self._pull.owner != owner:
                self._wanted.pop(owner, None)
                self.copies.remove(owner)
        self.copies.clear(now_s, wall_ns)

    # --- as an owner -----------------------------------------------------------------------------

    def _offer_all(self, now_s: float) -> float:
        keepers = self.circle.keepers(self._me)
        self._offers = {k: self._offers.get(k) or _Offer(now_s) for k in keepers}
        due_s = now_s + REST_S
        if self._own is None:
            return due_s
        newest = self._own.signed() or self._own.head()
        for keeper, offer in self._offers.items():
            if not newest.id or (offer.kept and offer.kept.hash == newest.hash):
                continue
            if offer.due_s <= now_s:
                self._send(keeper, Post(Kind.OFFER, self._me, newest.id, newest.hash))
                offer.due_s = now_s + offer.wait_s
                offer.wait_s = min(2 * offer.wait_s, OFFER_MAX_S)
            due_s = min(due_s, offer.due_s)
        return due_s

    def _fetched(self, sender: NodeId, post: Post) -> None:
        """Send what follows a batch of its own ledger, or of the copy that the sender seeks."""
        if post.owner == self._me and sender in self.circle.members:
            ledger = self._own
        else:
            ledger = self.copies.find(sender) if sender == post.owner else None
        if ledger is not None:
            for answer in self._shelf.answers(ledger, post):
                self._send(sender, answer)

    # --- as a keeper -----------------------------------------------------------------------------

    def _offered(self, sender: NodeId, post: Post, now_s: float) -> None:
        if sender != post.owner or sender not in self.circle.members or self.seeking:
            return
        head = self.copies.head(sender)
        if head is not None and (head.id, head.hash) == (post.number, post.hash):
            self._send(sender, Post(Kind.KEPT, sender, head.id, head.hash))
        elif len(self._wanted) < WANTED_MAX:
            self._wanted[sender] = None
            self._next_pull(now_s)

    def _renew(self, owner: NodeId, now_s: float) -> None:
        """Begin a copy anew that has many rows which its owner has summed up."""
        try:
            fresh = self.copies.outgrown(owner, now_s)
        except StoreError as fault:
            self.copies.complain(str(fault))
            return
        if fresh is not None:
            self._pull = Pull(owner, owner, fresh, now_s)
            self._pull.again(now_s, self._send)

    def _next_pull(self, now_s: float) -> None:
        if self._pull is None and self._wanted and not self.seeking:
            owner, _ = self._wanted.popitem(last=False)
            try:
                self._pull = Pull(owner, owner, self.copies.hold(owner), now_s)
            except StoreError as fault:
                self.copies.complain(str(fault))
                return
            self._pull.again(now_s, self._send)

    def _got(self, sender: NodeId, post: Post, now_s: float) -> None:
        pull = self._pull
        if pull is None or sender != pull.source or post.owner != pull.owner:
            return
        try:
            if post.kind is Kind.GONE and post.number == pull.number:
                fresh = None if self.seeking else self.copies.anew(pull.owner, now_s)
                if fresh is None:
                    self._end_pull(now_s, whole=False)
                    return
                self._pull = Pull(pull.owner, pull.source, fresh, now_s)
                self._pull.again(now_s, self._send)
                return
            data = pull.take(post, now_s)
            if data is not None:
                self._take(pull, unpacked(data), now_s)
        except StoreError as fault:
            self.copies.complain(str(fault))
            self._end_pull(now_s, whole=False)

    def _take(self, pull: Pull, parcel: Parcel | str, now_s: float) -> None:
        objection = parcel if isinstance(parcel, str) else self._objection(pull, parcel)
        if objection:
            _log.warning(
                "what node %016x sent of the ledger of %016x is refused: %s",
                pull.source,
                pull.owner,
                objection,
            )
            self._end_pull(now_s, whole=False)
        elif pull.store.head().id == pull.number:
            self._end_pull(now_s, whole=True)  # Nobody vouches yet for what comes after.
        else:
            pull.advance(now_s)

    def _objection(self, pull: Pull, parcel: Parcel) -> str:
        """Take what of a parcel is signed; say why not, if not."""
        signed = parcel.signed()
        if not signed.batches and pull.store.signed() is None:
            # Of a format without signatures: the first one that comes will vouch for it.
            return pull.store.take(parcel.batches, parcel.origin)
        if not signed.batches:
            return ""
        if not belongs(signed.public_key, pull.owner):
            return "its key is another node's"
        last = signed.batches[-1][0]
        if not self._verify(signed.public_key, Purpose.LEDGER, last.told, last.signature or b""):
            return f"batch {last.id} is not signed by the node whose it is"
        pull.store.belong(signed.public_key)
        return pull.store.take(signed.batches, signed.origin)

    def _end_pull(self, now_s: float, *, whole: bool) -> None:
        pull, self._pull = self._pull, None
        assert pull is not None, "it is ended once"
        if self._seek is not None:
            if not whole:
                self._seek.answers.pop(pull.source, None)
            self._choose(self._seek, now_s, whole=whole)
            return
        if not whole:
            self.copies.abandon(pull.owner)
        else:
            head = self.copies.settle(pull.owner)
            self._send(pull.owner, Post(Kind.KEPT, pull.owner, head.id, head.hash))
            self._renew(pull.owner, now_s)
        self._next_pull(now_s)

    # --- as one that seeks, or is told -----------------------------------------------------------

    def _kept(self, sender: NodeId, post: Post, now_s: float) -> None:
        pull = self._pull
        if pull is not None and (sender, post.owner) == (pull.source, pull.owner):
            if (post.number, post.hash) == (pull.number, pull.hash):
                self._end_pull(now_s, whole=True)
        elif post.owner == self._me and self._seek is not None:
            if sender in self.circle.members:
                self._seek.answers[sender] = post.number
        elif post.owner == self._me and sender in self._offers:
            self._offers[sender].kept = Batch(post.number, post.hash)

    def _look_for(self, seek: _Seek, now_s: float) -> float:
        """Ask who has a copy, and begin to fetch one; say when to go on, s."""
        if self._pull is not None:
            return self._pull.due_s
        if self.circle.broker is None and seek.until_s is None:
            if now_s >= seek.give_up_s:
                self._choose(seek, now_s, whole=False)
            return min(seek.give_up_s, now_s + SEARCH_S)
        if seek.until_s is None:
            seek.until_s = now_s + SEEK_S
        # Not all that are live: who has the copy may only not have been heard yet.
        members = self.circle.members
        if now_s >= seek.until_s or (members and members <= seek.answers.keys()):
            self._choose(seek, now_s, whole=False)
            return now_s + SEARCH_S
        if seek.search_s <= now_s:
            seek.search_s = now_s + SEARCH_S
            self._send(None, Post(Kind.SEARCH, self._me))
        return min(seek.until_s, seek.search_s)

    def _choose(self, seek: _Seek, now_s: float, *, whole: bool) -> None:
        """Fetch from who has the longest; go on with what there is if nobody has more."""
        have = 0 if seek.found is None else seek.found.head().id
        best = max(seek.answers.items(), key=lambda item: item[1], default=None)
        if not whole and best is not None and best[1] > have:
            if seek.found is None:
                seek.found = self.copies.beside(seek.path)
            seek.keeper = best[0]
            self._pull = Pull(self._me, best[0], seek.found, now_s)
            self._pull.again(now_s, self._send)
            return
        self._seek = None
        self.copies.bring_back(seek.path, seek.found, seek.keeper)
