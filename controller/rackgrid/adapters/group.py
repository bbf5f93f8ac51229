"""The group port: the endpoint, or none yet.

A node whose interface is missing or not up yet must not end over it: it stays up, says so once, and
tries again, because its loads, its firmware and its page do not need the network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from rackgrid.adapters.endpoint import Endpoint, Received
from rackgrid.adapters.multicast import Place, Transport
from rackgrid.adapters.notary import Notary
from rackgrid.core.view import SuspectView
from rackgrid.errors import TransportError
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.message import Join, Leave, Message
from rackgrid.wire.seal import Keyring

log = logging.getLogger(__name__)


class Group:
    """Opens the endpoint when it can, and repairs it when it broke."""

    def __init__(
        self,
        place: Place,
        keyring: Keyring,
        node: NodeId,
        boot: BootId,
        notary: Notary | None = None,
    ) -> None:
        """Prepare; `mend` opens.

        Args:
            notary: signs and checks what is said of belonging; without one nothing is.
        """
        self._make: Callable[[], Endpoint] = lambda: Endpoint(
            Transport.open(place), self._keyring, node, boot
        )
        self._keyring = keyring
        self._place = place
        self._endpoint: Endpoint | None = None
        self._said = ""
        self._notary = notary
        self.post: Callable[[NodeId, bytes], None] | None = None
        """Takes what is not for those who decide (`wire.post`)."""

    def start(self, wake: Callable[[], None]) -> None:
        """Say how to have `receive` called soon, from any thread."""
        if self._notary is not None:
            self._notary.start(wake)

    @property
    def rejected(self) -> dict[str, int]:
        """Datagrams that were dropped, by reason."""
        if self._endpoint is None:
            return {}
        rejected = {r.name.lower(): n for r, n in sorted(self._endpoint.rejected.items())}
        forged = self._notary.forged if self._notary else 0
        return {**rejected, "forged": forged} if forged else rejected

    @property
    def trouble(self) -> str:
        """What is wrong with the network, or ""."""
        return self._said if self._endpoint is None else self._endpoint.transport.trouble

    def use(self, keyring: Keyring) -> None:
        """Seal and open with another ring from now on."""
        self._keyring = keyring
        if self._endpoint is not None:
            self._endpoint.use(keyring)

    def sealed_with(self) -> dict[str, int]:
        """Say with which key each node, by its id, sealed the last that was heard of it."""
        if self._endpoint is None:
            return {}
        return {f"{node:016x}": key for node, key in self._endpoint.sealed_with().items()}

    def suspects(self) -> tuple[SuspectView, ...]:
        """Name the senders with which something is wrong, though they have the key."""
        return self._endpoint.suspects() if self._endpoint else ()

    def filenos(self) -> tuple[int, ...]:
        """Descriptors to watch for reading; none while there is no endpoint."""
        return self._endpoint.filenos() if self._endpoint else ()

    def mend(self) -> bool:
        """Open or repair the endpoint; True if `filenos` changed."""
        if self._endpoint is not None:
            return self._endpoint.rejoin()
        try:
            self._endpoint = self._make()
            self._endpoint.post = self.post
        except TransportError as fault:
            if str(fault) != self._said:
                self._said = str(fault)
                log.error("%s", fault)
            return False
        self._said = ""
        log.info("listening on %s", self._place)
        return True

    def multicast(self, message: Message) -> bool:
        """Send to the group; what is to be signed leaves a moment later."""
        if self._notary is not None and isinstance(message, Join | Leave):
            self._notary.prove(message, self._multicast)
            return self._endpoint is not None
        return self._multicast(message)

    def _multicast(self, message: Message) -> bool:
        return self._endpoint is not None and self._endpoint.multicast(message)

    def unicast(self, node: NodeId, message: Message) -> bool:
        """Send to one node; what is to be signed leaves a moment later."""
        if self._notary is not None and isinstance(message, Join | Leave):
            self._notary.prove(message, lambda proven: self._unicast(node, proven))
            return self._endpoint is not None
        return self._unicast(node, message)

    def _unicast(self, node: NodeId, message: Message) -> bool:
        return self._endpoint is not None and self._endpoint.unicast(node, message)

    def send_post(self, node: NodeId | None, payload: bytes) -> None:
        """Send a post to a node, or to the group."""
        if self._endpoint is not None:
            self._endpoint.send_post(node, payload)

    def receive(self) -> Sequence[Received]:
        """Take what has arrived, and what has been found true of what arrived before."""
        arrived = self._endpoint.receive() if self._endpoint else ()
        if self._notary is None:
            return arrived
        plain: list[Received] = []
        for received in arrived:
            if isinstance(received.message, Join | Leave):
                self._notary.check(received)
            else:
                plain.append(received)
        return [*plain, *self._notary.settle()]

    def close(self) -> None:
        """Leave the group."""
        if self._notary is not None:
            self._notary.close()
        if self._endpoint is not None:
            self._endpoint.close()
            self._endpoint = None
