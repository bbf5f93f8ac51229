"""`rackgrid setup`: a node's first files, for a new rack or to join one.

    rackgrid setup --rack shed --capacity 120          the first node: makes the key, too
    rackgrid setup --join -                            another one: the token from stdin
    rackgrid setup --join FILE                         or from a file for its owner alone

It writes the key file, `rackgrid.toml` and, where there is no Pi, a mock board; it never overwrites
a file, checks what there is then, has the doctor look at the node (`--no-doctor` for an image that
is made elsewhere), and says the next command. It ends with 1 if something fails there: a node that
looks installed and cannot run is the worst kind. What no flag answers is asked at a terminal, and
has a default or is an error elsewhere.

The token never is an argument: arguments are seen in `ps` and stay in the shell's history.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rackgrid.cli import say
from rackgrid.cli.exit import Exit

if TYPE_CHECKING:
    from rackgrid.adapters.join import JoinToken
    from rackgrid.cli.verb import Verbs

FOLDER = Path("/etc/rackgrid")
SERVICE_USER = "rackgrid"
MODEL = Path("/proc/device-tree/model")
ROUTES = Path("/proc/net/route")
MOCK_BOARD = "mock-demo"
MOCK_CAPACITY_W = 60.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What the files are made of."""

    rack: str
    group: str
    port: int
    expect: int
    capacity_w: float
    currency: str
    node: str
    interface: str


