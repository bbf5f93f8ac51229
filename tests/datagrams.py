"""What may come in a datagram: a corpus, and what mangles it and looks at what comes of it.

Used by the test that holds "never an exception, and no growth", and by `bench/bench_fuzz.py`, which
plays far more of it than a test may take time for. The corpus is a payload of each kind of message
as hex, in `datagrams.txt`; a finding is added there as a line.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.codec import decode, encode
from rackgrid.wire.message import DATAGRAM_MAX
from rackgrid.wire.opener import SENDERS_MAX, Opened, Opener, Unproven
from rackgrid.wire.proof import SECRET_BYTES, Proof
from rackgrid.wire.seal import PAYLOAD_MAX, RESTATED_MAX, Keyring, Sealer
from rackgrid.wire.stranger import STRANGERS_MAX
from rackgrid.wire.vocabulary import Rejection

RING = Keyring(1, {1: bytes(range(32)), 2: bytes(32)})
HERE = NodeId(0xB)
SENDERS = 300
"""More than are remembered."""
RECORDINGS_MAX = 500
STEP_NS = 2_000_000

_LINES = Path(__file__).with_name("datagrams.txt").read_text("ascii").split()
PAYLOADS: Sequence[bytes] = tuple(bytes.fromhex(line) for line in _LINES)


def mangled(rng: random.Random, data: bytes) -> bytes:
    """Change a few things about some bytes."""
    changed = bytearray(data)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(5):
            case 0:
                changed[at : at + 1] = rng.randbytes(1)
            case 1:
                changed[at:at] = rng.randbytes(rng.randrange(9))
            case 2:
                del changed[at : at + rng.randrange(9)]
            case 3:
                changed[at : at + 1] = rng.choice((b"\x00", b"\xff", b"\x80", b"\x7f"))
            case _:
                del changed[at:]
    return bytes(changed)


class Fuzzer:
    """One node that hears all sorts of things, and everybody who says them."""

    def __init__(self, seed: int) -> None:
        """Begin; the same seed plays the same."""
        self.rng = random.Random(seed)
        self.opener = Opener(RING, HERE, BootId(1), bytes([7]) * SECRET_BYTES)
        self.now_ns = 0
        self._sealers = [Sealer(RING, NodeId(100 + n), BootId(n)) for n in range(SENDERS)]
        self._sealers.append(Sealer(RING, HERE, BootId(9)))  # a clone of this very node
        self._recorded: list[bytes] = [self._sealers[0].seal_multicast(b"")]
        self._asked: dict[Sealer, int] = {}

    def play(self) -> str:
        """Play one input, and say what came of it.

        Raises:
            AssertionError: what was decoded does not encode to what was read, or a bound is broken.
        """
        self.now_ns += self.rng.randrange(STEP_NS)
        acts = (self._stranger, self._thief, self._member, self._member, self._prover)
        return self.rng.choice(acts)()

    def _stranger(self) -> str:
        if self.rng.randrange(2):
            return self._heard(self.rng.randbytes(self.rng.randrange(DATAGRAM_MAX + 9)), None)
        return self._heard(mangled(self.rng, self.rng.choice(self._recorded)), None)

    def _thief(self) -> str:
        return self._heard(self.rng.choice(self._recorded), None)

    def _member(self) -> str:
        sealer = self._speaker()
        payload = mangled(self.rng, self.rng.choice(PAYLOADS))[:PAYLOAD_MAX]
        if self.rng.randrange(2):
            return self._heard(sealer.seal_unicast(payload, HERE), sealer)
        return self._heard(sealer.seal_multicast(payload), sealer)

    def _prover(self) -> str:
        """Echo what was asked, or something else, and restate something."""
        sealer = self._speaker()
        echo = self._asked.pop(sealer, 0) or self.rng.getrandbits(64)
        challenge = self.rng.getrandbits(64) * self.rng.randrange(2)
        restated = mangled(self.rng, self.rng.choice(PAYLOADS))[:RESTATED_MAX]
        return self._heard(sealer.seal_proof(Proof(HERE, challenge, echo), restated), sealer)

    def _speaker(self) -> Sealer:
        """A few speak often, the others seldom."""
        few = self._sealers[:8] if self.rng.randrange(4) else self._sealers
        return self.rng.choice(few)

    def _heard(self, datagram: bytes, sealer: Sealer | None) -> str:
        if sealer is not None:
            at = len(self._recorded)
            if at >= RECORDINGS_MAX:
                self._recorded[self.rng.randrange(at)] = datagram
            else:
                self._recorded.append(datagram)
        unicast = datagram[4:5] not in (b"", b"\x00")
        found = self.opener.open(datagram, unicast, self.now_ns)
        if isinstance(found, Unproven) and found.reply and found.reply.challenge and sealer:
            self._asked[sealer] = found.reply.challenge
        if isinstance(found, Rejection):
            self._hold_bounds()
            return found.reason.name.lower()
        return self._decoded(found)

    def _decoded(self, opened: Opened) -> str:
        message = decode(opened.payload)
        if isinstance(message, Rejection):
            return f"opened, {message.reason.name.lower()}"
        assert encode(message) == opened.payload, "what was read is not what is written"
        return "opened, decoded"

    def _hold_bounds(self) -> None:
        assert len(self.opener._peers) <= SENDERS_MAX
        assert len(self.opener._strangers) <= STRANGERS_MAX
