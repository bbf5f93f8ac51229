"""Typed, sealed messages between nodes: transport, seal and codec in one, and who lives where.

A node is found where its last authentic datagram came from. Nobody's address is configured, and a
node that gets another one is found again with its next word. What does not open or does not decode
is counted by reason; nothing that arrives can raise.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rackgrid.adapters.multicast import BATCH_MAX, Address, Transport
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Message
from rackgrid.wire.seal import PAYLOAD_MAX, SENDERS_MAX, Keyring, Opener, Sealer, key_number
from rackgrid.wire.vocabulary import Rejection, RejectReason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """An authentic message and where it came from."""

    sender: NodeId
    boot: BootId
    unicast: bool
    message: Message


class Endpoint:
    """One node's mouth and ears on the rack's network."""

    def __init__(self, transport: Transport, keyring: Keyring, node: NodeId, boot: BootId) -> None:
        self.transport = transport
        self.rejected: Counter[RejectReason] = Counter()
        """Datagrams that were dropped, by reason; `OWN_ECHO` counts the node's own multicasts."""
        self._sealer = Sealer(keyring, node, boot)
        self._opener = Opener(keyring, node, boot)
        # In the order in which they were last heard, so that the quietest is forgotten first.
        self._addresses: dict[NodeId, Address] = {}
        self._sealed_with: dict[NodeId, int] = {}

    def multicast(self, message: Message) -> bool:
        """Send to the group; False if it was not sent, which the transport has noted."""
        return self.transport.send_multicast(self._sealer.seal_multicast(_payload(message)))

    def unicast(self, node: NodeId, message: Message) -> bool:
        """Send to one node; False if it was not sent, or if that node was never heard."""
        address = self._addresses.get(node)
        if address is None:
            return False
        sealed = self._sealer.seal_unicast(_payload(message), node)
        return self.transport.send_unicast(sealed, address)

    def receive(self, batch: int = BATCH_MAX) -> list[Received]:
        """Take the messages that have arrived, at most `batch` from each socket."""
        messages: list[Received] = []
        for data, unicast, address in self.transport.receive(batch):
            opened = self._opener.open(data, unicast)
            if isinstance(opened, Rejection):
                self._reject(opened, address)
                continue
            self._locate(opened.sender, address, key_number(data))
            message = decode(opened.payload)
            if isinstance(message, Rejection):
                self._reject(message, address)
                continue
            messages.append(Received(opened.sender, opened.boot, unicast, message))
        return messages

    def use(self, keyring: Keyring) -> None:
        """Seal and open with another ring from now on; who is known stays known."""
        self._sealer.use(keyring)
        self._opener.use(keyring)

    def sealed_with(self) -> Mapping[NodeId, int]:
        """Say with which key, by its number, each node sealed the last that was heard of it."""
        return self._sealed_with

    def address_of(self, node: NodeId) -> Address | None:
        """Where a node was last heard, or None."""
        return self._addresses.get(node)

    def filenos(self) -> tuple[int, int]:
        """The file descriptors to watch for reading."""
        return self.transport.filenos()

    def rejoin(self) -> bool:
        """Repair the link if it broke; True if `filenos` must be watched anew."""
        return self.transport.rejoin()

    def close(self) -> None:
        """Leave the group."""
        self.transport.close()

    def _locate(self, sender: NodeId, address: Address, key: int) -> None:
        self._addresses.pop(sender, None)
        if len(self._addresses) >= SENDERS_MAX:
            quietest = next(iter(self._addresses))
            del self._addresses[quietest], self._sealed_with[quietest]
        self._addresses[sender] = address
        self._sealed_with[sender] = key

    def _reject(self, rejection: Rejection, address: Address) -> None:
        reason = rejection.reason
        if reason not in self.rejected and reason is not RejectReason.OWN_ECHO:
            log.warning(
                "dropped a datagram from %s:%d: %s %s (said once for each reason, then counted)",
                *address,
                reason.name.lower(),
                rejection.detail,
            )
        self.rejected[reason] += 1


def _payload(message: Message) -> bytes:
    payload = encode(message)
    assert len(payload) <= PAYLOAD_MAX, "every message fits one datagram, at all its limits"
    return payload
