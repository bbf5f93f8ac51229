"""Nodes keep copies of each other's ledgers over a network that loses, and get their own back."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.copyist import Circle, Copyist
from rackgrid.adapters.keys import load_identity, load_private_key
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.adapters.parcel import Parcel, packed
from rackgrid.adapters.signing import Purpose, sign, verify
from rackgrid.identity import NodeId
from rackgrid.market.row import Row
from rackgrid.wire.post import Kind, Post, decode, encode


class Member:
    """A node with a ledger and a copyist."""

    def __init__(self, net: Net, folder: Path) -> None:
        self.net, self.folder = net, folder
        folder.mkdir(exist_ok=True)
        identity = load_identity(folder)
        self.me, self.key = identity.node_id, identity.public_key
        self.private = load_private_key(folder)
        self.told: Row | None = None
        self.path = folder / "ledger.db"
        self.store: LedgerStore | None = None
        self.start()

    def start(self) -> None:
        self.copyist = Copyist(self.me, self.path, verify, self._send)

    def stop(self) -> None:
        self.copyist.close()
        if self.store is not None:
            self.store.close()
        self.store = None

    def write(self, count: int = 3, batches: int = 1) -> None:
        if self.store is None:
            self.store = open_ledger(self.path)
            self.store.belong(self.key)
            self.told = self.store.last_rows().get("fan")
        for _ in range(batches):
            told = rows("fan", count, self.told)
            self.told = told[-1]
            self.store.append(told, KERNEL, 5, self._sign)
        self.copyist.wrote(self.net.now_s)

    def copy_of(self, other: Member) -> Path:
        return self.folder / "copies" / f"{other.me:016x}.db"

    def _sign(self, told: bytes) -> bytes:
        return sign(self.private, Purpose.LEDGER, told)

    def _send(self, to: NodeId | None, post: Post) -> None:
        self.net.send(self.me, to, encode(post))


class Net:
    """A network that loses datagrams, and a clock."""

    def __init__(self, folder: Path, count: int) -> None:
        self.now_s, self.loss, self.chance = 0.0, 0.0, random.Random(1)
        self.queue: list[tuple[NodeId, NodeId, bytes]] = []
        self.sent = 0
        made = [Member(self, folder / f"node{at}") for at in range(count)]
        self.members = {member.me: member for member in sorted(made, key=lambda m: m.me)}
        self.all = list(self.members.values())
        self.meet(self.all[0])

    def meet(self, broker: Member | None) -> None:
        for member in self.all:
            others = frozenset(self.members) - {member.me}
            member.copyist.circle = Circle(broker.me if broker else None, others, others)

    def send(self, sender: NodeId, to: NodeId | None, payload: bytes) -> None:
        self.sent += 1
        for other in [to] if to is not None else [n for n in self.members if n != sender]:
            if self.chance.random() >= self.loss:
                self.queue.append((sender, other, payload))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            while self.queue:
                sender, to, payload = self.queue.pop(0)
                post = decode(payload)
                assert isinstance(post, Post)
                self.members[to].copyist.hear(sender, post, self.now_s)
            for member in self.all:
                assert member.copyist.tick(self.now_s) > self.now_s - 1
            self.now_s += 0.1


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path, 4)
    yield made
    for member in made.all:
        member.stop()


def verified(path: Path) -> tuple[int, bytes]:
    """Verify a file; what it ends with."""
    file = LedgerFile(path, writable=False)
    assert file.verify() == []
    head = file.head()
    file.close()
    return head.id, head.hash


def head_of(member: Member) -> tuple[int, bytes]:
    assert member.store is not None
    return member.store.head().id, member.store.last_hash()


def test_broker_and_the_next_member_keep_copies(net: Net) -> None:
    broker, owner, successor, other = net.all
    owner.write(batches=5)
    net.run(3)
    assert verified(broker.copy_of(owner)) == head_of(owner)
    assert verified(successor.copy_of(owner)) == head_of(owner)
    assert not other.copy_of(owner).exists()
    broker.write()
    net.run(3)
    assert verified(owner.copy_of(broker)) == verified(successor.copy_of(broker)) == head_of(broker)


def test_nothing_is_said_while_there_is_nothing_new(net: Net) -> None:
    net.all[1].write()
    net.run(3)
    before = net.sent
    net.run(1000)
    assert net.sent == before


@pytest.mark.parametrize("loss", [0.1, 0.5])
def test_long_ledger_is_copied_over_a_network_that_loses(net: Net, loss: float) -> None:
    net.loss = loss
    owner = net.all[1]
    owner.write(40, batches=60)
    net.run(400)
    assert verified(net.all[0].copy_of(owner)) == head_of(owner)
    owner.write()
    net.run(400)
    assert verified(net.all[2].copy_of(owner)) == head_of(owner)


def lose(member: Member) -> None:
    member.stop()
    for path in member.folder.glob("ledger.db*"):
        path.unlink()


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_ledger_that_was_lost_comes_back_and_goes_on(net: Net, loss: float) -> None:
    """Fails if an SD card that dies takes its node's bills with it."""
    owner = net.all[1]
    owner.write(batches=9)
    net.run(3)
    before = head_of(owner)
    lose(owner)
    open_ledger(owner.path).close()
    owner.start()
    net.meet(net.all[0])
    net.loss = loss
    owner.copyist.seek(net.now_s)
    net.run(100)
    assert not owner.copyist.seeking
    assert verified(owner.path) == before
    net.loss = 0.0
    owner.write()
    net.run(60)
    assert verified(net.all[0].copy_of(owner)) == head_of(owner)
    assert owner.store is not None
    (mend,) = owner.store.mends()
    assert (mend.batch, mend.aside) == (before[0], "")
    assert owner.told is not None
    assert owner.store.totals()["fan"].energy_mj == owner.told.counter_mj


