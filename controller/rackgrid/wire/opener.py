"""Opens what others sealed: each datagram once, and only of a boot that has proved that it runs.

Behind the MAC (`seal`) stand three judges. Whoever has not proved itself in this boot of ours is
asked to (`proof`), and nothing else comes of what it said: a grant, a price or a command that was
recorded is worth nothing, whatever was restarted in between. A window takes each datagram once. A
bucket bounds what one sender may say a second, so that a member that floods is slowed down and
named, and no other is.

What this remembers is bounded, and nothing of it is of a stranger: a datagram that fails its MAC
leaves no trace, and of an unproven boot little is kept (`stranger`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.bucket import Bucket
from rackgrid.wire.peer import Peer, Standing
from rackgrid.wire.proof import BODY, NO_BOOT, Challenger, Proof
from rackgrid.wire.seal import Keyring, Kind, Unsealed, Unsealer
from rackgrid.wire.stranger import ASK_SPACING_NS, Strangers
from rackgrid.wire.vocabulary import Rejection, RejectReason

SENDERS_MAX: Final = 256
"""Senders that are remembered; only those that held the key and proved themselves are."""
CLONE_SPACING_NS: Final = 1_000_000_000
"""Between two challenges of a boot in quarantine."""
REPLIES_PER_S: Final = 200
"""Challenges and answers to unproven boots, altogether."""
THROTTLED_NS: Final = 10_000_000_000
"""So long a sender that was throttled is named."""


class Opened(NamedTuple):
    """What an authentic, fresh datagram of a boot that runs says.

    Attributes:
        unicast: whether it was said to this node alone; a restated multicast was not.
        payload: empty if it was a proof that restates nothing.
        reply: what is to be sent back to where it came from, if anything.
    """

    sender: NodeId
    boot: BootId
    unicast: bool
    payload: bytes
    reply: Proof | None = None


@dataclass(frozen=True, slots=True)
class Unproven(Rejection):
    """An authentic datagram that is not believed; its sender may be asked, where it came from."""

    reply: Proof | None = None


class Opener:
    """One node's judge of what is fresh."""

    def __init__(self, keyring: Keyring, node: NodeId, boot: BootId, secret: bytes) -> None:
        """Begin a boot.

        Args:
            secret: `proof.SECRET_BYTES` of randomness, made in this boot.
        """
        self._unsealer = Unsealer(keyring, node)
        self._node = node
        self._own = Peer(boot)
        self._challenger = Challenger(secret)
        self._strangers = Strangers()
        self._replies = Bucket(REPLIES_PER_S, REPLIES_PER_S)
        # In the order in which they were last heard, so that the quietest is forgotten first.
        self._peers: dict[NodeId, Peer] = {}

    def use(self, keyring: Keyring) -> None:
        """Accept this ring's keys from now on; what is known of the senders stays."""
        self._unsealer.use(keyring)

    def open(self, datagram: bytes, unicast: bool, now_ns: int) -> Opened | Rejection:
        """Return what another node says, if it is to be believed; never raises.

        Args:
            datagram: as it came.
            unicast: whether it came on the node's own address, not on the group's.
            now_ns: the local monotonic time.
        """
        found = self._unsealer.unseal(datagram, unicast)
        if isinstance(found, Rejection):
            return found
        kind, sender, boot, counter, payload = found
        if sender == self._node and boot == self._own.boot:
            return Rejection(RejectReason.OWN_ECHO, "")
        peer = self._believed(sender, boot)
        if peer is None:
            return self._get_to_know(found, now_ns)
        del self._peers[sender]
        self._peers[sender] = peer
        if not (peer.unicasts if unicast else peer.multicasts).take(counter):
            return Rejection(RejectReason.REPLAYED, f"counter {counter} of {sender:016x}")
        if not peer.bucket.take(now_ns):
            peer.throttled_ns = now_ns
            return Rejection(RejectReason.THROTTLED, f"{sender:016x} sends too much")
        if kind == Kind.PROOF:
            return _answered(found)
        return Opened(sender, boot, unicast, payload)

    def cloned(self, now_ns: int) -> Mapping[NodeId, tuple[BootId, ...]]:
        """Name the senders, and maybe this node, of which more than one boot runs: and which."""
        known = {self._node: self._own, **self._peers}
        return {n: peer.running(now_ns) for n, peer in known.items() if peer.is_cloned(now_ns)}

    def throttled(self, now_ns: int) -> frozenset[NodeId]:
        """Name the senders that have said too much of late."""
        return frozenset(
            node
            for node, peer in self._peers.items()
            if peer.throttled_ns is not None and now_ns - peer.throttled_ns < THROTTLED_NS
        )

    def _believed(self, sender: NodeId, boot: BootId) -> Peer | None:
        peer = self._peers.get(sender)
        return peer if peer is not None and peer.boot == boot and not peer.clones else None

    def _get_to_know(self, found: Unsealed, now_ns: int) -> Opened | Rejection:
        """Judge a datagram of a boot that is not believed: a restart, a clone, or a replay."""
        challenge = echo = multicasts = 0
        if found.kind == Kind.PROOF:
            challenge, echo, multicasts = BODY.unpack_from(found.payload)
        sender, boot = found.sender, found.boot
        peer = self._own if sender == self._node else self._peers.get(sender)
        believed = NO_BOOT if peer is None else peer.boot
        if echo and self._challenger.is_echoed(echo, sender, boot, believed, now_ns):
            return self._proved(found, multicasts, peer, now_ns)
        reply = self._reply(found, challenge, peer, now_ns)
        if peer is not None and peer.is_cloned(now_ns):
            boots = " and ".join(f"{b:016x}" for b in peer.running(now_ns))
            return Unproven(RejectReason.CLONED, f"{sender:016x} runs as {boots}", reply)
        return Unproven(RejectReason.UNPROVEN, f"boot {boot:016x} of {sender:016x}", reply)

    def _proved(
        self, found: Unsealed, multicasts: int, peer: Peer | None, now_ns: int
    ) -> Opened | Rejection:
        """Believe a boot that has shown that it runs, unless another one does as well."""
        sender, boot = found.sender, found.boot
        if sender == self._node:
            self._own.returned(boot, now_ns)
            return Unproven(RejectReason.CLONED, "another machine runs as this very node")
        if peer is None:
            while len(self._peers) >= SENDERS_MAX:
                del self._peers[next(iter(self._peers))]
            self._peers[sender] = Peer(boot, found.counter, multicasts)
        elif peer.proved(boot, found.counter, multicasts, now_ns) is Standing.CLONED:
            return Unproven(RejectReason.CLONED, f"{sender:016x} runs more than once")
        self._strangers.forget(sender, boot)
        return _answered(found)

    def _reply(
        self, found: Unsealed, challenge: int, peer: Peer | None, now_ns: int
    ) -> Proof | None:
        """Ask a boot to prove itself, and answer what it asks itself: seldom enough."""
        sender, boot = found.sender, found.boot
        stranger = self._strangers.heard(sender, boot)
        if not stranger.is_newer(found.kind != Kind.MULTICAST, found.counter):
            return None
        spacing_ns = CLONE_SPACING_NS if peer is not None and peer.clones else ASK_SPACING_NS
        echo = challenge if challenge and stranger.may_be_answered(now_ns) else 0
        asks = stranger.may_be_asked(spacing_ns, now_ns)
        if not (echo or asks) or not self._replies.take(now_ns):
            return None
        believed = NO_BOOT if peer is None else peer.boot
        mine = self._challenger.challenge(sender, boot, believed, now_ns) if asks else 0
        return Proof(sender, mine, echo)


def _answered(found: Unsealed) -> Opened:
    """Take a proof of a boot that is believed: it may ask in its turn, and restate."""
    challenge, _, _ = BODY.unpack_from(found.payload)
    reply = Proof(found.sender, echo=challenge) if challenge else None
    return Opened(found.sender, found.boot, False, found.payload[BODY.size :], reply)
