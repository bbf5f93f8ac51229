"""The ledger: how long a year takes to verify, what a day writes, and whether crashes lose a unit.

    python tests/bench/bench_ledger.py [--part verify|write|crash] [--nodes 12] [--days 365]
        [--rounds 1000000] [--seed 1] [--folder FOLDER] [--json]

- **verify**: a year of twelve nodes with three loads and their electronics, a row each a quarter of
  an hour, a batch for every quarter; the first node meters the feed and speaks for a source. Wall
  and CPU time of `rackgrid ledger verify` over all files, then with `--rack`.
- **write**: bytes that a day's ledger of one node sends to the disk, times twelve: `write_bytes` of
  /proc/self/io, which counts pages that have to go to a block device (so not on a tmpfs). Written
  when the daemon would (`ledger_pace`), and synced as it does. A quiet day (a price a quarter,
  twenty switchings a load) and a busy one (a new price each minute, found by a look within two
  seconds; or once in each, at random); alone, and with the copies at two others, which grow by a
  batch a quarter of an hour. What was written for what is counted in the log (`log_pages`). The
  file has no `-shm` (`ledger_access`), of which the kernel would write more the longer a day takes.
- **crash**: rounds of a node that crashes at random: the process, the end of SQLite's log cut at
  any byte, pages of a checkpoint torn (`tests/unit/controller/adapters/ledger_crash.py`). At the
  end the rows are compared with the truth: energy, counters, money, one by one.

Source: proc(5), /proc/pid/io.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.log_pages import causes
from tests.unit.controller.adapters.ledger_crash import Machine, differences

from rackgrid.adapters.ledger_copy import LedgerCopy
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_pace import Pace
from rackgrid.adapters.ledger_store import LedgerStore
from rackgrid.adapters.parcel import parcel_after
from rackgrid.cli import main as rackgrid
from rackgrid.market.balance import ELECTRONICS, FEED, source_account
from rackgrid.market.row import Row, Terms
from rackgrid.market.settlement import ROW_NS, Account, Granted, Seen, booked, opened

MINUTE_NS: Final = 60_000_000_000
QUARTERS: Final = 96
"""Of a day."""
LOADS: Final = ("fan", "lamp", "pump")
WATTS: Final = {ELECTRONICS: 3, "fan": 5, "lamp": 8, "pump": 12}
SWITCHES: Final = 20
"""Of a load and day."""
MINUTE_S: Final = 60
MINUTES: Final = 1440
"""Of a day."""
DAYS: Final = (("quiet", 15, 2.0), ("busy", 1, 2.0), ("busy at random moments", 1, 60.0))
"""A name, minutes between two prices, and how long after the minute a look finds one at most, s."""


class Node:
    """A node that books at given moments.

    Args:
        watts: of each account.
    """

    def __init__(self, watts: dict[str, int]) -> None:
        self.watts = watts
        self.accounts: dict[str, Account] = {}
        self.meters = dict.fromkeys(watts, 0)
        self.now_ns = 0

    def look(self, now_ns: int, terms: dict[str, Terms]) -> list[Row]:
        """Book what was drawn until now; the rows that ended."""
        rows: list[Row] = []
        is_quarter = now_ns // ROW_NS != self.now_ns // ROW_NS
        for name, watts in self.watts.items():
            account = self.accounts.get(name) or opened(name, terms[name], 0)
            on = account.terms.on
            self.meters[name] += watts * (now_ns - self.now_ns) // 1_000_000 if on else 0
            seen = Seen(self.meters[name], doubt_mw=watts * 10)
            most_mw = 1100 * watts if terms[name].on else 0
            granted = Granted(most_mw, now_ns + 2 * ROW_NS) if name in LOADS else None
            account, row = booked(
                *(account, seen, terms[name], 1, 1, now_ns), ends=is_quarter, granted=granted
            )
            self.accounts[name] = account
            rows += [row] if row else []
        self.now_ns = now_ns
        return rows


def a_year(folder: Path, nodes: int, days: int, seed: int) -> list[Path]:
    """Write the ledgers."""
    chance = random.Random(seed)
    prices = [chance.randrange(-50_000, 600_000) for _ in range(days * QUARTERS + 1)]
    paths: list[Path] = []
    for number in range(nodes):
        watts = dict(WATTS)
        if number == 0:
            watts[FEED] = sum(WATTS.values()) * nodes
            watts[source_account("grid")] = 2 * watts[FEED]
        node, path = Node(watts), folder / f"node{number}.db"
        store = open_ledger(path)
        store._file.execute("PRAGMA synchronous = OFF")
        for quarter, price_uc in enumerate(prices):
            terms = dict.fromkeys(watts, Terms(True, price_uc, 400_000))
            rows = node.look(quarter * ROW_NS, terms)
            grid = source_account("grid")
            rows = [
                replace(row, estimated_mj=row.energy_mj) if row.load == grid else row
                for row in rows
            ]
            store.append(rows, f"boot of {number}", 1_767_225_600 * 1_000_000_000)
        store.close()
        paths.append(path)
    return paths


def verify(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Measure `rackgrid ledger verify`."""
    paths = a_year(folder, args.nodes, args.days, args.seed)
    figures: dict[str, object] = {
        "nodes": args.nodes,
        "rows": sum(_rows(path) for path in paths),
        "megabytes": round(sum(path.stat().st_size for path in paths) / 1e6),
    }
    files = [word for path in paths for word in ("--file", str(path))]
    for name, more in (("verify", []), ("verify --rack", ["--rack"])):
        wall, cpu = time.perf_counter(), time.process_time()
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = rackgrid(["ledger", "verify", *files, *more])
        assert code == 0, said.getvalue()
        figures[f"{name}, s"] = round(time.perf_counter() - wall, 1)
        figures[f"{name}, CPU s"] = round(time.process_time() - cpu, 1)
    return figures


