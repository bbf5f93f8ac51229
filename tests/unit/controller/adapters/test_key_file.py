from __future__ import annotations

import base64
import logging
import os
from pathlib import Path

import pytest

from rackgrid.adapters.key_file import (
    KeyWatch,
    add_random,
    change_keys,
    fingerprints,
    load_keys,
    new_group_key,
)
from rackgrid.adapters.keyring import RackKeys, write_keys
from rackgrid.errors import ConfigError, KeyringError

KEY = bytes(range(32))


def key_file(tmp_path: Path, data: bytes, mode: int = 0o600) -> Path:
    path = tmp_path / "group.key"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_group_key_new_one_is_private_random_and_loads(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    new_group_key(one)
    new_group_key(other)
    assert one.stat().st_mode & 0o777 == 0o600
    assert len(load_keys(one).used.secret) == 32
    assert load_keys(one) != load_keys(other)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "other"]


def test_group_key_is_never_overwritten(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.hex().encode())
    with pytest.raises(FileExistsError):
        new_group_key(path)
    assert load_keys(path).used.secret == KEY
    assert [p.name for p in tmp_path.iterdir()] == ["group.key"]


@pytest.mark.parametrize(
    "data",
    [
        KEY.hex().encode(),
        KEY.hex().upper().encode() + b"\n",
        base64.b64encode(KEY),
        b"  " + base64.b64encode(KEY) + b"\r\n",
    ],
)
def test_group_key_hex_and_base64_are_read(tmp_path: Path, data: bytes) -> None:
    assert load_keys(key_file(tmp_path, data)).used.secret == KEY


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", KEY, KEY.hex()[:-2].encode(), KEY.hex().encode() + b"00", b"x" * 64, b"a" * 9000],
    ids=["empty", "blank", "raw", "short", "long", "not_hex", "huge"],
)
def test_group_key_that_is_none_says_what_one_looks_like(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigError, match=r":1: .*64 digits.*44 characters|too long"):
        load_keys(key_file(tmp_path, data))


def test_group_key_placeholder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="placeholder"):
        load_keys(key_file(tmp_path, b"00" * 32))


def test_group_key_missing_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="copy it from another node") as caught:
        load_keys(tmp_path / "nothing.key")
    assert "rackgrid key new" in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_group_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load_keys(key_file(tmp_path, KEY.hex().encode(), mode))


def test_group_key_as_systemd_credential_may_show_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert load_keys(key_file(tmp_path, KEY.hex().encode(), 0o440)).used.secret == KEY
    with pytest.raises(ConfigError, match="chmod 600"):
        load_keys(key_file(tmp_path, KEY.hex().encode(), 0o444))


def test_group_key_that_is_a_folder_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot read the group key"):
        load_keys(path)


def test_group_key_refused_is_not_shown(tmp_path: Path) -> None:
    bad = KEY.hex() + "99"
    with pytest.raises(ConfigError) as caught:
        load_keys(key_file(tmp_path, bad.encode()))
    assert KEY.hex()[:8] not in str(caught.value)


def test_group_key_file_with_a_bad_line_names_it(tmp_path: Path) -> None:
    keys = new_group_key(tmp_path / "rack.key")
    text = write_keys(keys).replace("use 1", "use one")
    path = key_file(tmp_path, text.encode())
    with pytest.raises(ConfigError, match=rf"^{path}:2: the number of a key"):
        load_keys(path)


def test_change_adds_uses_and_drops_and_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "rack.key"
    old = new_group_key(path).used
    added = change_keys(path, add_random)
    assert (added.use, [key.number for key in added.keys]) == (1, [1, 2])
    used = change_keys(path, lambda keys: keys.using(2))
    dropped = change_keys(path, lambda keys: keys.without(1))
    assert load_keys(path) == dropped
    assert old not in dropped.keys
    assert used.used == dropped.used != old
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["rack.key"]


def test_change_that_is_refused_leaves_the_file_alone(tmp_path: Path) -> None:
    path = key_file(tmp_path, KEY.hex().encode())
    with pytest.raises(KeyringError, match="is used"):
        change_keys(path, lambda keys: keys.without(1))
    assert path.read_bytes() == KEY.hex().encode()


def test_change_through_a_link_changes_the_file_behind_it(tmp_path: Path) -> None:
    path, link = tmp_path / "rack.key", tmp_path / "link"
    new_group_key(path)
    link.symlink_to(path)
    change_keys(link, add_random)
    assert link.is_symlink()
    assert len(load_keys(path).keys) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: gives a file away")
def test_change_by_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "rack.key"
    new_group_key(path)
    os.chown(path, 4321, 4321)
    change_keys(path, add_random)
    assert (path.stat().st_uid, path.stat().st_gid) == (4321, 4321)


def test_watch_takes_up_what_has_changed_once(tmp_path: Path) -> None:
    path = tmp_path / "rack.key"
    watch = KeyWatch(path) if new_group_key(path) else None
    assert watch is not None
    assert watch.changed() is None
    changed = change_keys(path, add_random)
    assert watch.changed() == changed == watch.keys
    assert watch.changed() is None


@pytest.mark.parametrize("harm", ["cut", "gone", "open", "other"])
def test_watch_keeps_its_keys_while_the_file_is_no_good_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    path = tmp_path / "rack.key"
    before = new_group_key(path)
    watch = KeyWatch(path)
    text = write_keys(add_random(before))
    if harm == "gone":
        path.unlink()
    else:
        path.write_text({"cut": text[:-5], "open": text, "other": "hello"}[harm])
        path.chmod(0o644 if harm == "open" else 0o600)
    for _ in range(3):
        assert watch.changed() is None
    assert watch.keys == before
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    path.write_text(text)
    path.chmod(0o600)
    after = watch.changed()
    assert after is not None
    assert len(after.keys) == 2


def test_watch_that_finds_the_old_file_again_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "rack.key"
    new_group_key(path)
    watch = KeyWatch(path)
    path.rename(tmp_path / "aside")
    assert watch.changed() is None
    (tmp_path / "aside").rename(path)
    assert watch.changed() is None
    changed = change_keys(path, add_random)
    assert watch.changed() == changed


def test_fingerprints_say_which_is_used_and_no_key(tmp_path: Path) -> None:
    keys: RackKeys = add_random(new_group_key(tmp_path / "rack.key"))
    text = fingerprints(keys)
    assert text.startswith(f"1 ({keys.used.fingerprint}, used), 2 (")
    assert not any(key.secret.hex() in text for key in keys.keys)