def test_damaged_ledger_is_set_aside_and_comes_back(net: Net) -> None:
    owner = net.all[2]
    owner.write(batches=4)
    net.run(3)
    before = head_of(owner)
    owner.stop()
    owner.path.write_bytes(b"what is this" * 1000)
    open_ledger(owner.path).close()
    owner.start()
    net.meet(net.all[0])
    owner.copyist.seek(net.now_s)
    net.run(20)
    assert verified(owner.path) == before
    owner.write()
    assert owner.store is not None
    assert owner.store.mends()[0].aside == "ledger.db.bad"
    assert (owner.folder / "ledger.db.bad").exists()


def test_node_of_whose_ledger_nobody_has_a_copy_begins_anew(net: Net) -> None:
    owner = net.all[1]
    open_ledger(owner.path).close()
    owner.copyist.seek(net.now_s)
    net.run(1)
    assert not owner.copyist.seeking, "all have answered"
    owner.write()
    net.run(3)
    assert verified(net.all[0].copy_of(owner)) == head_of(owner)


def test_member_that_is_not_heard_yet_is_waited_for(net: Net) -> None:
    """Fails if a node that starts takes the first answer for all of them."""
    broker, owner, keeper, _ = net.all
    owner.write(batches=2)
    net.run(3)
    before = head_of(owner)
    lose(owner)
    broker.copyist.copies.close()
    broker.copy_of(owner).unlink()
    open_ledger(owner.path).close()
    owner.start()
    members = frozenset(net.members) - {owner.me}
    owner.copyist.circle = Circle(broker.me, members, frozenset({broker.me}))
    owner.copyist.seek(net.now_s)
    deaf, keeper.copyist.circle = keeper.copyist.circle, Circle()
    net.run(2)
    assert owner.copyist.seeking
    keeper.copyist.circle = deaf
    net.run(5)
    assert not owner.copyist.seeking
    assert verified(owner.path) == before


def test_node_that_finds_no_broker_begins_anew_in_the_end(net: Net) -> None:
    owner = net.all[1]
    open_ledger(owner.path).close()
    net.meet(None)
    owner.copyist.seek(net.now_s)
    net.run(100)
    assert owner.copyist.seeking
    net.run(300)
    assert not owner.copyist.seeking


