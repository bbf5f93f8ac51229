"""The machine under examination: its files and its commands, below a root that tests can choose.

Files of /proc and /sys are read with a limit; a command that does not answer in time is a fact that
could not be had, as one that is not installed is.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rackgrid.cli.doctor.unknown import Unknown

COMMAND_S = 4.0
"""A command must have answered within this, s."""
TEXT_MAX = 256 * 1024
"""Longest file, bytes."""

Run = Callable[[Sequence[str]], "str | Unknown"]


def run_command(argv: Sequence[str]) -> str | Unknown:
    """Run a command and return what it printed; an exit code other than 0 is no answer."""
    name = argv[0]
    try:
        done = subprocess.run(  # noqa: S603 - commands of the doctor's own
            list(argv), capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
    except FileNotFoundError:
        return Unknown(f"{name} is not installed")
    except subprocess.TimeoutExpired:
        return Unknown(f"{name} has not answered in {COMMAND_S:g} s")
    except (OSError, UnicodeError) as fault:
        return Unknown(f"{name} cannot be run: {fault}")
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no reason"]
        return Unknown(f"{name} ended with {done.returncode}: {said[-1][:120]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Host:
    """A machine.

    Attributes:
        root: below which its files are.
        run: how its commands are run.
    """

    root: Path = Path("/")
    run: Run = field(default=run_command)

    @property
    def is_this(self) -> bool:
        """Whether it is the machine that we run on: only then do ioctls and sockets mean it."""
        return self.root == Path("/")

    def path(self, name: str | Path) -> Path:
        """Say where a file of the machine is for us."""
        return self.root / str(name).lstrip("/")

    def text(self, name: str | Path) -> str | Unknown:
        """Read a text file, without the white space around it; a zero byte ends it (/proc)."""
        data = self.bytes(name)
        if isinstance(data, Unknown):
            return data
        return data.decode("utf-8", "replace").split("\0", 1)[0].strip()

    def bytes(self, name: str | Path) -> bytes | Unknown:
        """Read a file."""
        try:
            with self.path(name).open("rb") as file:
                return file.read(TEXT_MAX)
        except FileNotFoundError:
            return Unknown(f"there is no {name}")
        except OSError as fault:
            return Unknown(f"{name} cannot be read: {fault.strerror}")

    def has(self, name: str | Path) -> bool:
        """Whether there is such a file."""
        return self.path(name).exists()

    def glob(self, pattern: str) -> list[Path]:
        """Find files, named as the machine has them."""
        found = sorted(self.root.glob(pattern.lstrip("/")))
        return [Path("/") / each.relative_to(self.root) for each in found]
