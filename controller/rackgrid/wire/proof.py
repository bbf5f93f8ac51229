"""The proof that a boot runs now: it has echoed a challenge of this boot (RFC 8967, section 4.3).

A MAC says who sealed a datagram and not when: whoever recorded one can send it again, to a node
that was restarted and remembers nothing, or that never heard of that boot. So an unknown boot is
believed for nothing until it has echoed a challenge under the MAC. Neither clocks that agree nor a
disk are needed, and a running rack is not delayed: its nodes have long known each other.

A challenge is a hash, keyed with a secret of this very boot, over whom it asks (sender and boot),
which boot of that sender was believed by then, and the time in steps of `EPOCH_NS`. So asking costs
no memory, whatever comes (as a SYN cookie costs none), nobody can guess one, an echo that is held
back is worth nothing after two steps, and an echo shows that its boot ran *after* the believed one
had shown the same: which tells a cloned card from a restart (`peer`).

A proof is a unicast of its own kind. It asks, or answers, or both at once, so that two nodes that
know nothing of each other are through after three datagrams. It also says how many multicasts its
sender has made: those are spent, together with all unicasts before the proof, else what the same
boot said before *this* node was restarted could be replayed. And it may restate what its sender has
just said to the group and was not believed, so that nothing waits for its next word. To carry
challenge and echo in every datagram was rejected: 16 bytes each, for what happens once a boot.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from rackgrid.identity import BootId, NodeId

SECRET_BYTES: Final = 32
EPOCH_NS: Final = 10_000_000_000
"""An echo is worth something for at least this long, and for less than twice as long."""
NO_BOOT: Final = BootId(0)
"""Stands for the believed boot of a sender of which none is."""
BODY: Final = struct.Struct(">QQQ")
"""Challenge (0: none), echo (0: none), multicasts made; what is restated follows."""

_SUBJECT: Final = struct.Struct(">QQQQ")
_PERSON: Final = b"rackgrid proof 1"


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be sent back to where a datagram came from.

    Attributes:
        to: for whom it is sealed.
        challenge: to be echoed; 0 asks for nothing.
        echo: of a challenge; 0 answers nothing.
    """

    to: NodeId
    challenge: int = 0
    echo: int = 0


class Challenger:
    """Makes challenges, and knows the echo of each of them."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        """Begin a boot.

        Args:
            secret: `SECRET_BYTES` of randomness, made in this boot and never shown.
        """
        assert len(secret) == SECRET_BYTES
        self._keyed = blake2b(key=secret, digest_size=8, person=_PERSON)

    def challenge(self, sender: NodeId, boot: BootId, believed: BootId, now_ns: int) -> int:
        """Make the challenge that this boot of a sender has to echo now.

        Args:
            believed: the boot of that sender that is believed to run.
            now_ns: the local monotonic time.
        """
        return self._make(sender, boot, believed, now_ns // EPOCH_NS)

    def is_echoed(
        self, echo: int, sender: NodeId, boot: BootId, believed: BootId, now_ns: int
    ) -> bool:
        """Say whether that boot echoes what it was asked a moment ago."""
        epoch = now_ns // EPOCH_NS
        return any(echo == self._make(sender, boot, believed, e) for e in (epoch, epoch - 1))

    def _make(self, sender: NodeId, boot: BootId, believed: BootId, epoch: int) -> int:
        hashed = self._keyed.copy()
        hashed.update(_SUBJECT.pack(sender, boot, believed, epoch % 2**64))
        return int.from_bytes(hashed.digest()) or 1
