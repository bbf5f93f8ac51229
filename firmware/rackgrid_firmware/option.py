"""The firmware's command line, and what it asks of the file system before a pin is touched.

Paths are made absolute at once: lgpio changes the working directory when it is imported, to a
directory that it may write to (`LG_WD`; without one it fails).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rackgrid_firmware.errors import ProfileError
from rackgrid_firmware.listener import listen_at, lock
from rackgrid_firmware.log import WARNING, log
from rackgrid_firmware.pin_table import write_table
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.profile_lock import hold
from rackgrid_firmware.safe_pins import table_of

TELEMETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked.

    Attributes:
        profile: the board profile.
        socket: where controllers connect.
        node: name of this node in the plant; the host's by default.
        plant: the plant's socket; None on a real board.
        runtime: directory on tmpfs for what outlives the process; None for none.
        state: directory on a disk for what outlives a power cut; None for none.
        uids: who may be a controller.
        controller_gid: group that the socket is given to; None leaves it to us alone.
        telemetry_ns: between two telemetries, ns.
    """

    profile: Path
    socket: str
    node: str
    plant: str | None
    runtime: Path | None
    state: Path | None
    uids: frozenset[int]
    controller_gid: int | None
    telemetry_ns: int


def parse(argv: Sequence[str] | None = None) -> Options:
    """Read the command line; ends the process with exit 2 if it is wrong."""
    parser = _parser()
    given = parser.parse_args(argv)
    if not 0.01 <= given.telemetry_s <= 10:
        parser.error("--telemetry-s takes 0.01 to 10 seconds")
    uids, gid = {0, os.getuid()}, None
    if given.controller_user is not None:
        try:
            user = pwd.getpwnam(given.controller_user)
        except KeyError:
            parser.error(f"--controller-user: there is no user {given.controller_user!r} here")
        uids.add(user.pw_uid)
        gid = user.pw_gid
    return Options(
        profile=Path(given.profile).absolute(),
        socket=os.path.abspath(given.socket),
        node=given.node or socket.gethostname(),
        plant=None if given.plant is None else os.path.abspath(given.plant),
        runtime=None if given.runtime is None else Path(given.runtime).absolute(),
        state=None if given.state is None else Path(given.state).absolute(),
        uids=frozenset(uids),
        controller_gid=gid,
        telemetry_ns=round(given.telemetry_s * 1e9),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rackgrid-firmware", description="Owns a node's meters and outputs."
    )
    add = parser.add_argument
    add("--profile", required=True, metavar="P.toml", help="the board profile")
    add("--socket", required=True, metavar="PATH", help="where the controller connects")
    add("--node", metavar="NAME", help="name in the plant; default: the host's name")
    add("--plant", metavar="SOCKET", help='the mock world (a profile with driver = "mock")')
    add("--runtime", metavar="DIR", help="tmpfs directory for what outlives this process")
    add("--state", metavar="DIR", help="directory for what outlives a power cut")
    add("--controller-user", metavar="USER", help="who may connect, besides root and ourselves")
    add(
        "--telemetry-s",
        type=float,
        default=TELEMETRY_S,
        metavar="S",
        help=f"between two telemetries; default {TELEMETRY_S}",
    )
    return parser


def claim(options: Options, stack: contextlib.ExitStack) -> None:
    """Make sure that no other firmware runs here, and that our directories are there.

    Raises:
        OSError: another firmware has the socket, or a directory cannot be made.
    """
    if options.runtime is not None:
        options.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.environ.setdefault("LG_WD", str(options.runtime))
    if options.state is not None:
        options.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = lock(options.socket)
    if held is None:
        raise OSError(f"another firmware serves {options.socket}: stop that one first")
    stack.callback(os.close, held)
    held = hold(options.profile)
    if held is None:  # whoever may read it may lock it, and no stranger keeps a firmware down
        log(WARNING, "profile-locked", path=options.profile, why="somebody measures its meters")
    else:
        stack.callback(os.close, held)


def leave_pins(options: Options, profile: Profile, barred: frozenset[str] = frozenset()) -> None:
    """Leave to the fail-safe helper what it must drive, before anything is driven.

    Args:
        options: where to.
        profile: of the board.
        barred: outputs that stay off even in their safe states.
    """
    if options.runtime is None:
        return
    try:
        # A profile that was changed while we read it does not pass for the one that we read.
        text = options.profile.read_bytes()
        read = text if load_profile(options.profile) == profile else b""
        write_table(str(options.runtime / "pins"), table_of(profile, read, barred))
    except (OSError, ProfileError) as fault:
        log(WARNING, "pins-not-left", why=fault)


def open_door(options: Options, stack: contextlib.ExitStack) -> socket.socket:
    """Listen, and let the controller's group through; who it is, its credentials say.

    Raises:
        OSError: the socket cannot be made there.
    """
    listener = listen_at(options.socket)
    stack.callback(_remove, options.socket)
    if options.controller_gid is not None:
        _admit(options.socket, options.controller_gid)
    return listener


def _admit(path: str, gid: int) -> None:
    """Let a group connect; a directory that gives its own group to its files needs no chown."""
    try:
        if os.stat(path).st_gid != gid:
            os.chown(path, -1, gid)
        os.chmod(path, 0o660)
    except PermissionError:
        # We are not in that group. Anyone may knock then; only the right user is let in.
        os.chmod(path, 0o666)  # noqa: S103


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
