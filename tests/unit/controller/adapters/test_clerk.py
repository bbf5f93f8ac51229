"""The clerk's thread: posts go in and out, and nobody waits for it."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger import eventually
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.clerk import INBOX_MAX, Clerk
from rackgrid.adapters.copyist import Circle
from rackgrid.adapters.keys import Identity, load_identity, load_private_key
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.signing import Purpose, sign
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId


class Node:
    """A node with a clerk; what it sends goes to the other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.identity: Identity = load_identity(folder)
        self.path = folder / "ledger.db"
        self.signer = Signer(folder)
        self.other: Node | None = None
        self.sent: queue.Queue[bytes] = queue.Queue()
        self.clerk = Clerk(self.identity.node_id, self.path, self.signer, self._send)

    def _send(self, to: NodeId | None, payload: bytes) -> None:
        self.sent.put(payload)
        if self.other is not None:
            self.other.clerk.hear(self.identity.node_id, payload)

    def close(self) -> None:
        self.clerk.close()
        self.signer.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    first, second = Node(tmp_path / "first"), Node(tmp_path / "second")
    first.other, second.other = second, first
    for node, other in ((first, second), (second, first)):
        members = frozenset({other.identity.node_id})
        node.clerk.look(Circle(other.identity.node_id, members, members))
    yield first, second
    first.close()
    second.close()


def written(node: Node) -> bytes:
    private = load_private_key(node.folder)
    store = open_ledger(node.path)
    store.belong(node.identity.public_key)
    store.append(rows("fan", 9), KERNEL, None, lambda told: sign(private, Purpose.LEDGER, told))
    last_hash = store.last_hash()
    store.close()
    return last_hash


def ends_with(path: Path, last_hash: bytes) -> bool:
    try:
        file = LedgerFile(path, writable=False)
    except StoreError:
        return False  # It is not there, or is just being made.
    found = file.last_hash()
    file.close()
    return found == last_hash


def test_what_one_has_written_the_other_keeps_and_gives_back(two: tuple[Node, Node]) -> None:
    owner, keeper = two
    last_hash = written(owner)
    owner.clerk.wrote()
    copy = keeper.folder / "copies" / f"{owner.identity.node_id:016x}.db"
    assert eventually(lambda: ends_with(copy, last_hash))
    owner.clerk.close()
    for path in owner.folder.glob("ledger.db*"):
        path.unlink()
    open_ledger(owner.path).close()
    owner.clerk = Clerk(owner.identity.node_id, owner.path, owner.signer, owner._send)
    members = frozenset({keeper.identity.node_id})
    owner.clerk.look(Circle(keeper.identity.node_id, members, members))
    owner.clerk.seek()
    assert owner.clerk.seeking
    assert eventually(lambda: not owner.clerk.seeking)
    assert ends_with(owner.path, last_hash)


def test_flood_is_dropped_and_nobody_waits(two: tuple[Node, Node]) -> None:
    owner, keeper = two
    for _ in range(20 * INBOX_MAX):
        keeper.clerk.hear(owner.identity.node_id, b"\x40 no post")
        keeper.clerk.hear(NodeId(3), b"")
    last_hash = written(owner)
    owner.clerk.wrote()
    copy = keeper.folder / "copies" / f"{owner.identity.node_id:016x}.db"
    assert eventually(lambda: ends_with(copy, last_hash))


def test_ledger_that_cannot_be_read_is_said_once_and_the_thread_goes_on(
    two: tuple[Node, Node], caplog: pytest.LogCaptureFixture
) -> None:
    owner, _ = two
    owner.clerk.wrote()
    assert eventually(lambda: "there is no ledger" in caplog.text)
    last_hash = written(owner)
    owner.clerk.wrote()
    assert eventually(lambda: not owner.sent.empty())
    assert last_hash in owner.sent.get()
