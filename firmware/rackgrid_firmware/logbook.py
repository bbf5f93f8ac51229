"""What must outlive a power cut: lockouts, latched faults, how often each contact has closed.

A small file, written whole beside the old one, synced, and moved into its place; the one before is
kept, so that a card which loses power while it writes costs the last words and not all of them. The
writing has a thread of its own: a card may stall for seconds, and no deadline waits for it. What
people rely on (a lockout, a fault) is written at once; mere counts not more often than every five
minutes, so a power cut loses that much wear and nothing of anybody's safety. An orderly end writes
everything.

A crash must not give its starts back, or whatever crashes at a start would go on for ever in spite
of its budget: so each change is also left on tmpfs, at once, and that is what the next process of
the same kernel boot goes on from. A process that is killed within the millisecond that this takes
loses one start.

A budget is kept as the moment at which it will be full: on this kernel's clock for a restart, and
as what is left of it for a reboot, during which nothing drips in.

A record that is there and cannot be read bars every flexible output: one of them may have been
locked out because somebody's hands are in it, and the record before does not know of that. (A cut
while it was written leaves no such record: what is in its place has been synced whole.) Source of
the pattern: rename(2), fsync(2) "Notes".
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from rackgrid_firmware import checked
from rackgrid_firmware.checked import MISREAD
from rackgrid_firmware.guard_rules import Kept

NAME = "outputs.json"
"""The file of what the firmware switches."""
WEAR_S = 300.0
"""Counts alone are written this long after the last time, s."""
RETRY_S, RETRY_MAX_S = 1.0, 30.0
"""What people rely on and a card would not take is tried again after so long, doubling, s."""
UNREADABLE = "its record cannot be read: see whether it was locked out, then clear this"
_STOP_S = 2.0

Record = Mapping[str, Kept]


class Logbook:
    """The record of one board's outputs.

    Args:
        folder: that survives a reboot; it must be there.
        boot_id: of the running kernel.
        complain: told when the record cannot be written, in another thread.
        on_bars: told which outputs are barred when that has changed, in another thread.
        clock: CLOCK_MONOTONIC in ns.
        name: of the file.
        recent: the same on tmpfs, of each start; None for none.
    """

    def __init__(
        self,
        folder: Path,
        boot_id: str,
        complain: Callable[[OSError], None],
        on_bars: Callable[[frozenset[str]], None],
        clock: Callable[[], int] = time.monotonic_ns,
        name: str = NAME,
        recent: Path | None = None,
    ) -> None:
        self._path = folder / name
        self._recent = recent
        self._boot_id = boot_id
        self._complain = complain
        self._on_bars = on_bars
        self._told: frozenset[str] = frozenset()
        self._clock = clock
        self._news = threading.Condition()
        self._record: Record = {}
        self._is_new = self._is_changed = self._is_urgent = self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="logbook", daemon=True)

    def read(self, flexible: frozenset[str]) -> dict[str, Kept]:
        """Give what is remembered of each output.

        Args:
            flexible: the outputs that are barred if there is a record that cannot be read.
        """
        found = self._left_by_this_boot()
        if found is not None:
            return found
        found = dict[str, Kept]()
        is_damaged = False
        for path in (self._path, self._path.with_suffix(".old")):
            try:
                found = _read(path.read_bytes(), self._boot_id, self._clock())
                break
            except (OSError, *MISREAD):
                is_damaged |= os.path.lexists(path)
        if is_damaged:
            for name in flexible:
                kept = found.get(name, Kept())
                found[name] = replace(kept, fault=kept.fault or UNREADABLE)
        return found

    def _left_by_this_boot(self) -> dict[str, Kept] | None:
        """Read what is on tmpfs; it is written before the other file, so never older."""
        if self._recent is None:
            return None
        with contextlib.suppress(OSError, *MISREAD):
            content = self._recent.read_bytes()
            if checked.read(content)["boot_id"] == self._boot_id:
                return _read(content, self._boot_id, self._clock())
        return None

    def start(self) -> None:
        """Begin to write what is noted."""
        self._thread.start()

    def note(self, record: Record) -> None:
        """Keep this from now on; returns at once."""
        with self._news:
            if record == self._record:
                return
            self._is_urgent |= _bars(record) != _bars(self._record)
            self._record, self._is_new, self._is_changed = record, True, True
            self._news.notify()

    def close(self) -> None:
        """Write what is not yet written; a card that stalls is waited for 2 s."""
        with self._news:
            self._is_stopping = True
            self._news.notify()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        written_s, pause_s = -WEAR_S, 0.0
        while True:
            with self._news:
                while not self._is_stopping and not self._is_new:
                    left_s = self._left_s(written_s, pause_s)
                    if self._is_changed and left_s <= 0:
                        break
                    self._news.wait(left_s if self._is_changed else None)
                record, is_new, is_last = self._record, self._is_new, self._is_stopping
                is_due = self._is_changed and (is_last or self._left_s(written_s, pause_s) <= 0)
                was_urgent, self._is_new = self._is_urgent, False
                if is_due:
                    self._is_changed = self._is_urgent = False
            if is_new and self._recent is not None:
                self._leave(self._recent, record)
            if (barred := barred_of(record)) != self._told:
                self._told = barred
                self._on_bars(barred)
            if is_due:
                is_written = self._write(record)
                written_s = time.monotonic()
                pause_s = 0.0 if is_written else min(max(2 * pause_s, RETRY_S), RETRY_MAX_S)
                if not is_written:
                    with self._news:
                        self._is_changed, self._is_urgent = True, self._is_urgent or was_urgent
            if is_last:
                return

    def _left_s(self, written_s: float, pause_s: float) -> float:
        """Say how long the card has to wait yet, s."""
        return written_s + (pause_s if self._is_urgent else WEAR_S) - time.monotonic()

    def _leave(self, path: Path, record: Record) -> None:
        """Leave it on tmpfs, where nothing is to be waited for."""
        new = path.with_suffix(".new")
        try:
            new.write_bytes(self._bytes(record))
            os.replace(new, path)
        except OSError as fault:
            self._complain(fault)

    def _write(self, record: Record) -> bool:
        try:
            self._replace(self._bytes(record))
        except OSError as fault:
            self._complain(fault)
            return False
        return True

    def _replace(self, content: bytes) -> None:
        new, old = self._path.with_suffix(".new"), self._path.with_suffix(".old")
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            os.replace(self._path, old)
        os.replace(new, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _bytes(self, record: Record) -> bytes:
        now_ns = self._clock()
        outputs = {
            name: {**asdict(kept), "left_ns": max(0, kept.full_ns - now_ns)}
            for name, kept in record.items()
        }
        return checked.written({"boot_id": self._boot_id, "outputs": outputs})


def copies_of_record(folder: Path, name: str = NAME) -> dict[str, bool]:
    """Say of a record and the one before it, as far as they are there, whether they read back.

    Raises:
        OSError: if one may not be read.
    """
    path = folder / name
    paths = [each for each in (path, path.with_suffix(".old")) if os.path.lexists(each)]
    return {each.name: _is_whole(each.read_bytes()) for each in paths}


def _is_whole(content: bytes) -> bool:
    try:
        _read(content, "", 0)
    except MISREAD:
        return False
    return True


def _read(content: bytes, boot_id: str, now_ns: int) -> dict[str, Kept]:
    """Read a record; raises one of `MISREAD` if it is none of ours, or damaged."""
    found = checked.read(content)
    is_same_boot = found["boot_id"] == boot_id
    outputs = cast("dict[str, dict[str, object]]", found["outputs"])
    return {name: _kept(each, now_ns, is_same_boot) for name, each in outputs.items()}


def barred_of(record: Record) -> frozenset[str]:
    """Say which outputs stay off whoever asks."""
    return frozenset(name for name, each in record.items() if each.fault or each.is_locked)


def _bars(record: Record) -> dict[str, tuple[str, bool]]:
    """Give what people rely on."""
    return {name: (each.fault, each.is_locked) for name, each in record.items()}


def _kept(each: Mapping[str, object], now_ns: int, is_same_boot: bool) -> Kept:
    full_ns, left_ns = cast("int", each["full_ns"]), cast("int", each["left_ns"])
    return Kept(
        fault=str(each["fault"]),
        is_welded=bool(each["is_welded"]),
        is_locked=bool(each["is_locked"]),
        switches=int(cast("int", each["switches"])),
        full_ns=int(full_ns if is_same_boot else now_ns + left_ns),
    )
