"""Where a node keeps what it must not forget.

What lies there is looked at by `state`.

Sources: proc(5), mountinfo; journald.conf(5), Storage=.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.host import Host
from rackgrid.cli.doctor.unknown import Unknown

MB = 1_000_000
LOW_BYTES, FULL_BYTES = 200 * MB, 10 * MB
LOST = {"tmpfs", "ramfs", "overlay"}
"""File systems whose content ends with the power (an overlay's upper half is a tmpfs on a Pi)."""

CARD = "/dev/mmcblk"

SPACE = Check(
    "disk-space",
    "Is there room on the disk that holds the state?",
    "A node that cannot write keeps no promise: it takes no office and agrees to no roster.",
)
WRITABLE = Check(
    "disk-writable",
    "Is the state's file system writable?",
    "An SD card that fails is remounted read-only by the kernel, often long before anybody "
    "notices.",
)
LASTING = Check(
    "state-lasts",
    "Does the state outlive the power?",
    "Terms must never be used twice, and a roster that was agreed must be remembered: on a tmpfs "
    "or "
    "an overlay both are gone after a power cut, and the node is a stranger to its rack.",
)
RUNTIME = Check(
    "runtime-in-memory",
    "Is the runtime directory in memory?",
    "What lies there must end with the power: dwell times and pins of an earlier boot say nothing "
    "of this one; and a stalling SD card must not stand in the way.",
)
JOURNAL = Check(
    "journal-storage",
    "Does the log of the system spare the SD card?",
    "A journal that is kept (Storage=persistent, or auto with a /var/log/journal) writes to the "
    "card all day, whatever it is that logs; one in memory (Storage=volatile, as newer Raspberry "
    "Pi OS has it) ends with the power, and with it what was logged before a power cut. rackgrid's "
    "own events and its ledger are kept apart from it.",
)
CHECKS = (SPACE, WRITABLE, LASTING, RUNTIME, JOURNAL)


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that a folder is on.

    Attributes:
        kind: such as "ext4".
        free_bytes: for the user that asks.
        is_read_only: as it is mounted now.
    """

    folder: Path
    kind: str
    free_bytes: int
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged: the file systems of the two folders, and the device of the journal.

    Attributes:
        journal: "memory", or the device that it is kept on.
    """

    state: Disk | Unknown
    runtime: Disk | Unknown
    journal: str | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    config = case.config
    mounts = case.host.text("/proc/self/mountinfo")
    journal = _journal(case.host, mounts) if case.is_real else Unknown(case.why_not_real)
    if isinstance(config, Unknown):
        return Facts(config, config, journal)
    return Facts(
        state=disk(config.node.state_dir, mounts),
        runtime=disk(config.node.runtime_dir, mounts),
        journal=journal,
    )


def disk(folder: Path, mounts: str | Unknown) -> Disk | Unknown:
    """Look at the file system that a folder is, or will be, on."""
    there = folder
    try:
        while not there.exists():
            there = there.parent
        found = os.statvfs(there)
        there = there.resolve()
    except OSError as fault:
        return Unknown(f"{folder} cannot be looked at ({fault.strerror}): run as root")
    kind = "?" if isinstance(mounts, Unknown) else kind_of(there, mounts)
    is_read_only = bool(found.f_flag & os.ST_RDONLY)
    return Disk(folder, kind, found.f_bavail * found.f_frsize, is_read_only)


def kind_of(folder: Path, mounts: str) -> str:
    """Find the file system of a folder in mountinfo."""
    return _mount_of(folder, mounts)[0]


def source_of(folder: Path, mounts: str) -> str:
    """Find the device of a folder's file system in mountinfo."""
    return _mount_of(folder, mounts)[1]


def _mount_of(folder: Path, mounts: str) -> tuple[str, str]:
    """Find kind and device of what is mounted at the longest mount point above a folder."""
    best, found = -1, ("?", "?")
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        words, system = left.split(), right.split()
        if len(words) < 5 or not system:
            continue
        point = words[4].replace("\\040", " ")
        # The last of two mounts at one point is the one that is seen.
        if folder.is_relative_to(point) and len(point) >= best:
            best, found = len(point), (system[0], system[1] if len(system) > 1 else "?")
    return found


def _journal(host: Host, mounts: str | Unknown) -> str | Unknown:
    """Say where journald keeps this machine's log: below /var it lasts, below /run it does not."""
    machine = host.text("/etc/machine-id")
    if isinstance(machine, Unknown):
        return machine
    kept = Path("/var/log/journal") / machine
    if host.has(kept):
        return mounts if isinstance(mounts, Unknown) else source_of(kept, mounts)
    if host.has(Path("/run/log/journal") / machine):
        return "memory"
    return Unknown("journald keeps no log here")


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.state, Unknown):
        yield from (check.skip(facts.state) for check in (SPACE, WRITABLE, LASTING))
    else:
        yield _space(facts.state)
        yield _writable(facts.state)
        yield _lasting(facts.state)
    yield _runtime(facts.runtime)
    yield _logged(facts.journal)


def _space(state: Disk) -> Finding:
    cause = f"{state.free_bytes / MB:.0f} MB free for {state.folder}"
    if state.free_bytes < FULL_BYTES:
        return SPACE.fail(cause, "journalctl --vacuum-size=50M; apt clean; or a larger card")
    if state.free_bytes < LOW_BYTES:
        return SPACE.warn(cause, "journalctl --vacuum-size=50M; apt clean; or a larger card")
    return SPACE.ok(cause)


def _writable(state: Disk) -> Finding:
    if state.is_read_only:
        return WRITABLE.fail(
            f"the file system of {state.folder} is read-only",
            "dmesg | grep -i error; replace the card if it fails, else mount -o remount,rw",
        )
    return WRITABLE.ok(f"{state.folder} is on a writable {state.kind}")


def _lasting(state: Disk) -> Finding:
    if state.kind in LOST:
        return LASTING.warn(
            f"{state.folder} is on {state.kind}, whose content ends with the power",
            "state_dir in [node] on a disk that lasts (a small rw partition beside the overlay)",
        )
    if state.kind == "?":
        return LASTING.skip(f"the file system of {state.folder} is not known")
    return LASTING.ok(f"{state.folder} is on {state.kind}")


def _runtime(runtime: Disk | Unknown) -> Finding:
    if isinstance(runtime, Unknown):
        return RUNTIME.skip(runtime)
    if runtime.kind in {"tmpfs", "ramfs"}:
        return RUNTIME.ok(f"{runtime.folder} is on {runtime.kind}")
    if runtime.kind == "?":
        return RUNTIME.skip(f"the file system of {runtime.folder} is not known")
    return RUNTIME.warn(
        f"{runtime.folder} is on {runtime.kind}",
        "runtime_dir in [node] on a tmpfs (below /run, by default)",
    )


def _logged(journal: str | Unknown) -> Finding:
    if isinstance(journal, Unknown):
        return JOURNAL.skip(journal)
    if journal == "memory":
        return JOURNAL.ok("the journal is in memory, and ends with the power")
    if journal.startswith(CARD):
        return JOURNAL.warn(
            f"the journal is written to the SD card ({journal})",
            "Storage=volatile in /etc/systemd/journald.conf.d/, and systemctl restart "
            "systemd-journald; or, if the log is to last, a disk that bears it",
        )
    return JOURNAL.ok(f"the journal is on {journal}")


FAMILY = Family("disk", CHECKS, lambda case: judge(look(case)))
