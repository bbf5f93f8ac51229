"""What the envelope costs: sealing and opening 300 bytes, in µs on this machine.

Opening is all of it: the MAC, the proven boot, the replay window and the sender's bucket. Every
opened datagram is a new one, from a sender among forty that have proved themselves. Best of several
runs: what the code costs, not what the neighbours do.

    .venv/bin/python tests/bench/bench_seal.py [--json]
"""

from __future__ import annotations

import itertools
import json
import sys
import timeit
from collections.abc import Callable

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.bucket import SECOND_NS
from rackgrid.wire.opener import Opened, Opener, Unproven
from rackgrid.wire.proof import SECRET_BYTES, Proof
from rackgrid.wire.seal import Keyring, Sealer
from rackgrid.wire.vocabulary import Rejection

CALLS = 4000
REPEATS = 9
PEERS = 40
PAYLOAD = bytes(range(256)) + bytes(44)
RING = Keyring(1, {1: bytes(range(32))})
HERE, BOOT = NodeId(2**63), BootId(2**64 - 1)


def cost_us(deed: Callable[[], object]) -> float:
    """Best time of one call, µs."""
    return min(timeit.repeat(deed, number=CALLS, repeat=REPEATS)) / CALLS * 1e6


def acquainted(opener: Opener, number: int) -> Sealer:
    """A sender that has proved itself."""
    sealer = Sealer(RING, NodeId(number), BootId(number))
    asked = opener.open(sealer.seal_multicast(b""), False, 0)
    assert isinstance(asked, Unproven)
    assert asked.reply is not None
    echo = sealer.seal_proof(Proof(HERE, echo=asked.reply.challenge))
    assert isinstance(opener.open(echo, True, 0), Opened)
    return sealer


def figures() -> dict[str, float]:
    """Measure each side, and what it takes to refuse what a stranger and a thief send."""
    opener = Opener(RING, HERE, BOOT, bytes(SECRET_BYTES))
    sealers = [acquainted(opener, number) for number in range(1, PEERS + 1)]
    turn = itertools.cycle(sealers)
    count = CALLS * REPEATS
    unicasts = [next(turn).seal_unicast(PAYLOAD, HERE) for _ in range(count)]
    multicasts = [next(turn).seal_multicast(PAYLOAD) for _ in range(count)]
    now_ns = itertools.count(0, SECOND_NS // 4000)

    def opening(sealed: list[bytes], unicast: bool) -> Callable[[], None]:
        coming = iter(sealed)

        def open_next() -> None:
            assert isinstance(opener.open(next(coming), unicast, next(now_ns)), Opened)

        return open_next

    def refused(datagram: bytes) -> Callable[[], None]:
        def refuse() -> None:
            assert isinstance(opener.open(datagram, False, 0), Rejection)

        return refuse

    flipped = bytearray(multicasts[0])
    flipped[-1] ^= 1
    stranger = Sealer(RING, NodeId(999), BOOT).seal_multicast(PAYLOAD)
    costs = {
        "seal a multicast": cost_us(lambda: sealers[0].seal_multicast(PAYLOAD)),
        "seal a unicast": cost_us(lambda: sealers[0].seal_unicast(PAYLOAD, HERE)),
        "open a multicast": cost_us(opening(multicasts, False)),
        "open a unicast": cost_us(opening(unicasts, True)),
        "refuse a forgery": cost_us(refused(bytes(flipped))),
        "refuse a replay": cost_us(refused(multicasts[0])),
        "refuse an unproven boot": cost_us(refused(stranger)),
    }
    costs["seal + open"] = costs["seal a unicast"] + costs["open a unicast"]
    return {deed: round(cost, 2) for deed, cost in costs.items()}


def main() -> None:
    """Measure, and print."""
    measured = figures()
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured, indent=2))
        return
    for deed, cost in measured.items():
        print(f"{deed:24} {cost:6.2f} µs")


if __name__ == "__main__":
    main()
