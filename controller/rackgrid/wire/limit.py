"""How much one datagram holds, and the names of the encodings of its fields."""

from __future__ import annotations

U8, U16, U32, U64, I64 = "u8", "u16", "u32", "u64", "i64"
B32, B64 = "b32", "b64"
"""So many bytes, as they are."""

PROTOCOL_VERSION = 2
DATAGRAM_MAX = 1400
"""Longest datagram, bytes: below every Ethernet MTU, so that none is ever fragmented."""
NODES_MAX = 24
"""Most entries in a roster message: so many fit one datagram with the longest names."""
PLEDGES_MAX = 5
"""Most pledges in a roster message, beside all its entries."""
EXPELLED_MAX = 8
"""Most expelled nodes in a roster message, beside all its entries."""
ALLOTMENTS_MAX = 40
"""Most allotments in one price message; more nodes take several, each valid by itself."""
OFFERS_MAX = 8
LOADS_MAX = 24
NAME_MAX = 32
"""Longest name of a load or source on the wire, bytes of UTF-8."""
NODE_NAME_MAX = 24
"""Longest name of a node: shorter, since a roster has all of them in one datagram."""
TEXT_MAX = 160
