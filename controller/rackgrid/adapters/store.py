"""What a node must not forget, and what it may forget with the power.

*Terms* never repeat at a node: else two boots of one broker could grant under one name. So a boot
reserves a block of terms on the disk before it uses one (once, and off the election path: an SD
card can stall for seconds). Each reservation is written whole into two files, one after the other,
and is only then acknowledged: whichever of the two survives a bad block knows every term that was
ever used. If neither can be read the node refuses to start, since it could only guess.

The *pair*, the highest authority that this node ever followed, lies in memory that outlives the
process (/run) and not the power: a node that lost it waits out its quiet time, which stands in for
the disk write. So no fsync here either.

Files are one line of text with a CRC-32, written beside and renamed over: a reader sees the old one
or the new one. One that is damaged all the same is set aside as `NAME.bad`, not deleted.

One process per state folder, held by a lock: two would be one node twice.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rackgrid.adapters.checked_line import checked
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Pair, Term

log = logging.getLogger(__name__)

TERM_MAX: Final = 2**32 - 1
"""The highest term that the wire can carry."""
FILE_BYTES_MAX: Final = 4096
"""No file of ours is longer; more is not read."""
_TERMS: Final = ("terms.a", "terms.b")
_PAIR: Final = "pair"


def write_whole(path: Path, data: bytes, *, durable: bool, mode: int = 0o600) -> None:
    """Replace a file by a whole new one; a reader, and a crash, see the old or the new.

    Args:
        path: what to replace.
        data: what it holds then.
        durable: whether to return only once it survives a power cut.
        mode: its permissions.

    Raises:
        OSError: if it cannot be written; the old one is still there then.
    """
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(data)
        file.flush()
        if durable:
            os.fsync(descriptor)
    beside.replace(path)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a folder's names survive a power cut: a rename is durable only then."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_whole(path: Path) -> bytes:
    """Read one of our small files.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(FILE_BYTES_MAX)


class Store:
    """The node's memory: terms on the disk, the followed pair in /run."""

    def __init__(self, state_dir: Path, runtime_dir: Path) -> None:
        """Take the folders, making them if need be, and read what is there.

        Raises:
            StoreError: if they cannot be used, another process uses them, or the terms are lost.
        """
        self._terms = tuple(state_dir / name for name in _TERMS)
        self._pair_path = runtime_dir / _PAIR
        for folder in (state_dir, runtime_dir):
            _make_folder(folder)
        self._lock = _lock(state_dir / "lock")
        try:
            self._until = _read_terms(self._terms)
            self._pair = _read_pair(self._pair_path)
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have the folders."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def terms_until(self) -> int:
        """No term below this one may be used again; 0 before the first reservation."""
        return self._until

    def reserve_terms(self, until: int) -> None:
        """Keep durably that terms below `until` may have been used; returns once that is so.

        Raises:
            StoreError: if it cannot be kept: use none of them.
        """
        assert until <= TERM_MAX + 1, "terms fit the wire"
        if until <= self._until:
            return
        for path in self._terms:
            _keep(path, _line("terms", (until,)), durable=True)
        self._until = until

    def reserve_block(self, count: int) -> range:
        """Reserve the next `count` terms for this boot, and return them; terms start at 1.

        Raises:
            StoreError: if it cannot be kept.
        """
        first = max(1, self._until)
        self.reserve_terms(first + count)
        return range(first, first + count)

    def remember(self, pair: Pair) -> None:
        """Keep over a restart of the process that this pair was followed; the highest stays.

        Raises:
            StoreError: if it cannot be kept: do not follow it.
        """
        if self._pair is not None and pair <= self._pair:
            return
        line = _line("pair", (pair.term, pair.node, pair.boot))
        _keep(self._pair_path, line, durable=False)
        self._pair = pair

    def recall(self) -> Pair | None:
        """The highest pair that was followed, or None if none was or the power went since."""
        return self._pair


def _line(kind: str, numbers: Sequence[int]) -> bytes:
    return checked(" ".join(("rackgrid", kind, "1", *map(str, numbers))))