def test_owner_that_goes_on_from_something_else_is_copied_anew_and_the_former_kept(
    net: Net, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a copy that proves a change of the original is lost over it."""
    owner, broker = net.all[1], net.all[0]
    owner.write(batches=3)
    net.run(3)
    before = verified(broker.copy_of(owner))
    lose(owner)
    owner.start()
    net.meet(broker)
    owner.write(batches=1)
    net.run(5)
    assert verified(broker.copy_of(owner)) == head_of(owner)
    (aside,) = (broker.folder / "copies").glob("*.aside")
    assert verified(aside) == before
    assert "goes on from another ledger" in caplog.text


def forged(owner: Member, forger: Member, key: bytes) -> bytes:
    """A parcel that goes on with the owner's ledger, signed by another."""
    assert owner.store is not None
    file = LedgerFile(owner.path, writable=False)
    (batch, entries) = list(file.after(0))[-1]
    file.close()
    signature = sign(forger.private, Purpose.LEDGER, batch.told)
    return packed(Parcel(key, [(replace(batch, signature=signature), entries)]))


@pytest.mark.parametrize("own_key", [True, False])
def test_bill_that_another_holder_of_the_key_forges_is_refused(
    net: Net, caplog: pytest.LogCaptureFixture, own_key: bool
) -> None:
    owner, keeper, forger = net.all[1], net.all[0], net.all[3]
    owner.write()
    net.run(3)
    before = verified(keeper.copy_of(owner))
    offer = Post(Kind.OFFER, owner.me, 2, b"x" * 32)
    net.members[keeper.me].copyist.hear(owner.me, offer, net.now_s)
    owner.write()
    data = forged(owner, forger, owner.key if own_key else forger.key)
    piece = Post(Kind.PIECE, owner.me, *before, zlib.crc32(data), 0, 1, data)
    net.queue.clear()
    keeper.copyist.hear(owner.me, piece, net.now_s)
    assert verified(keeper.copy_of(owner)) == before
    assert "is refused" in caplog.text
    net.run(5)
    assert verified(keeper.copy_of(owner)) == head_of(owner), "and the owner's own is taken"


def test_strangers_are_not_kept_and_copies_are_given_to_their_owner_alone(net: Net) -> None:
    owner, keeper, other = net.all[1], net.all[0], net.all[3]
    owner.write()
    net.run(3)
    net.queue.clear()
    stranger = NodeId(12345)
    keeper.copyist.hear(stranger, Post(Kind.OFFER, stranger, 3), net.now_s)
    keeper.copyist.hear(stranger, Post(Kind.SEARCH, stranger), net.now_s)
    keeper.copyist.hear(other.me, Post(Kind.OFFER, owner.me, 3), net.now_s)
    keeper.copyist.hear(other.me, Post(Kind.FETCH, owner.me), net.now_s)
    keeper.copyist.tick(net.now_s)
    assert net.queue == []


def test_nothing_is_sent_while_nobody_leads(net: Net) -> None:
    """Neither offers nor what is being fetched; both go on with the next broker."""
    owner, broker = net.all[1], net.all[0]
    owner.write()
    net.run(0.2)
    net.meet(None)
    net.queue.clear()
    sent = net.sent
    owner.write()
    net.run(60.0)
    assert net.sent == sent
    net.meet(broker)
    net.run(5.0)
    assert verified(broker.copy_of(owner)) == head_of(owner)


def test_keepers_are_the_broker_and_those_above_around() -> None:
    nodes = [NodeId(each) for each in (1, 2, 3, 4)]
    live = frozenset(nodes)
    assert Circle(nodes[0], live, live - {nodes[2]}).keepers(nodes[2]) == (1, 4)
    assert Circle(nodes[3], live, live - {nodes[3]}).keepers(nodes[3]) == (1, 2)
    assert Circle(None, live, live - {nodes[1]}).keepers(nodes[1]) == (3, 4)
    assert Circle(None).keepers(nodes[1]) == ()
