"""`rackgrid key`: the group key, which makes a rack a rack.

Who has the file may elect itself, set prices and switch loads, so it is made readable by its owner
alone and never overwritten, and what is said of a key is its number and its fingerprint.

A rotation is three steps, and the file is copied to every node after each: *add* a key, which all
then accept; *use* it; *drop* the old one. A running daemon takes up the file within a second. Why
the steps are apart is decision 13.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.api import UnreachableError, add_target, address, ask
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.adapters.keyring import RackKey, RackKeys
    from rackgrid.cli.verb import Verbs

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")
KEY_PATH = Path("/etc/rackgrid/rack.key")
_COPY = "copy {path} to every other node of the rack, as it is (mode 0600, same owner)"
LOOK = "each running node says `keys: {keys}` in its log within a second"


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("key", help="make, list and rotate the group key")
    deeds = parser.add_subparsers(metavar="DEED", required=True)
    new = deeds.add_parser("new", help="make a group key, and write it into a new file")
    new.add_argument("file", type=Path, help="where to write it; must not exist yet")
    new.set_defaults(run=run_new)
    listing = deeds.add_parser("list", help="show numbers, fingerprints and ages; never a key")
    listing.add_argument("--json", action="store_true", help="write JSON")
    listing.set_defaults(run=run_list)
    rotate = deeds.add_parser("rotate", help="add a key; with --everywhere, use it")
    rotate.add_argument(
        "--everywhere",
        action="store_true",
        help="the file with the new key is on every node: use the new key from now on",
    )
    rotate.set_defaults(run=run_rotate)
    drop = deeds.add_parser("drop", help="accept a key no longer: the last step of a rotation")
    drop.add_argument("number", type=int, help="of the key, as `rackgrid key list` shows it")
    drop.add_argument("--force", action="store_true", help="though a node may still use it")
    add_target(drop)
    drop.set_defaults(run=run_drop)
    token = deeds.add_parser("token", help="print the line with which another node joins: a secret")
    token.add_argument("--config", metavar="FILE", type=Path, default=CONFIG_PATH)
    token.set_defaults(run=run_token)
    for deed in (listing, rotate, drop):
        deed.add_argument("--file", metavar="FILE", type=Path, default=KEY_PATH)


def run_new(args: argparse.Namespace) -> int:
    """Make a group key."""
    from rackgrid.adapters.key_file import new_group_key

    path: Path = args.file
    try:
        new_group_key(path)
    except FileExistsError:
        say(
            f"{path} exists, and a key is not overwritten: every node of the rack would lose the "
            "others. Take another name, or move the old file away; to change the key of a rack "
            "that runs: `rackgrid key rotate`"
        )
        return Exit.FAILED
    except OSError as error:
        say(f"{path}: {error.strerror or error}; choose a folder where this user may write")
        return Exit.FAILED
    say(f"{path}: a new group key; copy it to every node of the rack, and to nobody else")
    return Exit.OK


def run_list(args: argparse.Namespace) -> int:
    """Show what is on the ring."""
    from rackgrid.adapters.key_file import load_keys

    keys = load_keys(args.file)
    now = datetime.now(UTC)
    if args.json:
        print(json.dumps([_entry(key, keys, now) for key in keys.keys], indent=2))
        return Exit.OK
    for key in keys.keys:
        mark = "used" if key.number == keys.use else "accepted"
        print(f"{key.number:>3}  {key.fingerprint}  {mark:<8}  {_age(key, now)}")
    return Exit.OK


def run_rotate(args: argparse.Namespace) -> int:
    """Add a key, or use the one that was added."""
    from rackgrid.adapters.key_file import fingerprints, load_keys

    path: Path = args.file
    keys = load_keys(path)
    waits = keys.newest.number != keys.use
    if waits and not args.everywhere:
        say(
            f"{path}: key {keys.newest.number} ({keys.newest.fingerprint}) was added and is not "
            f"used yet. {_COPY.format(path=path)}, if that is not done; then say so: "
            "`rackgrid key rotate --everywhere`"
        )
        return Exit.FAILED
    if args.everywhere and not waits:
        say(f"{path}: no key waits to be used; `rackgrid key rotate` adds one")
        return Exit.FAILED
    newest = keys.newest.number
    after = _change(path, lambda ring: ring.using(newest)) if waits else add_key(path)
    if after is None:
        return Exit.FAILED
    named = fingerprints(after)
    if not waits:
        say(
            f"{path}: key {after.newest.number} was added, and key {after.use} is used as before.\n"
            f"1. {_COPY.format(path=path)}: {LOOK.format(keys=named)}.\n"
            "2. When all have it, here: `rackgrid key rotate --everywhere`.\n"
            "A node that has only the old key would hear nobody after step 2."
        )
        return Exit.OK
    old = ", ".join(str(key.number) for key in after.keys if key.number != after.use)
    say(
        f"{path}: key {after.use} is used from now on; {old} is accepted as before.\n"
        f"1. {_COPY.format(path=path)}: {LOOK.format(keys=named)}.\n"
        f"2. When all have it, here: `rackgrid key drop {after.keys[0].number}`, and copy the file "
        "once more.\n"
        "Until then whoever has the old key is still listened to."
    )
    return Exit.OK


def run_drop(args: argparse.Namespace) -> int:
    """Accept a key no longer."""
    from rackgrid.adapters.key_file import fingerprints

    path: Path = args.file
    number: int = args.number
    if not args.force and not _unused(args, number):
        return Exit.FAILED
    after = _change(path, lambda ring: ring.without(number))
    if after is None:
        return Exit.FAILED
    say(
        f"{path}: key {number} is gone.\n"
        f"{_COPY.format(path=path)}: {LOOK.format(keys=fingerprints(after))}. Delete every other "
        "copy of the old file."
    )
    return Exit.OK


def _unused(args: argparse.Namespace, number: int) -> bool:
    """Ask this node's daemon whether any node was last heard under that key; say so if it was."""
    url = address(args)
    try:
        sealed = ask(f"{url}/api/keys").record("sealed_with")
        roster = ask(f"{url}/api/state").records("roster")
    except UnreachableError as error:
        say(f"{error}\nSo nobody says whether a node still uses key {number}; --force drops it")
        return False
    names = {line.text("id"): line.text("name") for line in roster}
    late = sorted(names.get(node, node) for node in sealed.fields if sealed.number(node) == number)
    if late:
        say(
            f"key {number} is still used by {', '.join(late)}: copy the key file there first. A "
            "node that is gone for good does not count: --force drops the key anyway"
        )
    return not late


