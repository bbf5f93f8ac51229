"""The newest signature of a ledger says whose it is, and up to where."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows

from rackgrid.adapters.keys import load_identity, load_private_key
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_signature import Attestation, attested
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.adapters.signing import Purpose, sign


@pytest.fixture
def store(tmp_path: Path) -> LedgerStore:
    return open_ledger(tmp_path / "ledger.db")


def hand(folder: Path) -> tuple[bytes, bytes]:
    """A node's public and private key."""
    folder.mkdir()
    return load_identity(folder).public_key, load_private_key(folder)


def test_ledger_says_who_signed_it_and_up_to_where(tmp_path: Path, store: LedgerStore) -> None:
    public, private = hand(tmp_path / "node")
    node = f"{load_identity(tmp_path / 'node').node_id:016x}"
    assert attested(store) == Attestation("", 0, 0, "")
    store.append(rows("fan", 2), KERNEL, None)
    assert attested(store) == Attestation("", 0, 1, "")
    store.belong(public)
    store.append(rows("lamp", 2), KERNEL, None, lambda data: sign(private, Purpose.LEDGER, data))
    assert attested(store) == Attestation(node, 2, 0, "")
    store.append(rows("pump", 2), KERNEL, None)
    assert attested(store) == Attestation(node, 2, 1, "")
    store.close()


def test_signature_of_another_node_is_found(tmp_path: Path, store: LedgerStore) -> None:
    """Fails if a holder of the group's key can write a ledger in another's name."""
    public, _ = hand(tmp_path / "owner")
    _, private = hand(tmp_path / "forger")
    store.belong(public)
    store.append(rows("fan", 2), KERNEL, None, lambda data: sign(private, Purpose.LEDGER, data))
    assert "is not signed by node" in attested(store).objection
    store.close()


def test_signature_is_of_one_batch_and_of_one_purpose(tmp_path: Path, store: LedgerStore) -> None:
    public, private = hand(tmp_path / "owner")
    store.belong(public)
    store.append(rows("fan", 2), KERNEL, None, lambda data: sign(private, Purpose.ROSTER, data))
    assert attested(store).objection
    store.append(rows("lamp", 2), KERNEL, None, lambda data: sign(private, Purpose.LEDGER, data))
    assert not attested(store).objection
    store._file.execute("UPDATE batch SET id = 7 WHERE id = 2")
    assert attested(store).objection
    store._file.execute("DELETE FROM owner")
    assert "does not say by whom" in attested(store).objection
    store.close()
