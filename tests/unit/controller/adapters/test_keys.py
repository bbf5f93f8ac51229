from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rackgrid.adapters import keys
from rackgrid.adapters.keys import (
    Identity,
    load_identity,
    load_private_key,
)
from rackgrid.errors import StoreError
from rackgrid.identity import NodeId


def test_identity_first_start_makes_one_and_later_starts_read_it(tmp_path: Path) -> None:
    first = load_identity(tmp_path / "state")
    assert load_identity(tmp_path / "state") == first
    assert [p.name for p in (tmp_path / "state").iterdir()] == ["identity"]


def test_identity_id_is_the_hash_of_a_public_key_that_belongs_to_the_private_one(
    tmp_path: Path,
) -> None:
    identity = load_identity(tmp_path)
    seed, public = keys._read_identity(tmp_path / "identity")
    made = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert made == public == identity.public_key
    digest = blake2b(public, digest_size=64).digest()
    assert identity.node_id == int.from_bytes(digest[:8], "big") > 0


def test_identity_two_nodes_differ(tmp_path: Path) -> None:
    assert load_identity(tmp_path / "a").node_id != load_identity(tmp_path / "b").node_id


def test_identity_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    load_identity(tmp_path / "state")
    assert (tmp_path / "state" / "identity").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_identity_key_whose_id_would_be_zero_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    def first_is_zero(public: bytes) -> NodeId:
        asked.append(public)
        return NodeId(0 if public == asked[0] else 5)

    monkeypatch.setattr(keys, "node_id_of", first_is_zero)
    keys._make_identity(tmp_path / "identity")
    identity = load_identity(tmp_path)
    assert identity.node_id == 5
    assert identity.public_key != asked[0]


def test_identity_made_by_another_process_meanwhile_is_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load_identity(tmp_path)
    keys._make_identity(tmp_path / "identity")
    assert load_identity(tmp_path) == other
    assert [p.name for p in tmp_path.iterdir()] == ["identity"]


def test_identity_later_start_needs_no_cryptography(tmp_path: Path) -> None:
    expected = load_identity(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from rackgrid.adapters.keys import load_identity\n"
        "identity = load_identity(pathlib.Path(sys.argv[1]))\n"
        "assert 'cryptography' not in sys.modules\n"
        "print(identity.node_id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == expected.node_id


@pytest.mark.parametrize("cut", [0, 10, 100, -1])
def test_identity_torn_file_is_refused_and_left_alone(tmp_path: Path, cut: int) -> None:
    load_identity(tmp_path)
    path = tmp_path / "identity"
    torn = path.read_bytes()[:cut]
    path.write_bytes(torn)
    with pytest.raises(StoreError, match="is damaged"):
        load_identity(tmp_path)
    assert path.read_bytes() == torn


def test_identity_changed_digit_is_refused(tmp_path: Path) -> None:
    """A node that came back under another id would leave its old floor reserved for ever."""
    load_identity(tmp_path)
    path = tmp_path / "identity"
    text = path.read_text()
    at = text.index("public ") + 7
    path.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])
    with pytest.raises(StoreError, match="is damaged"):
        load_identity(tmp_path)


def test_identity_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_identity(tmp_path)
    (tmp_path / "identity").chmod(0o640)
    with pytest.raises(StoreError, match="chmod 600"):
        load_identity(tmp_path)


def test_identity_folder_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot keep this node's identity"):
        load_identity(tmp_path / "state")


def test_identity_shown_is_no_secret(tmp_path: Path) -> None:
    seed, _ = (load_identity(tmp_path), keys._read_identity(tmp_path / "identity"))[1]
    assert seed.hex() not in repr(load_identity(tmp_path))
    assert isinstance(load_identity(tmp_path), Identity)


def test_private_key_is_the_half_that_belongs_to_the_public_one(tmp_path: Path) -> None:
    identity = load_identity(tmp_path)
    private = Ed25519PrivateKey.from_private_bytes(load_private_key(tmp_path))
    assert private.public_key().public_bytes_raw() == identity.public_key


def test_private_key_is_never_made_on_the_way(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="made at the daemon's first start"):
        load_private_key(tmp_path)
    assert not list(tmp_path.iterdir())


def test_private_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    load_identity(tmp_path)
    (tmp_path / "identity").chmod(0o644)
    with pytest.raises(StoreError, match="chmod 600"):
        load_private_key(tmp_path)
