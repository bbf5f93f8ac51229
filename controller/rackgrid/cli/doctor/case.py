"""What `rackgrid doctor` is told: the machine, the two files of its node, and its daemon's word."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from rackgrid.cli.api import Record, ask
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.config_file import read_config
from rackgrid.errors import RackgridError
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import read_profile
from rackgrid_firmware.section import Finding as Fault

CONFIG_PATH = Path("/etc/rackgrid/rackgrid.toml")
PROFILE_PATH = Path("/etc/rackgrid/board.toml")
RUNTIME_DIR = Path("/run/rackgrid")
KNOCK_S = 2.0
"""The firmware must have taken a connection within this, s."""


@dataclass(frozen=True, slots=True)
class Case:
    """One node.

    Attributes:
        host: the machine.
        config: its `rackgrid.toml`.
        profile: its board profile, and where that is.
        faults: what is wrong in the two files; notes: what is allowed and probably not meant.
        state: what its daemon answers to `/api/state`.
        peers: APIs of other nodes that are to be asked; empty for those that the daemon knows.
        firmware_runs: whether the firmware serves its socket; it has the pins and buses then.
    """

    host: Host
    config: Config | Unknown
    profile: Profile | Unknown
    profile_path: Path
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]
    state: Record | Unknown
    firmware_runs: bool | Unknown
    peers: tuple[str, ...] = ()

    @property
    def is_real(self) -> bool:
        """Whether the board is made of copper."""
        return not isinstance(self.profile, Unknown) and self.profile.driver != "mock"

    @property
    def why_not_real(self) -> str:
        """Say why what only a real board needs is not looked at."""
        if isinstance(self.profile, Unknown):
            return self.profile.reason
        return f"the board {self.profile.name} is a mock one"


def gather(
    host: Host,
    config_path: Path | None,
    profile_path: Path | None,
    peers: tuple[str, ...] = (),
) -> Case:
    """Read the two files and ask the daemon.

    Args:
        host: the machine.
        config_path: `rackgrid.toml`; None takes the usual one, which may be missing.
        profile_path: the board profile; None takes the one that the configuration names.
        peers: APIs of other nodes.
    """
    # Absolute: a host has its files below a root, and every message is to name a file for certain.
    config_path = None if config_path is None else config_path.absolute()
    profile_path = None if profile_path is None else profile_path.absolute()
    config, profile, where, faults, notes = _files(host, config_path, profile_path)
    return Case(
        host=host,
        config=config,
        profile=profile,
        profile_path=where,
        faults=faults,
        notes=notes,
        state=_state(host, config),
        firmware_runs=_knock(host, config),
        peers=peers,
    )


def _files(
    host: Host, config_path: Path | None, profile_path: Path | None
) -> tuple[Config | Unknown, Profile | Unknown, Path, tuple[Fault, ...], tuple[Fault, ...]]:
    path = config_path or CONFIG_PATH
    config: Config | Unknown = Unknown(f"there is no {path}: give one with --config")
    profile: Profile | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    board: Path | None = PROFILE_PATH
    if config_path is not None or host.has(path):
        outcome = read_config(host.path(path) if config_path is None else path)
        profile, faults, notes = outcome.profile, outcome.findings, outcome.notes
        config = outcome.config or Unknown(_wrong(path))
        board = outcome.board if outcome.config is None else outcome.config.node.board
    where = profile_path or board
    if profile_path is not None or (profile is None and not faults and host.has(PROFILE_PATH)):
        where = profile_path or PROFILE_PATH
        profile, more = read_profile(where if profile_path is not None else host.path(where))
        faults = (*faults, *more)
    if profile is not None:
        return config, profile, where or PROFILE_PATH, faults, notes
    return config, Unknown(_no_profile(where, path, faults)), where or path, faults, notes


def _wrong(path: Path) -> str:
    what = "has mistakes" if path.exists() else "cannot be read"
    return f"{path} {what}: see config-sound"


def _no_profile(where: Path | None, config: Path, faults: tuple[Fault, ...]) -> str:
    """Say why there is no profile: of a file that is there, or that was named, and of no other."""
    if where is None:
        return f"{config} names no board profile that could be read: see config-sound"
    return _wrong(where) if faults else f"no board profile at {where}"


def _state(host: Host, config: Config | Unknown) -> Record | Unknown:
    if isinstance(config, Unknown):
        return config
    if not host.is_this:
        return Unknown("another machine's daemon is not asked")
    if not config.web.enabled or config.web.port == 0:
        return Unknown("[web] gives the daemon no port of its own to be asked at")
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(config.web.host, config.web.host)  # noqa: S104
    address = f"[{own}]" if ":" in own else own
    try:
        return ask(f"http://{address}:{config.web.port}/api/state")
    except RackgridError as fault:
        return Unknown(f"the daemon does not answer: {fault}")


def _knock(host: Host, config: Config | Unknown) -> bool | Unknown:
    """Say whether a firmware takes connections; a knock is no attachment and disturbs nobody."""
    runtime = RUNTIME_DIR if isinstance(config, Unknown) else config.node.runtime_dir
    path = host.path(runtime / "firmware.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as caller:
        caller.settimeout(KNOCK_S)
        try:
            caller.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError as fault:
            return Unknown(
                f"whether the firmware runs cannot be told ({path}: {fault}): run as root"
            )
    return True