def _numbers(data: bytes, kind: str, count: int) -> tuple[int, ...] | None:
    """Read what `_line` wrote; None if it did not write this."""
    words = data.decode("ascii", "replace").split()
    if len(words) != count + 4 or not all(word.isdecimal() for word in words[3:-1]):
        return None
    numbers = tuple(int(word) for word in words[3:-1])
    return numbers if _line(kind, numbers) == data else None


def _keep(path: Path, data: bytes, *, durable: bool) -> None:
    try:
        write_whole(path, data, durable=durable)
    except OSError as fault:
        raise _failed(
            fault,
            f"cannot write {path}: {fault.strerror}: make room or repair the disk; this node "
            "takes no office until it can write",
        ) from fault


def _failed(fault: OSError, text: str) -> StoreError:
    error = StoreError(text)
    error.errno = fault.errno
    return error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise _failed(
            fault,
            f"cannot make the folder {folder}: {fault.strerror}: make it, owned by the user that "
            "runs rackgrid, or set `state_dir` and `runtime_dir` in [node]",
        ) from fault


def _lock(path: Path) -> int:
    """Hold the folder for this process; the kernel lets go of it when the process ends."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _failed(
            fault,
            f"cannot write in {path.parent}: {fault.strerror}: give it to the user that runs "
            "rackgrid (chown), or make the disk writable",
        ) from fault
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        os.close(descriptor)
        if fault.errno not in (errno.EAGAIN, errno.EACCES):
            raise _failed(fault, f"cannot lock {path}: {fault.strerror}") from fault
        raise _failed(
            fault,
            f"another rackgrid controller runs on {path.parent}: stop it, or give this node a "
            "`state_dir` of its own",
        ) from fault
    return descriptor


def _read(path: Path) -> bytes | None:
    """Read a file; None if it is not there, nothing if it cannot be read."""
    try:
        return read_whole(path)
    except FileNotFoundError:
        return None
    except OSError as fault:
        log.warning("cannot read %s: %s", path, fault.strerror)
        return b""


def _read_terms(paths: Sequence[Path]) -> int:
    """Return the highest reservation that any copy knows; set the damaged copy aside."""
    known: list[int] = []
    damaged: list[Path] = []
    for path in paths:
        data = _read(path)
        if data is None:
            continue
        numbers = _numbers(data, "terms", 1)
        if numbers is None:
            damaged.append(path)
        else:
            known.append(numbers[0])
    if damaged and not known:
        # They stay where they are: the next start must not take their absence for a first start.
        folder = damaged[0].parent
        raise StoreError(
            f"the reserved terms cannot be read ({', '.join(map(str, damaged))}), and a term must "
            f"never be used twice: restore the files from a backup that is not older than the "
            f"last start; or make this a new node: stop it, delete {folder}/identity and "
            f"{folder}/terms.*, and start it"
        )
    for path in damaged:
        set_aside(path)
    return max(known, default=0)


def copies_of_terms(state_dir: Path) -> dict[str, bool]:
    """Say of each copy of the terms that is there whether it reads back; changes nothing.

    Raises:
        OSError: if a copy may not be read.
    """
    paths = [path for path in (state_dir / name for name in _TERMS) if path.exists()]
    return {path.name: _numbers(read_whole(path), "terms", 1) is not None for path in paths}


def _read_pair(path: Path) -> Pair | None:
    data = _read(path)
    if data is None:
        return None
    numbers = _numbers(data, "pair", 3)
    if numbers is None:
        set_aside(path)
        return None
    return Pair(Term(numbers[0]), NodeId(numbers[1]), BootId(numbers[2]))


def set_aside(path: Path) -> None:
    """Rename a file that cannot be read, so that it is neither used nor lost."""
    aside = path.with_name(f"{path.name}.bad")
    try:
        path.replace(aside)
    except OSError as fault:
        log.warning("%s is damaged and cannot be set aside: %s", path, fault.strerror)
    else:
        log.warning("%s is damaged: set aside as %s, and taken for lost", path, aside.name)
