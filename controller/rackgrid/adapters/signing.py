"""Signatures of a node: Ed25519, each bound to one purpose (RFC 8032).

A group key says that a member spoke; a signature says which one. What a node signs begins with what
it is for, so that no signature can be passed off as one of another kind: a signed admission is no
ledger batch, whatever its bytes are.

A public key belongs to a node if the node's id is its hash (`keys.node_id_of`); nobody needs to be
told which key is whose. An id has 64 bits: to find another key for a given one takes 2^64 key
pairs, and each a multiplication on the curve.

`cryptography` is imported here, at the first use, and takes its time over it. The daemon does not:
it asks `signer`, which does this in a process of its own. Programs that end soon call it directly.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from rackgrid.adapters.keys import node_id_of
from rackgrid.identity import NodeId

PUBLIC_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


class Purpose(Enum):
    """What a signature is for: the words that the signed bytes begin with."""

    ROSTER = b"rackgrid roster 1"
    LEDGER = b"rackgrid ledger 1"


def framed(purpose: Purpose, data: bytes) -> bytes:
    """Return what is signed: the purpose, a zero byte that no purpose holds, and the data."""
    return purpose.value + b"\0" + data


def sign(seed: bytes, purpose: Purpose, data: bytes) -> bytes:
    """Sign with a private key, 32 bytes; the same bytes give the same signature, 64 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(framed(purpose, data))


def verify(public_key: bytes, purpose: Purpose, data: bytes, signature: bytes) -> bool:
    """Say whether the holder of this key signed these bytes for this purpose; never raises.

    A key that is none, or a signature of another length, is a peer's fault and simply not good.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public_key) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, framed(purpose, data))
    except (InvalidSignature, ValueError):
        return False
    return True


def belongs(public_key: bytes, node: NodeId) -> bool:
    """Say whether a public key is the one that this node is named after."""
    return len(public_key) == PUBLIC_BYTES and node_id_of(public_key) == node
