"""Whose ledger a file is: the signature of its newest signed batch, and what that says.

A node is named by the hash of its public key, so nobody needs to be told which key is whose. A
batch's signature is over its hash, which covers every batch before it: the newest signature vouches
for the whole chain up to there, and the older ones say nothing that it does not. They stay in the
file for those that are given a part of it.

`cryptography` is imported here, at the first use: for programs that end soon, not for the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.adapters.keys import node_id_of
from rackgrid.adapters.ledger_file import LedgerFile
from rackgrid.adapters.signing import Purpose, verify


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a signature says of a file.

    Attributes:
        node: whose ledger it is, in hex; "" if nobody signed it.
        until: the last batch that is signed, with all before it; 0 if none is.
        newer: so many batches are newer.
        objection: what is wrong with the signature, or "".
    """

    node: str
    until: int
    newer: int
    objection: str


def attested(ledger: LedgerFile) -> Attestation:
    """Check the newest signature of a ledger."""
    signed, key, head = ledger.signed(), ledger.public_key(), ledger.head()
    if signed is None or signed.signature is None:
        return Attestation("", 0, head.id, "")
    newer = ledger.count_after(signed.id)
    if key is None:
        return Attestation("", signed.id, newer, "it is signed, and does not say by whom")
    node = f"{node_id_of(key):016x}"
    if verify(key, Purpose.LEDGER, signed.told, signed.signature):
        return Attestation(node, signed.id, newer, "")
    return Attestation(node, signed.id, newer, f"batch {signed.id} is not signed by node {node}")
