"""JOIN and LEAVE carry their node's own signature."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rackgrid.adapters.endpoint import Received
from rackgrid.adapters.keys import Identity, load_identity, load_private_key
from rackgrid.adapters.notary import CHECKS_MAX, PROOFS_MAX, Notary, Signed, statement
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.signing import Purpose, sign, verify
from rackgrid.identity import BootId, NodeId, Pair, RackId, Term
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import NO_AUTOGRAPH, Autograph, Join, Leave, Message

BOOT = BootId(7)
PAIR = Pair(Term(3), NodeId(9), BootId(90))
JOIN = Join(1, "carl", 5, 5000, False, 2, PAIR, RackId(0xAC), 4)
PATIENCE_S = 30.0


class Desk:
    """A node's identity and its notary; the test is its loop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity: Identity = load_identity(folder)
        self.signer = Signer(folder)
        self.notary = Notary(self.signer, self.identity, BOOT)
        self.rung = threading.Event()
        self.notary.start(self.rung.set)

    def settle(self) -> list[Received]:
        """Wait until the notary rings, and take what it has."""
        assert self.rung.wait(PATIENCE_S)
        self.rung.clear()
        return self.notary.settle()

    def proven(self, message: Signed, boot: BootId = BOOT) -> Signed:
        """Sign without the notary's help."""
        data = statement(message, self.identity.node_id, boot)
        signature = sign(load_private_key(self.folder), Purpose.ROSTER, data)
        return replace(message, autograph=Autograph(self.identity.public_key, signature))

    def arrives(self, message: Message, boot: BootId = BOOT) -> Received:
        """What the endpoint would hand over."""
        return Received(self.identity.node_id, boot, True, message)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.notary.close()
    made.signer.close()


@pytest.mark.parametrize("message", [JOIN, Leave(5000)], ids=["join", "leave"])
def test_prove_sends_the_message_with_an_autograph_that_a_check_confirms(
    desk: Desk, message: Signed
) -> None:
    sent: list[Message] = []
    desk.notary.prove(message, sent.append)
    assert sent == [], "not before it is signed"
    assert desk.settle() == []
    (proven,) = sent
    assert isinstance(proven, Join | Leave)
    assert replace(proven, autograph=NO_AUTOGRAPH) == message
    assert decode(encode(proven)) == proven
    key, data = desk.identity.public_key, statement(message, desk.identity.node_id, BOOT)
    assert verify(key, Purpose.ROSTER, data, proven.autograph.signature)
    arrived = desk.arrives(proven)
    desk.notary.check(arrived)
    assert desk.settle() == [arrived]
    assert desk.notary.forged == 0


@pytest.mark.parametrize(
    "change",
    [
        {"floor_mw": 4000},
        {"priority": 65_535},
        {"name": "anna"},
        {"meters_feed": True},
        {"rack": RackId(1)},
        {"pair": replace(PAIR, term=Term(4))},
        {"seq": 5},
        {"nonce": 2},
    ],
    ids=str,
)
def test_check_join_with_anything_changed_is_forged(
    desk: Desk, change: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if whoever holds the group key could say something in a node's name."""
    lie = replace(desk.proven(JOIN), **change)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        desk.notary.check(desk.arrives(lie))
        assert desk.settle() == []
    assert desk.notary.forged == 1
    assert "that this node has not signed" in caplog.text


def test_check_recorded_word_under_another_boot_is_forged(desk: Desk) -> None:
    """A LEAVE of the boot that went must not take the running one off the roster."""
    desk.notary.check(desk.arrives(desk.proven(Leave(5000)), BootId(8)))
    assert desk.settle() == []
    assert desk.notary.forged == 1


def test_check_key_of_another_node_is_forged_without_a_look(desk: Desk, tmp_path: Path) -> None:
    """Its own signature does not help who speaks for another."""
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    received = Received(desk.identity.node_id, BOOT, True, other.proven(JOIN))
    desk.notary.check(received)
    assert desk.notary.forged == 1
    assert not desk.rung.is_set()
    other.signer.close()


def test_check_word_without_an_autograph_is_forged(desk: Desk) -> None:
    desk.notary.check(desk.arrives(JOIN))
    desk.notary.check(desk.arrives(Leave(1)))
    assert desk.notary.forged == 2


def test_check_one_at_a_time_of_each_sender(desk: Desk) -> None:
    arrived = desk.arrives(desk.proven(JOIN))
    for _ in range(5):
        desk.notary.check(arrived)
    assert desk.settle() == [arrived]
    assert not desk.rung.is_set()
    desk.notary.check(arrived)
    assert desk.settle() == [arrived]


def test_check_flood_takes_no_more_than_its_share(desk: Desk, tmp_path: Path) -> None:
    """What cannot be looked at is as good as lost: it is said again."""
    block = threading.Event()
    desk.signer._queue.submit(block.wait)
    proofs: list[Received] = []
    for number in range(CHECKS_MAX + 3):
        (folder := tmp_path / str(number)).mkdir()
        seed, public = _pair_of(number)
        (folder / "seed").write_bytes(seed)
        node = _id_of(public)
        data = statement(JOIN, node, BOOT)
        proof = Autograph(public, sign(seed, Purpose.ROSTER, data))
        proofs.append(Received(node, BOOT, True, replace(JOIN, autograph=proof)))
    for received in proofs:
        desk.notary.check(received)
    assert len(desk.notary._checking) == CHECKS_MAX
    block.set()
    found: list[Received] = []
    while len(found) < CHECKS_MAX:
        found += desk.settle()
    assert found == proofs[:CHECKS_MAX]


def test_prove_no_more_than_a_few_wait(desk: Desk) -> None:
    block = threading.Event()
    desk.signer._queue.submit(block.wait)
    sent: list[Message] = []
    for seq in range(PROOFS_MAX + 3):
        desk.notary.prove(replace(JOIN, seq=seq), sent.append)
    block.set()
    while len(sent) < PROOFS_MAX:
        desk.settle()
    assert [message.seq for message in sent if isinstance(message, Join)] == list(range(PROOFS_MAX))
    desk.notary.prove(JOIN, sent.append)
    desk.settle()
    assert len(sent) == PROOFS_MAX + 1


def test_prove_without_a_key_sends_nothing_and_says_why_once(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    (desk.folder / "identity").unlink()
    sent: list[Message] = []
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            desk.notary.prove(JOIN, sent.append)
            desk.settle()
    assert sent == []
    assert caplog.text.count("cannot sign or check who belongs to the rack") == 1


def test_close_drops_what_waits_and_rings_nobody(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    block = threading.Event()
    desk.signer._queue.submit(block.wait)
    sent: list[Message] = []
    desk.notary.prove(JOIN, sent.append)
    desk.notary.close()
    block.set()
    desk.signer.close()
    assert sent == []
    assert not desk.rung.is_set()


def _pair_of(number: int) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = bytes([number + 1]) * 32
    return seed, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _id_of(public: bytes) -> NodeId:
    from rackgrid.adapters.keys import node_id_of

    return node_id_of(public)