def add(verbs: Verbs) -> None:
    """Describe the verb."""
    parser = verbs.add_parser("setup", help="write a node's first files: a new rack, or --join one")
    parser.add_argument(
        "--join", metavar="FILE", help="a file with the token of `rackgrid key token`; - is stdin"
    )
    parser.add_argument("--dir", type=Path, default=FOLDER, help="where the files belong")
    parser.add_argument("--rack", metavar="NAME", help="what the rack is called")
    parser.add_argument("--node", metavar="NAME", help="what this node is called")
    parser.add_argument("--interface", metavar="IF", help="the network interface to other nodes")
    parser.add_argument("--capacity", metavar="W", type=float, help="what the feed gives, W")
    parser.add_argument("--expect", metavar="N", type=int, help="how many nodes the rack will have")
    parser.add_argument("--board", metavar="PROFILE", help="a board profile: a name or a file")
    parser.add_argument(
        "--no-doctor", action="store_true", help="do not look at pins, buses, disk and network"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files, check them, and say what comes next."""
    from rackgrid.adapters.join import HEAD

    if args.join is not None and args.join.startswith(HEAD):
        say(
            "rackgrid: a token is a secret, and arguments are seen by every user of this machine: "
            "pass it by `--join -` and paste it, or `--join FILE`. If others use this machine, "
            "rotate the key: `rackgrid key rotate`"
        )
        return Exit.USAGE
    token = None if args.join is None else _token(args.join)
    folder: Path = args.dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write(folder, args, token)
    except OSError as error:
        where = error.filename or folder
        say(f"{where}: {error.strerror or error}; run it as root, or choose another --dir")
        return Exit.FAILED


def _write(folder: Path, args: argparse.Namespace, token: JoinToken | None) -> int:
    config, key, board = folder / "rackgrid.toml", folder / "rack.key", folder / "board.toml"
    if token is not None and not _same_keys(key, token):
        return Exit.FAILED
    answers = None if config.exists() else _answers(args, token)
    profile = None if board.exists() else _profile(args.board)
    if profile is None and not board.exists():
        return Exit.USAGE
    if answers is None and not config.exists():
        return Exit.USAGE
    if profile is not None:
        _put(board, profile.read_text())
    _put_key(key, token)
    if answers is not None:
        _put(config, _config(answers, board, system=folder == FOLDER))
    else:
        say(f"{config}: is there already, and stays as it is")
    return _check(config, token, looks=not args.no_doctor)


def _token(source: str) -> JoinToken:
    """Read the token from where it was said to be."""
    from rackgrid.adapters.join import TOKEN_MAX, parse_token
    from rackgrid.adapters.secret import others_may_read
    from rackgrid.errors import KeyringError

    if source == "-":
        if sys.stdin.isatty():
            from getpass import getpass

            return parse_token(getpass("token (it is not shown): "))
        return parse_token(sys.stdin.readline(TOKEN_MAX + 2))
    path = Path(source)
    try:
        if path.is_file() and others_may_read(path):
            raise KeyringError(f"others can read the join token: chmod 600 {path}")
        with path.open() as file:
            return parse_token(file.readline(TOKEN_MAX + 2))
    except OSError as error:
        raise KeyringError(f"cannot read the join token in {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise KeyringError(f"{path} holds no join token") from error


def _same_keys(path: Path, token: JoinToken) -> bool:
    """Whether there are no keys yet, or the token's."""
    from rackgrid.adapters.key_file import load_keys

    if not path.exists() or load_keys(path).keys == token.keys.keys:
        return True
    say(
        f"{path} holds other keys than the token: this node is of another rack, or the key was "
        "rotated since. Nothing was changed; move the old file away to join"
    )
    return False


def _put_key(path: Path, token: JoinToken | None) -> None:
    from rackgrid.adapters.key_file import new_group_key
    from rackgrid.adapters.keyring import write_keys
    from rackgrid.adapters.private_file import write_new

    if path.exists():
        say(f"{path}: is there already, and stays as it is")
        return
    if token is None:
        new_group_key(path)
    else:
        write_new(path, write_keys(token.keys))
    _give_to_service(path)
    say(f"{path}: written, for its owner alone")


def _give_to_service(path: Path) -> None:
    """Let the service read what only its owner may."""
    from pwd import getpwnam

    if os.geteuid() != 0 or path.parent != FOLDER:
        return
    try:
        user = getpwnam(SERVICE_USER)
    except KeyError:
        say(f"there is no user {SERVICE_USER} yet: make it (systemd/README.md), then chown {path}")
        return
    os.chown(path, user.pw_uid, user.pw_gid)


def _put(path: Path, text: str) -> None:
    from rackgrid.adapters.private_file import write_new

    write_new(path, text)
    path.chmod(0o644)  # no secret is in it, and the service is another user
    say(f"{path}: written")


def _check(config: Path, token: JoinToken | None, *, looks: bool) -> int:
    from rackgrid.config_file import read_config

    outcome = read_config(config)
    if outcome.findings:
        say("\n".join(map(str, outcome.findings)))
        say(f"put these right, then: rackgrid config check {config}")
        return Exit.BAD_CONFIG
    is_fit = True
    if outcome.config is not None and outcome.profile is not None:
        if looks:
            from rackgrid.cli.doctor.first_look import first_look

            is_fit = first_look(config)
        is_mock = outcome.profile.driver == "mock"
        start = f"rackgrid run --config {config}" if is_mock else "rackgrid doctor"
        say(f"{config}: good. Next: {start}")
    if token is None:
        say(f"For each further node: rackgrid key token --config {config}")
    return Exit.OK if is_fit else Exit.FAILED


# --- the answers ----------------------------------------------------------------------------------


def _answers(args: argparse.Namespace, token: JoinToken | None) -> Answers | None:
    is_pi = _is_pi()
    node = args.node or _asked("the name of this node", _host_name())
    interface = args.interface or _asked(
        "the network interface to other nodes", default_interface() if is_pi else "lo"
    )
    if token is not None:
        return Answers(
            args.rack or token.rack,
            token.group,
            token.port,
            args.expect or token.expect,
            args.capacity or token.capacity_w,
            token.currency,
            node,
            interface,
        )
    rack = args.rack or _asked("the name of the rack", "rack")
    capacity_w = args.capacity
    if capacity_w is None:
        usual = "" if is_pi else f"{MOCK_CAPACITY_W:g}"
        word = _asked("what the feed gives, W (it is never exceeded)", usual)
        try:
            capacity_w = float(word)
        except ValueError:
            say("rackgrid setup: what the feed gives is a number of watts: --capacity W")
            return None
    return Answers(rack, "224.0.0.224", 8437, args.expect or 1, capacity_w, "EUR", node, interface)


def _asked(what: str, usual: str) -> str:
    """Ask at a terminal; elsewhere take the usual answer."""
    if not sys.stdin.isatty():
        return usual
    print(f"{what}{f' [{usual}]' if usual else ''}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() or usual


def _is_pi() -> bool:
    try:
        return "Raspberry Pi" in MODEL.read_text(errors="replace")
    except OSError:
        return False


def _host_name() -> str:
    """Make a node's name of the host's."""
    name = re.sub(r"[^a-z0-9_-]+", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name[:24] or "node"


def default_interface() -> str:
    """Name the interface of the default route; eth0 if there is none."""
    try:
        lines = ROUTES.read_text().splitlines()[1:]
    except OSError:
        return "eth0"
    for words in map(str.split, lines):
        if len(words) > 2 and words[1] == "00000000":
            return words[0]
    return "eth0"


def _profile(named: str | None) -> Path | None:
    """Find the profile that is to be copied; None, with what to do, if there is none."""
    folders = (
        Path(sys.prefix) / "share/rackgrid/profiles",
        Path(__file__).parents[3] / "hardware/profiles",
    )
    wanted = named or ("" if _is_pi() else MOCK_BOARD)
    known = {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}
    if not wanted:
        wanted = _asked(f"the board profile ({', '.join(known)}, or a file)", "")
    found = known.get(wanted, Path(wanted) if wanted else None)
    if found is not None and found.is_file():
        return found
    say(
        f"rackgrid setup: --board says what is wired to this node: {', '.join(known)}, or a file; "
        "hardware/README.md tells how to write one"
    )
    return None


def _config(answers: Answers, board: Path, *, system: bool) -> str:
    """Write `rackgrid.toml`: what must stand there, and every output as a load."""
    from rackgrid_firmware.key import quoted
    from rackgrid_firmware.profile_file import read_profile

    lines = [
        "# Written by `rackgrid setup`. All keys and what they mean: rackgrid config show",
        "",
        "[rack]",
        f"name = {quoted(answers.rack)}",
        f"group = {quoted(answers.group)}",
        f"port = {answers.port}",
        f"interface = {quoted(answers.interface)}",
        'key_file = "rack.key"  # the same keys on every node: rackgrid key',
        f"expect = {answers.expect}",
        "",
        "[feed]",
        f"capacity_w = {answers.capacity_w}  # must not be exceeded; the same on every node",
        f"currency = {quoted(answers.currency)}",
        "",
        "[node]",
        f"name = {quoted(answers.node)}",
        'board = "board.toml"',
    ]
    if not system:
        lines += ['state_dir = "state"', 'runtime_dir = "run"']
    lines += ["", "[[source]]", 'name = "grid"', "price = 0.30  # currency per kWh"]
    profile, _ = read_profile(board)
    for output in profile.outputs if profile is not None else ():
        kind = ['kind = "required"'] if output.required else ['kind = "flexible"', "worth = 0.40"]
        lines += ["", "[[load]]", f"name = {quoted(output.name)}", *kind]
    return "\n".join([*lines, ""])
