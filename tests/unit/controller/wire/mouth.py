"""A node's mouth and ears without a network: what the tests of the envelope talk with."""

from __future__ import annotations

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.opener import Opened, Opener, Unproven
from rackgrid.wire.proof import SECRET_BYTES, Proof
from rackgrid.wire.seal import Keyring, Sealer
from rackgrid.wire.vocabulary import Rejection, RejectReason

A, B, C = NodeId(0xA), NodeId(0xB), NodeId(2**64 - 1)
BOOT, NEXT = BootId(0x1111), BootId(0x2222)
KEY, OTHER = bytes(range(32)), bytes(32)
RING = Keyring(use=1, keys={1: KEY})


class Mouth:
    """One boot of a node."""

    def __init__(
        self, node: NodeId, boot: BootId = BOOT, ring: Keyring = RING, secret: int = 1
    ) -> None:
        self.node = node
        self.sealer = Sealer(ring, node, boot)
        self.opener = Opener(ring, node, boot, bytes([secret]) * SECRET_BYTES)

    def multicast(self, payload: bytes) -> bytes:
        """Say something to the group."""
        return self.sealer.seal_multicast(payload)

    def unicast(self, payload: bytes, to: NodeId) -> bytes:
        """Say something to one node."""
        return self.sealer.seal_unicast(payload, to)

    def proof(self, proof: Proof, restated: bytes = b"") -> bytes:
        """Ask or answer."""
        return self.sealer.seal_proof(proof, restated)

    def hears(self, datagram: bytes, now_ns: int = 0) -> Opened | Rejection:
        """Judge a datagram; the way it came is the one that it was sealed for."""
        return self.opener.open(datagram, datagram[4] != 0, now_ns)

    def replies(self, datagram: bytes, now_ns: int) -> list[bytes]:
        """Hear a datagram, and seal what is to be sent back."""
        found = self.hears(datagram, now_ns)
        reply = found.reply if isinstance(found, Opened | Unproven) else None
        return [] if reply is None else [self.proof(reply)]

    def meets(self, other: Mouth, now_ns: int = 0) -> list[bytes]:
        """Say hello, and let both do what follows of it; return all that was sent."""
        sent = [self.multicast(b"hello")]
        hearer, speaker = other, self
        replies = hearer.replies(sent[0], now_ns)
        while replies:
            sent += replies
            hearer, speaker = speaker, hearer
            replies = hearer.replies(replies[0], now_ns)
        return sent


def reason(found: Opened | Rejection) -> RejectReason:
    """Why it was rejected."""
    assert isinstance(found, Rejection), found
    return found.reason
