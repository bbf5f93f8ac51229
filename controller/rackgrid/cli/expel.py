"""`rackgrid expel NODE`: put a node out that must not be trusted any more.

It loses its vote, is heard no more, gets no grant, and is not admitted again. What it cannot lose
this way is the group key, so that has to be rotated next; and what nobody can take from it over a
network is the power that it draws, so its floor stays reserved until a person has switched it off.
The broker takes the word, and nobody else: any other node could be the one that is to go.

With `--rotate` the new key is made right here, and what is printed are the lines that bring it to
every other node and not to this one. It travels by `scp`, never through the rack: whoever holds the
old key reads along there (decision 13). It is always a new one, also where another waits to be used
already: that one the expelled node has as well.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from rackgrid.cli import say
from rackgrid.cli.api import Record, add_control, address, config_of, tell
from rackgrid.cli.exit import Exit
from rackgrid.cli.key import KEY_PATH, LOOK, add_key
from rackgrid.cli.patience import missed, wait_until
from rackgrid.errors import RackgridError

if TYPE_CHECKING:
    from rackgrid.adapters.keyring import RackKeys
    from rackgrid.cli.verb import Verbs

PATIENCE_S = 12.0


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("expel", help="put a node out that is not to be trusted any more")
    parser.add_argument("node", metavar="NODE", help="its name or id, as on the roster")
    parser.add_argument(
        "--rotate",
        action="store_true",
        help="then add a key that it does not have, and say how the others get it",
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=Path,
        help="where that key goes; else [rack] key_file of rackgrid.toml",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")
    add_control(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask the broker, wait until the node has no vote any more, and make a key if wanted."""
    url = address(args)
    path = _key_file(args) if args.rotate else None
    asked = tell(args, f"/api/expel/{quote(args.node, safe='')}")
    who, name = asked.text("expelling"), asked.text("name")

    def expelled(state: Record) -> bool:
        roster = list(state.records("roster"))
        lines = [line for line in roster if line.text("id") == who]
        is_out = all(line.flag("expelled") and line.number("votes") == 0 for line in lines)
        return bool(roster) and is_out  # A node without a roster has nothing to show.

    state, is_done = wait_until(url, expelled, PATIENCE_S)
    keys = _rotated(path) if is_done and path is not None else None
    if args.json:
        added = {"key": keys.newest.number if keys else None} if path is not None else {}
        print(json.dumps({"id": who, "name": name, "expelled": is_done, **added}))
    if not is_done:
        return missed(
            state,
            f"{name} is not expelled after {PATIENCE_S:g} s",
            "the broker's log says why; then ask once more",
        )
    first = "it still holds the group key: make a new one without it (rackgrid key rotate)"
    if path is not None and keys is not None:
        here = "" if args.api else state.record("node").text("id")
        first = _steps(path, keys, name, _others(state, {who, here}))
    say(
        f"{name} is expelled: it has no vote, gets no grant, and is heard no more\n"
        f"1. {first}\n"
        f"2. it may still draw its floor of {asked.number('floor_w') or 0:g} W: switch it off\n"
        f"3. then free that floor: rackgrid forget {name}"
    )
    return Exit.FAILED if path is not None and keys is None else Exit.OK


def _key_file(args: argparse.Namespace) -> Path:
    """Find the file with the keys, and see that it is one before anybody is expelled.

    Raises:
        ConfigError: it cannot be used; says why.
    """
    from rackgrid.adapters.key_file import load_keys

    path: Path | None = args.key_file
    if path is None:
        config = config_of(args)
        path = config.rack.key_file if config else KEY_PATH
    load_keys(path)
    return path


def _rotated(path: Path) -> RackKeys | None:
    """Add a key; if that fails, say so, since the node has been expelled all the same."""
    try:
        return add_key(path)
    except RackgridError as error:
        say(f"rackgrid: {error}")
        return None


def _others(state: Record, without: set[str]) -> list[str]:
    """Name the nodes that need the new key, heard or not: all that are not expelled."""
    lines = [line for line in state.records("roster") if line.text("id") not in without]
    return [line.text("name") or line.text("id") for line in lines if not line.flag("expelled")]


def _steps(path: Path, keys: RackKeys, name: str, others: list[str]) -> str:
    """Say how the key comes to the others and into use, in lines that can be pasted.

    Names come from other machines, and could mean something to a shell, or to scp.
    """
    from rackgrid.adapters.key_file import fingerprints

    file = path.resolve()
    own = "" if path == KEY_PATH else f" --file {shlex.quote(str(file))}"
    copies = [f"scp -p -- {shlex.quote(str(file))} {shlex.quote(f'{n}:{file}')}" for n in others]
    drops = [f"rackgrid key drop {key.number}{own}" for key in keys.keys if key != keys.newest]
    return "\n   ".join(
        [
            f"it still holds the group key: key {keys.newest.number}, which it does not have, was "
            f"added to {path}; key {keys.use} is used as before",
            f"a) look that each of these is a node of yours, and copy the file, never to {name}:",
            *(f"       {line}" for line in copies),
            f"   {LOOK.format(keys=fingerprints(keys))}",
            f"b) when all have it, here: rackgrid key rotate --everywhere{own}",
            "   and copy once more",
            f"c) when all say that: {'; '.join(drops)}",
            "   and copy a last time: until then whoever has the old key is still listened to",
        ]
    )
