"""The record: every event of this node as a line of JSON, a file a day, for whoever audits a day.

Lines wait in memory and a thread appends them in batches: nothing that controls waits for the disk.
A day has a limit, and so has the number of days; a disk that takes nothing is complained of once,
lines wait up to a bound, and the oldest are given up and counted then. A record that misses lines
says so itself, so that its auditor takes a gap for a gap.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections import deque
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

FOLDER: Final = "record"
"""Below the node's `state_dir`."""
UNDATED: Final = "undated"
"""The day of what happened before the time of day was known."""
WRITE_S: Final = 30.0
WAITING_MAX: Final = 2_000_000
"""Lines in memory, bytes."""
JOIN_S: Final = 5.0
"""An SD card may stall; a daemon that ends waits no longer."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_log = logging.getLogger("rackgrid.value")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line that is not written yet, and its day."""

    day: str
    t_ns: int
    data: bytes


class Record:
    """The record of one node.

    Args:
        folder: of its files; it is made.
        node: whose record.
        days: files kept.
        day_bytes: the longest file.
        write_s: between two batches.
    """

    def __init__(
        self, folder: Path, node: str, days: int, day_bytes: int, write_s: float = WRITE_S
    ) -> None:
        self._folder = folder
        self._node = node
        self._days = days
        self._day_bytes = day_bytes
        self._write_s = write_s
        self.lost = 0
        """Lines that were given up, because nothing could be written or the day was full."""
        self._gap = (0, 0)
        self._waiting: deque[Waiting] = deque()
        self._bytes = 0
        self._full = ""
        self._newest = ""
        self._complaint = ""
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, data: bytes, time: str | None, t_ns: int) -> None:
        """Take a line; never waits.

        Args:
            data: the line, without its end.
            time: when it was, RFC 3339 in UTC, or None while that is not known.
            t_ns: when it was, CLOCK_MONOTONIC.
        """
        with self._lock:
            self._waiting.append(Waiting(time[:10] if time else UNDATED, t_ns, data))
            self._bytes += len(data)
            while self._bytes > WAITING_MAX:
                given_up = self._waiting.popleft()
                self._bytes -= len(given_up.data)
                self._gap = (self._gap[0] + 1, given_up.t_ns)
                self.lost += 1

    def close(self) -> None:
        """Write what waits; waits for the disk, but not for ever."""
        self._ending = True
        self._wake.set()
        if self._thread.ident is None:
            return
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            _log.error("the disk stalls: %d lines of the record are not written", self.waiting)

    @property
    def waiting(self) -> int:
        """How many lines wait to be written."""
        return len(self._waiting)

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait(self._write_s)
            self.write()
        self.write()  # what came while the last batch was being written

    def write(self) -> None:
        """Write what waits, day by day."""
        with self._lock:
            lines, gap = list(self._waiting), self._gap
        if not lines:
            return
        if gap[0]:
            lines.insert(0, Waiting(lines[0].day, gap[1], self._said("lost", gap[1], gap[0])))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for day, batch in groupby(lines, key=lambda line: line.day):
                self._write_day(day, list(batch))
            self._close_gap(gap[0])
        except OSError as fault:
            self._complain(f"{self._folder}: {fault.strerror or fault}")
            return
        self._complain("")

    def _write_day(self, day: str, lines: list[Waiting]) -> None:
        path = self._folder / f"{day}.jsonl"
        if day != self._newest:
            self._newest = day
            self._forget()
        size = path.stat().st_size if path.exists() else 0
        if day == UNDATED and size >= self._day_bytes:
            path.replace(path.with_name(f"{UNDATED}-1.jsonl"))
            size = 0
        room, written = self._day_bytes - size, 0
        text: list[bytes] = []
        for line in lines:
            room -= len(line.data) + 1
            if room < 0:
                break
            text.append(line.data + b"\n")
            written += 1
        if written < len(lines):
            self._fill(day, lines[written:], text, is_new=size < self._day_bytes)
        if text:
            _append(path, b"".join(text))
        self._written(lines)

    def _fill(self, day: str, rest: list[Waiting], text: list[bytes], *, is_new: bool) -> None:
        """The day is full: the record ends for today, and says so."""
        self.lost += len(rest)
        if day == self._full:
            return
        self._full = day
        _log.warning(
            "the record of %s is full (%d kB, see [node] record_mb): the rest of it is not kept",
            day,
            self._day_bytes // 1000,
        )
        if is_new:
            # Longer than the limit by this line, so that a new start knows that it has been said.
            filler = self._said("full", rest[0].t_ns, len(rest))
            text.append(filler.ljust(len(rest[0].data)) + b"\n")

    def _written(self, lines: list[Waiting]) -> None:
        """Forget what is on the disk."""
        done = set(map(id, lines))
        with self._lock:
            while self._waiting and id(self._waiting[0]) in done:
                self._bytes -= len(self._waiting.popleft().data)

    def _close_gap(self, told: int) -> None:
        """Forget a gap that the record tells of by now."""
        with self._lock:
            self._gap = (self._gap[0] - told, self._gap[1])

    def _said(self, event: str, t_ns: int, count: int) -> bytes:
        line = {"t_ns": t_ns, "time": None, "node": self._node, "event": event, "count": count}
        return json.dumps(line, separators=(",", ":")).encode()

    def _forget(self) -> None:
        """Delete the oldest days beyond those that are kept, today among them."""
        known = sorted(p for p in self._folder.glob("*.jsonl") if _DAY.fullmatch(p.name))
        today = self._folder / f"{self._newest}.jsonl"
        older = [path for path in known if path != today]
        for path in older[: max(0, len(older) - self._days + 1)]:
            path.unlink()

    def _complain(self, complaint: str) -> None:
        if complaint == self._complaint:
            return
        self._complaint = complaint
        if complaint:
            _log.error(
                "the record: %s: lines wait in memory, the oldest are lost in time", complaint
            )
        else:
            _log.info("the record is written again; %d lines were lost so far", self.lost)


def _append(path: Path, text: bytes) -> None:
    """Append all of it, or nothing; a line that a power cut has torn is ended first.

    Raises:
        OSError: it could not be written.
    """
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        size = os.fstat(number).st_size
        if size and os.pread(number, 1, size - 1) != b"\n":
            text = b"\n" + text
        try:
            rest = memoryview(text)
            while rest:
                rest = rest[os.write(number, rest) :]
        except OSError:
            os.ftruncate(number, size)
            raise
    finally:
        os.close(number)
