"""A thief on the rack's wire: hears every datagram, has no key, and sends what he likes.

Every two milliseconds he does one of his deeds: sends a recording again, as it was or changed in
some way, to whom it was meant or to others, from wherever he says; or words of his own under keys
of his own. Now and then he plays a tape: all that was said for a while, in its order and at its
pace, as if those who spoke then spoke now. If he sits on the cable, he also keeps datagrams back,
lets them go when they are late, and has answers sent to himself.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from tests.simulation.air import HEAD, HEADER, Air, Letter

from rackgrid.core.settings import MS_NS, SECOND_NS
from rackgrid.identity import BootId, NodeId
from rackgrid.wire.seal import KEY_BYTES, MAC_BYTES, Keyring, Kind, Sealer

FORGED = Keyring(1, {1: bytes(reversed(range(KEY_BYTES)))})
UNHEARD_OF = Keyring(9, {9: bytes(KEY_BYTES)})
EVERY_NS = 2 * MS_NS
OLD_NS = 50 * MS_NS
"""He sends nothing younger, off the cable: what overtakes its original is that original, once."""
TAPE_NS = SECOND_NS
TAPE_EVERY_NS = 2 * SECOND_NS
KEPT_MAX = 20_000
HELD_BACK = 0.05
"""Of all deliveries, on the cable."""
LATE_NS = (5 * MS_NS, 60 * MS_NS, 400 * MS_NS, 2500 * MS_NS, 12_000 * MS_NS)
"""Out of order; later than a heartbeat, an authority, a grant, an echo may be."""
NOWHERE = NodeId(0)
"""His own address: a place with nobody in it."""


class Thief:
    """Has no key."""

    def __init__(self, air: Air, seed: int, *, on_cable: bool = False) -> None:
        """Listen.

        Args:
            on_cable: he can also keep datagrams from whom they are meant for.
        """
        self._air, self._world = air, air.world
        self._chance = random.Random(seed)
        self._busy = False
        self._on_cable = on_cable
        self.heard: list[Letter] = []
        self.proofs: list[Letter] = []
        self._boots: defaultdict[NodeId, list[BootId]] = defaultdict(list)
        self._said: defaultdict[BootId, list[Letter]] = defaultdict(list)
        air.hears = self._hear
        air.withholds = self._withholds
        self._deeds: tuple[Callable[[Letter], None], ...] = (
            self._replay,
            self._replay,
            self._replay_to_another,
            self._replay_proof,
            self._replay_a_former_boot,
            self._turn,
            self._turn_in_disguise,
            self._mutate,
            self._cut,
            self._rename,
            self._from_the_future,
            self._forge,
            self._forge_the_next_word,
        )

    def begin(self) -> None:
        """Begin to send."""
        self._busy = True
        self._act()
        self._play_some()

    def end(self) -> None:
        """Send no more."""
        self._busy = False

    def play(self, from_ns: int, to_ns: int) -> None:
        """Send again what was said between two moments, in its order and at its pace."""
        tape = [one for one in self.heard if from_ns <= one.sent_ns < to_ns]
        for one in tape:
            act = partial(self._send, one.data, one.to)
            self._world.at(self._world.now_ns + one.sent_ns - from_ns, act)

    # --- hearing ---------------------------------------------------------------------------------

    def _hear(self, letter: Letter) -> None:
        if len(self.heard) < KEPT_MAX:
            self.heard.append(letter)
            self._said[letter.boot].append(letter)
        if letter.kind == Kind.PROOF:
            self.proofs.append(letter)
        if letter.boot not in self._boots[letter.sender]:
            self._boots[letter.sender].append(letter.boot)

    def _withholds(self, letter: Letter) -> bool:
        if not (self._busy and self._on_cable and self._chance.random() < HELD_BACK):
            return False
        late_ns = int(self._chance.choice(LATE_NS) * self._chance.random())
        is_unicast = letter.kind != Kind.MULTICAST
        act = partial(self._send_to, letter.to, letter.data, is_unicast)
        self._world.at(self._world.now_ns + late_ns, act)
        return True

    # --- sending ---------------------------------------------------------------------------------

    def _send_to(self, to: NodeId | None, data: bytes, unicast: bool) -> None:
        assert to is not None
        places = [*self._world.seats, NOWHERE] if self._on_cable else list(self._world.seats)
        self._air.arrive(to, data, unicast, self._chance.choice(places))

    def _send(self, data: bytes, to: NodeId | None) -> None:
        for place in list(self._world.seats) if to is None else [to]:
            self._send_to(place, data, to is not None)

    def _act(self) -> None:
        if not self._busy:
            return
        self._world.at(self._world.now_ns + EVERY_NS, self._act)
        letter = self._chance.choice(self.heard)
        if self._is_old(letter):
            self._chance.choice(self._deeds)(letter)

    def _play_some(self) -> None:
        if not self._busy:
            return
        self._world.at(self._world.now_ns + TAPE_EVERY_NS, self._play_some)
        begin_ns = self._chance.choice(self.heard).sent_ns
        self.play(begin_ns, min(begin_ns + TAPE_NS, self._world.now_ns - OLD_NS))

    def _is_old(self, letter: Letter) -> bool:
        return self._on_cable or self._world.now_ns - letter.sent_ns >= OLD_NS

    def _anybody(self) -> NodeId:
        return self._chance.choice(list(self._world.seats))

    # --- his deeds -------------------------------------------------------------------------------

    def _replay(self, letter: Letter) -> None:
        self._send(letter.data, letter.to)

    def _replay_to_another(self, letter: Letter) -> None:
        self._send(letter.data, self._anybody() if letter.unicast else None)

    def _replay_proof(self, _letter: Letter) -> None:
        """Answer a challenge with what was once an answer; ask what was once asked."""
        if self.proofs and self._is_old(proof := self._chance.choice(self.proofs)):
            self._send(proof.data, proof.to)

    def _replay_a_former_boot(self, letter: Letter) -> None:
        """Let a node speak as it did before it was restarted."""
        former = self._boots[letter.sender][:-1]
        if former and (said := self._said[self._chance.choice(former)]):
            again = self._chance.choice(said)
            self._send(again.data, again.to)

    def _turn(self, letter: Letter) -> None:
        """Send a unicast to the group, or a multicast to one node."""
        self._send(letter.data, None if letter.unicast else self._anybody())

    def _turn_in_disguise(self, letter: Letter) -> None:
        """Likewise, and let the header say so."""
        kind = Kind.MULTICAST if letter.unicast else Kind.UNICAST
        data = letter.data[:4] + bytes([kind]) + letter.data[5:]
        self._send(data, None if letter.unicast else self._anybody())

    def _mutate(self, letter: Letter) -> None:
        changed = bytearray(letter.data)
        changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        self._send(bytes(changed), letter.to)

    def _cut(self, letter: Letter) -> None:
        """Take some bytes out, or put another datagram's end behind."""
        at = self._chance.randrange(len(letter.data))
        other = self._chance.choice(self.heard).data
        self._send(letter.data[:at] + other[self._chance.randrange(len(other)) :], letter.to)

    def _rename(self, letter: Letter) -> None:
        """Say that somebody else said it: another, or the receiver itself."""
        self._send(self._changed(letter, sender=self._anybody()), letter.to)

    def _from_the_future(self, letter: Letter) -> None:
        self._send(self._changed(letter, counter=2**63), letter.to)

    def _forge(self, letter: Letter) -> None:
        """Say another's words, in a boot of one's own, under a key that is not the rack's."""
        ring = self._chance.choice((FORGED, UNHEARD_OF))
        self._seal(Sealer(ring, letter.sender, BootId(self._chance.getrandbits(64))), letter)

    def _forge_the_next_word(self, letter: Letter) -> None:
        """Likewise, in the boot that runs, with counters that it has not come to yet."""
        sealer = Sealer(FORGED, letter.sender, self._boots[letter.sender][-1])
        sealer._multicasts = sealer._unicasts = 2 ** self._chance.randrange(12, 63)
        self._seal(sealer, letter)

    def _seal(self, sealer: Sealer, letter: Letter) -> None:
        payload = letter.data[HEAD:-MAC_BYTES]
        if letter.unicast:
            to = self._anybody()
            self._send(sealer.seal_unicast(payload, to), to)
        else:
            self._send(sealer.seal_multicast(payload), None)

    def _changed(
        self, letter: Letter, *, sender: NodeId | None = None, counter: int | None = None
    ) -> bytes:
        magic, version, key, kind, true, boot, count = HEADER.unpack_from(letter.data)
        named = true if sender is None else sender
        counted = count if counter is None else counter
        head = HEADER.pack(magic, version, key, kind, named, boot, counted)
        return head + letter.data[HEAD:]