def run_token(args: argparse.Namespace) -> int:
    """Print the join token."""
    from rackgrid.adapters.join import JoinToken, write_token
    from rackgrid.adapters.key_file import load_keys
    from rackgrid.config_file import load_config

    config = load_config(args.config)
    rack, feed = config.rack, config.feed
    keys = load_keys(rack.key_file)
    about = rack.name, rack.group, rack.port, rack.expect, feed.capacity_w, feed.currency
    say(
        "This line holds the group key: whoever has it can switch loads. On the new node:\n"
        "    rackgrid setup --join -        and paste it there; or --join FILE, mode 0600"
    )
    print(write_token(JoinToken(*about, keys)))
    return Exit.OK


def add_key(path: Path) -> RackKeys | None:
    """Add a key, drawn now, to those that are accepted; say so if that failed.

    Raises:
        ConfigError: the file cannot be used as it is.
        KeyringError: the ring is full.
    """
    from rackgrid.adapters.key_file import add_random

    return _change(path, add_random)


def _change(path: Path, change: Callable[[RackKeys], RackKeys]) -> RackKeys | None:
    """Change the file, or say why that failed."""
    from rackgrid.adapters.key_file import change_keys

    try:
        return change_keys(path, change)
    except OSError as error:
        say(f"{path}: {error.strerror or error}: nothing was changed; run it as the file's owner")
        return None


def _entry(key: RackKey, keys: RackKeys, now: datetime) -> dict[str, object]:
    return {
        "number": key.number,
        "fingerprint": key.fingerprint,
        "used": key.number == keys.use,
        "made": key.made or None,
        "age_s": _age_s(key, now),
    }


def _age_s(key: RackKey, now: datetime) -> int | None:
    if not key.made:
        return None
    return int((now - datetime.fromisoformat(key.made)).total_seconds())


def _age(key: RackKey, now: datetime) -> str:
    age_s = _age_s(key, now)
    if age_s is None:
        return "its age is not known"
    return f"{age_s // 86400} d old" if age_s >= 86400 else f"{max(age_s, 0) // 3600} h old"
