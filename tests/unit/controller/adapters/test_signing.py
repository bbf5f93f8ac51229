from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from rackgrid.adapters.keys import load_identity, load_private_key
from rackgrid.adapters.signing import Purpose, belongs, framed, sign, verify
from rackgrid.identity import NodeId

SEED = bytes(range(32))
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()


def test_verify_takes_what_was_signed() -> None:
    assert verify(PUBLIC, Purpose.ROSTER, b"data", sign(SEED, Purpose.ROSTER, b"data"))


def test_verify_signature_for_another_purpose_is_refused() -> None:
    """A bill's signature must never pass for an admission, whatever its bytes are."""
    signature = sign(SEED, Purpose.LEDGER, b"data")
    assert verify(PUBLIC, Purpose.LEDGER, b"data", signature)
    assert not verify(PUBLIC, Purpose.ROSTER, b"data", signature)


def test_framed_purposes_and_data_never_run_together() -> None:
    """No purpose holds the byte that ends it, and none is the beginning of another with it."""
    heads = [framed(purpose, b"") for purpose in Purpose]
    assert all(head.index(0) == len(head) - 1 for head in heads)
    assert len(set(heads)) == len(heads)


def test_verify_other_key_or_other_data_is_refused() -> None:
    signature = sign(SEED, Purpose.ROSTER, b"data")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert not verify(other, Purpose.ROSTER, b"data", signature)
    assert not verify(PUBLIC, Purpose.ROSTER, b"date", signature)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_verify_garbage_is_refused_and_raises_nothing(
    key: bytes, data: bytes, signature: bytes
) -> None:
    assert not verify(key, Purpose.ROSTER, data, signature)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_verify_garbage_of_the_right_length_is_refused(key: bytes, signature: bytes) -> None:
    assert not verify(key, Purpose.ROSTER, b"data", signature)


@pytest.mark.parametrize("bit", range(0, 512, 37))
def test_verify_signature_with_a_flipped_bit_is_refused(bit: int) -> None:
    signature = bytearray(sign(SEED, Purpose.ROSTER, b"data"))
    signature[bit // 8] ^= 1 << bit % 8
    assert not verify(PUBLIC, Purpose.ROSTER, b"data", bytes(signature))


def test_belongs_ties_a_key_to_the_node_that_is_named_after_it(tmp_path: Path) -> None:
    identity = load_identity(tmp_path)
    assert belongs(identity.public_key, identity.node_id)
    assert not belongs(identity.public_key, NodeId(identity.node_id ^ 1))
    assert not belongs(PUBLIC, identity.node_id)
    assert not belongs(identity.public_key + b"\0", identity.node_id)
    assert verify(
        identity.public_key,
        Purpose.ROSTER,
        b"x",
        sign(load_private_key(tmp_path), Purpose.ROSTER, b"x"),
    )


def test_import_alone_does_not_load_cryptography() -> None:
    """The daemon imports this room for its words; only the process that signs pays for the rest."""
    code = "import sys, rackgrid.adapters.signing, rackgrid.adapters.signer\n"
    code += "assert not any(m.startswith('cryptography') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
