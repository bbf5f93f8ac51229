"""Who wrote it: JOIN and LEAVE carry their node's own signature (decision 14).

The group key shows that *a* member wrote a datagram, and any member can write another's name in it.
For most messages no more is needed, since the next one repairs what a false one did. A JOIN and a
LEAVE change the roster for good, so they are signed with the key that their node is named after:
over all that they say (whom they are said to, and a number that grows), their sender, and its boot.

No key is sent around or stored for this. A node's id *is* its key's hash, and whoever signs sends
the key along: so the roster, which fills its datagram already, needs no room for keys, and a node
that knows only ids can check.

Signing and checking take place beside the loop (`signer`), so a message that needs either is held
back for a moment. What is forged is dropped and counted. What cannot be looked at now, since too
many wait, is dropped as if it was lost: both are repeated until the roster shows them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, TypeVar

from rackgrid.adapters.endpoint import Received
from rackgrid.adapters.keys import Identity
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.signing import Purpose, belongs
from rackgrid.errors import SigningError
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.codec import encode
from rackgrid.wire.message import NO_AUTOGRAPH, Autograph, Join, Leave, Message

log = logging.getLogger(__name__)

CHECKS_MAX: Final = 16
"""Most messages that wait to be checked, one a sender: a flood takes no memory."""
PROOFS_MAX: Final = 4
"""Most messages of our own that wait to be signed."""

Signed = Join | Leave
T = TypeVar("T")


def statement(message: Signed, sender: NodeId, boot: BootId) -> bytes:
    """Return what is signed: the message without its autograph, who says it, and in which boot."""
    body = encode(replace(message, autograph=NO_AUTOGRAPH))
    return body + sender.to_bytes(8, "big") + boot.to_bytes(8, "big")


class Notary:
    """Signs what this node says of its belonging, and checks what others say of theirs."""

    def __init__(self, signer: Signer, identity: Identity, boot: BootId) -> None:
        """Take note of who this node is; nothing is signed yet."""
        self.forged = 0
        """Messages in the name of a node that has not signed them."""
        self._signer = signer
        self._identity = identity
        self._boot = boot
        self._wake: Callable[[], None] = lambda: None
        self._done: deque[Callable[[], None]] = deque()
        self._passed: list[Received] = []
        self._checking: set[NodeId] = set()
        self._proving = 0
        self._said: set[str] = set()

    def start(self, wake: Callable[[], None]) -> None:
        """Say how to have `settle` called soon, from any thread."""
        self._wake = wake

    def prove(self, message: Signed, send: Callable[[Message], object]) -> None:
        """Sign a message of this node, and send it from `settle` when that is done."""
        if self._proving >= PROOFS_MAX:
            return
        self._proving += 1
        data = statement(message, self._identity.node_id, self._boot)
        future = self._signer.sign(Purpose.ROSTER, data)

        def finish() -> None:
            self._proving -= 1
            signature = self._outcome(future)
            if signature is not None:
                send(replace(message, autograph=Autograph(self._identity.public_key, signature)))

        self._when_done(future, finish)

    def check(self, received: Received) -> None:
        """Look into a JOIN or LEAVE that has arrived; `settle` gives it back if it is true."""
        message, sender = received.message, received.sender
        assert isinstance(message, Join | Leave), "nothing else is signed"
        if not belongs(message.autograph.public_key, sender):
            self._reject(received)
            return
        if sender in self._checking or len(self._checking) >= CHECKS_MAX:
            return
        self._checking.add(sender)
        hand, data = message.autograph, statement(message, sender, received.boot)
        future = self._signer.verify(hand.public_key, Purpose.ROSTER, data, hand.signature)

        def finish() -> None:
            self._checking.discard(sender)
            is_true = self._outcome(future)
            if is_true:
                self._passed.append(received)
            elif is_true is not None:
                self._reject(received)

        self._when_done(future, finish)

    def settle(self) -> list[Received]:
        """Send what has been signed since, and return what has been found true, in the loop."""
        while self._done:
            self._done.popleft()()
        passed, self._passed = self._passed, []
        return passed

    def close(self) -> None:
        """Ring nobody any more; what still waits is dropped. The signer is its maker's to close."""
        self._wake = lambda: None

    def _when_done(self, future: Future[bytes] | Future[bool], finish: Callable[[], None]) -> None:
        """Have a future finished in the loop: its callback comes in the signer's thread."""

        def tell() -> None:
            self._done.append(finish)
            self._wake()

        future.add_done_callback(lambda _done: tell())

    def _outcome(self, future: Future[T]) -> T | None:
        """Return what came of it; None, said once, if nothing could be signed or checked."""
        if future.cancelled():
            return None
        try:
            return future.result()
        except SigningError as fault:
            if str(fault) not in self._said:
                self._said = {str(fault)}
                log.error("cannot sign or check who belongs to the rack: %s", fault)
            return None

    def _reject(self, received: Received) -> None:
        self.forged += 1
        if self.forged == 1:
            log.warning(
                "dropped a %s in the name of %016x that this node has not signed: somebody who "
                "holds the group key forges it (said once, then counted)",
                type(received.message).__name__.upper(),
                received.sender,
            )
