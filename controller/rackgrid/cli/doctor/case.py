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


def gather(host: Host, config_path: Path | None, profile_path: Path | None) -> Case:
    """Read the two files and ask the daemon.

    Args:
        host: the machine.
        config_path: `rackgrid.toml`; None takes the usual one, which may be missing.
        profile_path: the board profile; None takes the one that the configuration names.
    """
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
    )


def _files(
    host: Host, config_path: Path | None, profile_path: Path | None
) -> tuple[Config | Unknown, Profile | Unknown, Path, tuple[Fault, ...], tuple[Fault, ...]]:
    path = config_path or CONFIG_PATH
    config: Config | Unknown = Unknown(f"there is no {path}: give one with --config")
    profile: Profile | None = None
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()
    if config_path is not None or host.has(path):
        outcome = read_config(host.path(path) if config_path is None else path)
        profile, faults, notes = outcome.profile, outcome.findings, outcome.notes
        config = outcome.config or Unknown(f"{path} has mistakes: see config-sound")
    where = profile_path or (PROFILE_PATH if isinstance(config, Unknown) else config.node.board)
    if profile_path is not None or (profile is None and not faults and host.has(where)):
        profile, more = read_profile(where if profile_path is not None else host.path(where))
        faults = (*faults, *more)
    if profile is not None:
        return config, profile, where, faults, notes
    reason = f"{where} has mistakes: see config-sound" if faults else f"no board profile at {where}"
    return config, Unknown(reason), where, faults, notes


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
