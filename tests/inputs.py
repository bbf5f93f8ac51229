"""What strangers may send: a corpus that grows by every finding, and what mutates it.

Used by the tests that hold "never an exception, never a 500", and by `bench/bench_fuzz_inputs.py`,
which plays far more of it than a test may take time for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

HEARD: Sequence[bytes] = (
    b"4.5",
    b"-0.12",
    b'{"temperature": 4.5, "humidity": 60}',
    b'{"value": "4.5"}',
    b'{"price": 0.31, "power_w": 60}',
    b'[{"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T12:15:00Z", "value": 0.31}]',
    b'{"day": "2026-03-02", "timezone": "Europe/Amsterdam", "values": [0.31, 0.29]}',
    b'{"timezone": "Europe/Amsterdam", "price": 0.22, "zones": [{"days": "mon-fri",'
    b' "from": "07:00", "to": "21:00", "price": 0.34}]}',
    b"start,end,value\n2026-03-01T12:00:00Z,2026-03-01T12:15:00Z,0.31\n",
    b'{"id": 1, "src": "plug", "result": {"output": true, "apower": 4.5}}',
    b'{"POWER1": "ON", "StatusSNS": {"ENERGY": {"Power": [1, 2]}}}',
    # Findings: nesting that ends the parser's stack, and numbers that arithmetic does not bear.
    b"[" * 3000,
    b'{"value":' * 900,
    b"1e308",
    b"1e999",
    b"NaN",
    b"9" * 4000,
    b'{"value": ' + b"9" * 3900 + b"}",
    b'{"price": ' + b"9" * 3900 + b"}",
    b'{"day": "9999-12-31", "timezone": "Pacific/Kiritimati", "values": [1]}',
    b'{"day": "0001-01-01", "timezone": "Pacific/Kiritimati", "values": [1]}',
    b'[{"start": "0001-01-01T00:00:00+14:00", "value": 1}]',
    b'[{"start": "9999-12-31T23:59:59-14:00", "value": 1}]',
    b'{"timezone": "../../etc/passwd", "price": 0.2, "zones": []}',
    b'{"timezone": "\\u0000", "price": 0.2, "zones": []}',
    b"\xff\xfe\x00",
    b"",
)
"""Payloads of MQTT: temperatures, tariffs, answers of plugs."""

PATHS: Sequence[str] = (
    "/",
    "/healthz",
    "/metrics",
    "/api/state",
    "/api/ledger",
    "/api/why/lamp?last=3",
    "/api/why/lamp?last=99999999999",
    "/api/why/%00",
    "/api/leave",
    "/api/forget/alfa",
    "/api/nodes/alfa",
    "/api/handover",
    "/api/recover",
    "/api/feed",
    "/api/loads/lamp/lock",
    "/api/loads/../leave",
    "/api/loads/..%2f..%2fetc%2fpasswd/lock",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "//evil.example/api/state",
    "/api/state/",
    "/api//state",
    "/api/state;x=1",
    "/api/\N{SNOWMAN}",
)
"""Targets of HTTP requests."""

BODIES: Sequence[bytes] = (
    b"",
    b"{}",
    b'{"capacity_w": 40.0}',
    b'{"capacity_w": 1e999}',
    b'{"capacity_w": ' + b"9" * 900 + b"}",
    b'{"priority": 3, "floor_max_w": 10}',
    b'{"priority": ' + b"9" * 900 + b"}",
    b"[" * 1000,
    b"\x00\xff",
    b" " * 5000,
)
"""Bodies of HTTP requests."""

_WORDS = (b"9" * 30, b"-", b"e", b"1e400", b"null", b"NaN", b"{", b"[", b'"', b"\\u0000", b"\xff")


def mutated(rng: random.Random, text: bytes) -> bytes:
    """Change a few bytes: put in, take out, turn over, double."""
    data = bytearray(text)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at:at] = rng.randbytes(rng.randrange(1, 4))
            case 1:
                del data[at : at + rng.randrange(1, 8)]
            case 2 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 3:
                data[at:at] = data[max(0, at - 8) : at]
            case _:
                data[at:at] = rng.choice(_WORDS)
    return bytes(data)