def _rows(path: Path) -> int:
    store = LedgerStore(path, writable=False)
    (count,) = store._file.execute("SELECT count(*) FROM entry").fetchone()
    store.close()
    return int(count)


def write(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Measure what a day writes."""
    figures: dict[str, object] = {"nodes": args.nodes}
    for name, minutes, late_s in DAYS:
        for copies in (0, 2):
            path = folder / f"{name}-{copies}" / "ledger.db"
            path.parent.mkdir()
            writes, rows, written = _a_day(Day(path, minutes, late_s, copies, args.seed))
            if not written:
                figures[name] = f"{folder} is not on a block device: nothing is counted"
                continue
            figures[f"{name}: writes, rows of a node"] = [writes, rows]
            what = f"{name}{' with two copies' if copies else ''}: MB a day"
            figures[what] = round(written * args.nodes / 1e6, 1)
        path = folder / f"{name}-counted" / "ledger.db"
        path.parent.mkdir()
        day = Day(path, minutes, late_s, 1, args.seed)
        for file in (day.store, *day.kept):
            file._file.execute("PRAGMA wal_autocheckpoint = 0")
        day.run()
        figures[f"{name}: pages of the log"] = causes(day.store.path)
        figures[f"{name}: pages of a copy's log"] = causes(day.kept[0].path)
        day.close()
    return figures


def _a_day(day: Day) -> tuple[int, int, int]:
    before = _written()
    day.run()
    assert not list(day.store.path.parent.glob("*-shm")), (
        "what a kernel writes of it is not counted"
    )
    day.close()
    return day.writes, day.count, _written() - before


class Day:
    """A day of a node, whose rows are written when the daemon would, and of its copies."""

    def __init__(self, path: Path, minutes: int, late_s: float, copies: int, seed: int) -> None:
        self.minutes, self.late_s = minutes, late_s
        self.chance, self.late = random.Random(seed), random.Random(seed)
        self.switches = {name: set(self.chance.sample(range(MINUTES), SWITCHES)) for name in LOADS}
        self.on, self.price_uc = dict.fromkeys(WATTS, True), 300_000
        self.store, self.node, self.pace = open_ledger(path), Node(WATTS), Pace()
        self.store.sync()
        self.store.append([], "boot", 0)
        self.kept = [LedgerCopy(path.with_name(f"copy{number}.db")) for number in range(copies)]
        self.waiting: list[Row] = []
        self.count = self.writes = self.quarter = 0
        self.last_s = 0.0

    def run(self) -> None:
        """Let the day pass."""
        for minute in range(1, MINUTES + 1):
            self.pass_minute(minute)
        self.write((MINUTES + 2) * MINUTE_S)

    def pass_minute(self, minute: int) -> None:
        """Let a minute pass; a look finds at its end what is new."""
        for name, moments in self.switches.items():
            self.on[name] ^= minute % MINUTES in moments
        if minute % self.minutes == 0:
            self.price_uc = self.chance.randrange(600_000)
        terms = {name: Terms(self.on[name], self.price_uc, 400_000) for name in WATTS}
        rows = self.node.look(minute * MINUTE_NS, terms)
        now_s = minute * MINUTE_S + self.late.uniform(0, self.late_s)
        if self.waiting and (due_s := self.last_s + self.pace.rest_s(self.last_s)) < now_s:
            self.write(due_s)
        if rows:
            self.pace.came(now_s)
            self.last_s = now_s
        self.waiting += rows

    def write(self, now_s: float) -> None:
        """Write what waits, and give the copies what was closed with it."""
        quarter = int(now_s * 1e9) // ROW_NS
        closes, self.quarter = quarter != self.quarter, quarter
        self.store.append(self.waiting, "boot", 0, _signed if closes else None)
        self.count, self.writes = self.count + len(self.waiting), self.writes + 1
        self.waiting = []
        self.pace.tried(now_s, waits=False)
        for copy in self.kept if closes else ():
            parcel = parcel_after(self.store, copy.head().id)
            assert not copy.take(parcel.batches)

    def close(self) -> None:
        """Let go of all files."""
        for file in (self.store, *self.kept):
            file.close()


def _signed(told: bytes) -> bytes:
    """Sign as long as a signature is: what it says costs no disk anything."""
    return told[:32] * 2


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def crash(args: argparse.Namespace, folder: Path) -> dict[str, object]:
    """Crash at random, and compare with the truth."""
    path = folder / "crash.db"
    started = time.perf_counter()
    machine = Machine(path, args.seed, crash=min(0.02, 400 / args.rounds))
    machine.run(args.rounds)
    machine.end()
    store = LedgerStore(path, writable=False)
    found, rows = store.verify(), [entry.row for entry in store.entries()]
    store.close()
    found += differences(rows, machine.meters)
    return {
        "rounds": machine.rounds,
        "crashes": machine.crashes,
        "logs cut": machine.cuts,
        "checkpoints torn": machine.torn,
        "rows": len(rows),
        "energy, mJ": sum(machine.meters.values()),
        "taken for damaged": machine.set_aside,
        "differences": found,
        "s": round(time.perf_counter() - started),
    }


PARTS: Final = {"verify": verify, "write": write, "crash": crash}


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--nodes", type=int, default=12)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="on a block device, for `write`")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    for name, part in PARTS.items():
        if args.part not in (None, name):
            continue
        with TemporaryDirectory(dir=args.folder) as folder:
            figures = part(args, Path(folder))
        if args.json:
            print(json.dumps({"part": name, **figures}), flush=True)
            continue
        print(f"{name}:")
        for what, figure in figures.items():
            print(f"  {what:30} {figure}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
