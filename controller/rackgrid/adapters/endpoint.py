"""Typed, sealed messages between nodes: transport, seal and codec in one, and who lives where.

A node is found where its last authentic datagram came from. Nobody's address is configured, and a
node that gets another one is found again with its next word. What does not open or does not decode
is counted by reason; nothing that arrives can raise.

A node that does not know this boot yet drops what it says and asks it to prove itself (`proof`).
The answer leaves at once and restates what this node has just said to the group: so a rack forms,
and a restarted node is heard, without waiting for the next beacon or heartbeat.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.multicast import BATCH_MAX, Address, Transport
from rackgrid.core.view import SuspectView
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.bucket import Bucket
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import Join, Message
from rackgrid.wire.opener import SENDERS_MAX, Opener, Unproven
from rackgrid.wire.post import is_post
from rackgrid.wire.proof import SECRET_BYTES, Proof
from rackgrid.wire.seal import PAYLOAD_MAX, RESTATED_MAX, Keyring, Sealer, key_number
from rackgrid.wire.vocabulary import Rejection, RejectReason

log = logging.getLogger(__name__)

RESTATE_NS: Final = 200_000_000
"""What was said to the group longer ago is not restated: two heartbeats."""
JUNK_PER_S: Final = 100
"""Datagrams without our header a second, above which the kernel is told to keep them away."""
JOINS_PER_S: Final = 10
JOINS_BURST: Final = 48
"""JOINs that are looked at: each is checked, answered, and may change the roster."""
SHIELD_NS: Final = 10_000_000_000
"""So long it does, before it is tried again without."""
_JUNK: Final = (
    RejectReason.TOO_LONG,
    RejectReason.TOO_SHORT,
    RejectReason.FOREIGN_MAGIC,
    RejectReason.UNKNOWN_VERSION,
    RejectReason.WRONG_DIRECTION,
)
"""What the filter of the kernel can tell."""
_DAILY: Final = (RejectReason.OWN_ECHO, RejectReason.UNPROVEN)
"""Rejections that a rack in good order makes as well."""


@dataclass(frozen=True, slots=True)
class Received:
    """An authentic message and where it came from."""

    sender: NodeId
    boot: BootId
    unicast: bool
    message: Message


class Endpoint:
    """One node's mouth and ears on the rack's network."""

    def __init__(
        self,
        transport: Transport,
        keyring: Keyring,
        node: NodeId,
        boot: BootId,
        clock: Callable[[], int] = monotonic_ns,
    ) -> None:
        """Begin a boot.

        Args:
            clock: the local monotonic time, ns.
        """
        self.node = node
        self.transport = transport
        self.rejected: Counter[RejectReason] = Counter()
        """Datagrams that were dropped, by reason; `OWN_ECHO` counts the node's own multicasts."""
        self.post: Callable[[NodeId, bytes], None] | None = None
        """Takes what is not for those who decide (`wire.post`)."""
        self._sealer = Sealer(keyring, node, boot)
        self._opener = Opener(keyring, node, boot, secrets.token_bytes(SECRET_BYTES))
        self._clock = clock
        self._said, self._said_ns = b"", 0
        self._junk = Bucket(JUNK_PER_S, 2 * JUNK_PER_S)
        self._joins = Bucket(JOINS_PER_S, JOINS_BURST)
        self._shielded_ns: int | None = None
        self._suspects: tuple[SuspectView, ...] = ()
        # In the order in which they were last heard, so that the quietest is forgotten first.
        self._addresses: dict[NodeId, Address] = {}
        self._sealed_with: dict[NodeId, int] = {}

    def multicast(self, message: Message) -> bool:
        """Send to the group; False if it was not sent, which the transport has noted."""
        self._said, self._said_ns = _payload(message), self._clock()
        return self.transport.send_multicast(self._sealer.seal_multicast(self._said))

    def unicast(self, node: NodeId, message: Message) -> bool:
        """Send to one node; False if it was not sent, or if that node was never heard."""
        address = self._addresses.get(node)
        if address is None:
            return False
        sealed = self._sealer.seal_unicast(_payload(message), node)
        return self.transport.send_unicast(sealed, address)

    def send_post(self, node: NodeId | None, payload: bytes) -> None:
        """Send a post to a node, or to the group."""
        if node is None:
            self.transport.send_multicast(self._sealer.seal_multicast(payload))
        elif (address := self._addresses.get(node)) is not None:
            self.transport.send_unicast(self._sealer.seal_unicast(payload, node), address)

    def receive(self, batch: int = BATCH_MAX) -> list[Received]:
        """Take the messages that have arrived, at most `batch` from each socket."""
        messages: list[Received] = []
        for data, unicast, address in self.transport.receive(batch):
            opened = self._opener.open(data, unicast, self._clock())
            if isinstance(opened, Rejection):
                self._reject(opened, address)
                if isinstance(opened, Unproven) and opened.reply is not None:
                    self._prove(opened.reply, address)
                continue
            self._locate(opened.sender, address, key_number(data))
            if opened.reply is not None:
                self._prove(opened.reply, address)
            if not opened.payload:
                continue  # a proof, and nothing more
            if self.post is not None and is_post(opened.payload):
                self.post(opened.sender, opened.payload)
                continue
            message = decode(opened.payload)
            if isinstance(message, Rejection):
                self._reject(message, address)
                continue
            if isinstance(message, Join) and not self._joins.take(self._clock()):
                self._reject(Rejection(RejectReason.THROTTLED, "too many JOINs"), address)
                continue
            messages.append(Received(opened.sender, opened.boot, opened.unicast, message))
        return messages

    def use(self, keyring: Keyring) -> None:
        """Seal and open with another ring from now on; who is known stays known."""
        self._sealer.use(keyring)
        self._opener.use(keyring)

    def sealed_with(self) -> Mapping[NodeId, int]:
        """Say with which key, by its number, each node sealed the last that was heard of it."""
        return self._sealed_with

    def suspects(self) -> tuple[SuspectView, ...]:
        """Name the senders with which something is wrong, and log who joined them or left them."""
        now_ns = self._clock()
        found = [
            SuspectView(f"{node:016x}", "throttled", "it sends more than a node may: look at it")
            for node in sorted(self._opener.throttled(now_ns))
        ]
        found += [
            SuspectView(f"{node:016x}", "cloned", _clone_words(boots, own=node == self.node))
            for node, boots in sorted(self._opener.cloned(now_ns).items())
        ]
        before = {(one.id, one.fault) for one in self._suspects}
        now = {(one.id, one.fault) for one in found}
        for one in found:
            if (one.id, one.fault) not in before:
                log.error("node %s is %s: %s", one.id, one.fault, one.detail)
        for who, fault in sorted(before - now):
            log.info("node %s is no longer %s", who, fault)
        self._suspects = tuple(found)
        return self._suspects

    def address_of(self, node: NodeId) -> Address | None:
        """Where a node was last heard, or None."""
        return self._addresses.get(node)

    def filenos(self) -> tuple[int, int]:
        """The file descriptors to watch for reading."""
        return self.transport.filenos()

    def rejoin(self) -> bool:
        """Repair the link if it broke; True if `filenos` must be watched anew."""
        self.suspects()
        if self._shielded_ns is not None and self._clock() - self._shielded_ns > SHIELD_NS:
            self._shielded_ns = None
            self.transport.shield(False)
        if dropped := self.transport.dropped:
            self.rejected[RejectReason.FILTERED] = dropped
        return self.transport.rejoin()

    def close(self) -> None:
        """Leave the group."""
        self.transport.close()

    def _prove(self, proof: Proof, address: Address) -> None:
        """Ask or answer; whoever asks did not believe what this node said just before."""
        restated = b""
        is_recent = self._clock() - self._said_ns <= RESTATE_NS
        if proof.echo and is_recent and len(self._said) <= RESTATED_MAX:
            restated = self._said
        self.transport.reply(self._sealer.seal_proof(proof, restated), address)

    def _locate(self, sender: NodeId, address: Address, key: int) -> None:
        self._addresses.pop(sender, None)
        if len(self._addresses) >= SENDERS_MAX:
            quietest = next(iter(self._addresses))
            del self._addresses[quietest], self._sealed_with[quietest]
        self._addresses[sender] = address
        self._sealed_with[sender] = key

    def _reject(self, rejection: Rejection, address: Address) -> None:
        reason = rejection.reason
        if reason not in self.rejected and reason not in _DAILY:
            log.warning(
                "dropped a datagram from %s:%d: %s %s (said once for each reason, then counted)",
                *address,
                reason.name.lower(),
                rejection.detail,
            )
        self.rejected[reason] += 1
        if reason in _JUNK and self._shielded_ns is None and not self._junk.take(self._clock()):
            self._shielded_ns = self._clock()
            self.transport.shield(True)
            log.warning(
                "a flood of datagrams that are not rackgrid's, the last from %s:%d: the kernel "
                "drops them for now (counted as filtered)",
                *address,
            )


def _clone_words(boots: tuple[BootId, ...], *, own: bool) -> str:
    names = " and ".join(f"{boot:016x}" for boot in boots)
    whose = "this node's" if own else "its"
    return (
        f"two machines run with {whose} identity (boots {names}), and neither is believed: on the "
        "copied card, stop rackgrid and delete `identity` and `terms.*` in state_dir"
    )


def _payload(message: Message) -> bytes:
    payload = encode(message)
    assert len(payload) <= PAYLOAD_MAX, "every message fits one datagram, at all its limits"
    return payload
