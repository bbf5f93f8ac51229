"""A parcel comes in pieces, in any order, some of them twice or of another parcel."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.adapters.parcel import Parcel, parcel_after, unpacked
from rackgrid.adapters.pull import BURST, TRIES_MAX, Pull, Shelf
from rackgrid.identity import NodeId
from rackgrid.wire.post import Kind, Post

OWNER, KEEPER = NodeId(7), NodeId(8)
BATCHES = 30
"""Of 15 rows each: a parcel of more than one burst."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerStore]:
    store, chance = open_ledger(tmp_path / "ledger.db"), random.Random(1)
    for at in range(BATCHES):
        told = rows(f"{chance.randbytes(700).hex()} {at}", 15)
        store.append(told, KERNEL, None, lambda _: b"s" * 64)
    yield store
    store.close()


@pytest.fixture
def pull(tmp_path: Path) -> Iterator[Pull]:
    copy = LedgerCopy(tmp_path / "copy.db")
    yield Pull(OWNER, OWNER, copy, 0.0)
    copy.close()


class Line:
    """Collects what is sent."""

    def __init__(self) -> None:
        self.posts: list[Post] = []

    def send(self, to: NodeId | None, post: Post) -> None:
        assert to == OWNER
        self.posts.append(post)


def test_pieces_come_a_burst_at_a_time_and_make_the_parcel(ledger: LedgerStore, pull: Pull) -> None:
    line, shelf, bursts = Line(), Shelf(), 0
    data = None
    while data is None:
        pull.again(0.0, line.send)
        (asked,) = line.posts
        line.posts.clear()
        answers = list(shelf.answers(ledger, asked))
        assert 0 < len(answers) <= BURST
        bursts += 1
        for piece in answers:
            data = pull.take(piece, 0.0) or data
    assert bursts > 1
    parcel = unpacked(data)
    assert isinstance(parcel, Parcel)
    assert parcel == parcel_after(ledger, 0)


def test_pieces_that_are_lost_or_come_twice_are_asked_for_and_left(
    ledger: LedgerStore, pull: Pull
) -> None:
    line, shelf, chance, data = Line(), Shelf(), random.Random(3), None
    for _ in range(200):
        line.posts.clear()
        pull.again(0.0, line.send)
        answers = [piece for post in line.posts for piece in shelf.answers(ledger, post)]
        chance.shuffle(answers)
        for piece in answers:
            for _ in range(chance.randrange(3)):
                data = pull.take(piece, 0.0) or data
        if data is not None:
            break
    assert data is not None
    assert isinstance(unpacked(data), Parcel)


def test_pieces_of_another_place_or_parcel_are_not_mixed_in(
    ledger: LedgerStore, pull: Pull
) -> None:
    asked = Post(Kind.FETCH, OWNER, 0, ledger.first_hash())
    first, *_ = Shelf().answers(ledger, asked)
    other = Post(Kind.PIECE, OWNER, 3, b"x" * 32, first.check, 0, 1, b"other")
    assert pull.take(other, 0.0) is None
    assert pull.take(first, 0.0) is None
    assert list(pull.parts) == [0]
    newer = Post(Kind.PIECE, OWNER, 0, first.hash, first.check + 1, 1, 2, b"newer")
    assert pull.take(newer, 0.0) is None
    assert list(pull.parts) == [1], "the ledger has grown: all is asked for anew"
    wrong = Post(Kind.PIECE, OWNER, 0, first.hash, first.check + 1, 0, 2, b"wrong")
    assert pull.take(wrong, 0.0) is None
    assert pull.parts == {}, "it is not what was said"


def test_what_does_not_come_is_given_up(pull: Pull) -> None:
    line, now_s = Line(), 0.0
    waits: list[float] = []
    while not pull.is_over(now_s):
        pull.again(now_s, line.send)
        waits.append(pull.due_s - now_s)
        now_s = pull.due_s
    assert len(line.posts) == TRIES_MAX
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]


def test_batch_that_is_not_known_is_gone_and_the_newest_is_all_there_is(
    ledger: LedgerStore,
) -> None:
    shelf = Shelf()
    (gone,) = shelf.answers(ledger, Post(Kind.FETCH, OWNER, 1, b"x" * 32))
    (missing,) = shelf.answers(ledger, Post(Kind.FETCH, OWNER, 99, ledger.last_hash()))
    (kept,) = shelf.answers(ledger, Post(Kind.FETCH, OWNER, BATCHES, ledger.last_hash()))
    assert (gone.kind, missing.kind, kept.kind) == (Kind.GONE, Kind.GONE, Kind.KEPT)
