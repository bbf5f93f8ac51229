"""A node that books, and crashes at random moments, on a disk that may lose what was not synced.

The loads' meters go on counting whatever dies, as the firmware's do. What a crash takes is

- the process: what waits in memory to be written is gone;
- with the power, the end of SQLite's write-ahead log, cut at any byte: nothing syncs it between two
  checkpoints (`synchronous = NORMAL`; the daemon asks for more, and a card may lie about it);
- with the power in the middle of a checkpoint, any of the pages that it was about to write into the
  main file: the log is synced before, and whole.

So any file that is opened again is one that a power cut can leave behind.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rackgrid.adapters.ledger_file import PAGE
from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.ledger_store import unsigned
from rackgrid.market.row import Row, Terms, objection
from rackgrid.market.settlement import Account, Seen, anchor, booked, opened

ROUND_NS: Final = 500_000_000
BATCH_ROUNDS: Final = 120
"""Rows are written once a minute."""
LOADS: Final = ("fan", "lamp", "job")
REVENUE_UC: Final = 90_001


class Machine:
    """A node, its ledger, and the truth.

    Args:
        path: of the ledger.
        crash: how likely a crash is in a round.
    """

    def __init__(self, path: Path, seed: int, crash: float) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.crash = crash
        self.meters: dict[str, int] = dict.fromkeys(LOADS, 0)
        """The truth: what each load's meter has counted, mJ."""
        self.rounds = self.crashes = self.cuts = self.torn = self.set_aside = 0
        self.boot = self.synced = 0
        self.now_ns = 0
        self.price_uc: int | None = 300_000
        self._start()
        rows = [anchor(self._first(load)) for load in LOADS]
        self.store.append(rows, self.kernel, 0)
        self._checkpoint()

    @property
    def kernel(self) -> str:
        """Which boot it is."""
        return f"boot {self.boot}"

    def run(self, rounds: int) -> None:
        """Let so many rounds pass."""
        for _ in range(rounds):
            self.rounds += 1
            self._round()
            if self.random.random() < self.crash:
                self._crash()
            elif self.rounds % BATCH_ROUNDS == 0:
                self._write()
                if self.random.random() < 0.1:
                    self._checkpoint()

    def end(self) -> None:
        """Stop in an orderly way: what is open is booked, and all is written."""
        for load in LOADS:
            self._book(load, ends=True)
        self._write()
        self.store.close()

    # --- what happens ----------------------------------------------------------------------------

    def _round(self) -> None:
        self.now_ns += ROUND_NS
        if self.random.random() < 0.05:
            known = self.random.random() < 0.9
            self.price_uc = self.random.randrange(-100_000, 900_000) if known else None
        for load in LOADS:
            self.meters[load] += self.random.randrange(5000)
            self._book(load)

    def _book(self, load: str, *, ends: bool = False) -> None:
        revenue_uc = REVENUE_UC if load == "job" else None
        terms = Terms(True, self.price_uc, 400_000, revenue_uc)
        seen = Seen(self.meters[load], doubt_mw=3)
        account, row = booked(
            self.accounts[load], seen, terms, 1, self.rounds, self.now_ns, ends=ends
        )
        self.accounts[load] = account
        if row is not None:
            self.waiting.append(row)

    def _write(self) -> None:
        sign = unsigned if self.random.random() < 0.2 else None
        self.store.append(self.waiting, self.kernel, 0, sign)
        self.waiting = []

    def _checkpoint(self) -> None:
        self.store._file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.synced = 0

    # --- crashes ---------------------------------------------------------------------------------

    def _crash(self) -> None:
        self.crashes += 1
        kind = self.random.choice(("process", "cut", "torn"))
        if self.random.random() < 0.5:
            self._write()
        if kind == "process":
            # The kernel keeps what was written; the connection dies without a word.
            files = self._files()
            self.store.close()
            self._lay(*files)
        elif kind == "cut":
            self.cuts += 1
            main, log = self._files()
            self.store.close()
            self._lay(main, log[: self.random.randint(self.synced, len(log))])
        else:
            self.torn += 1
            before, log = self._files()
            self._checkpoint()
            after, _ = self._files()
            self.store.close()
            self._lay(self._torn(before, after), log)
            self.synced = len(log)
        if kind != "process":
            self.boot += 1
            self.now_ns = 0
        self._start()

    def _files(self) -> tuple[bytes, bytes]:
        log = self.path.with_name(f"{self.path.name}-wal")
        return self.path.read_bytes(), log.read_bytes() if log.exists() else b""

    def _lay(self, main: bytes, log: bytes) -> None:
        self.path.with_name(f"{self.path.name}-shm").unlink(missing_ok=True)
        self.path.write_bytes(main)
        self.path.with_name(f"{self.path.name}-wal").write_bytes(log)

    def _torn(self, before: bytes, after: bytes) -> bytes:
        """Take each page from before the checkpoint or from after it."""
        pages: list[bytes] = []
        for start in range(0, len(after), PAGE):
            old, new = before[start : start + PAGE], after[start : start + PAGE]
            if len(old) < PAGE and self.random.random() < 0.2:
                break  # The file has not grown yet.
            pages.append(new if len(old) < PAGE or self.random.random() < 0.5 else old)
        return b"".join(pages)

    def _start(self) -> None:
        """Start the process: what the ledger says is all that it knows."""
        self.store = open_ledger(self.path)
        self.store._file.execute("PRAGMA wal_autocheckpoint = 0")
        self.set_aside += self.store.origin() is not None
        last = self.store.last_rows()
        self.waiting: list[Row] = []
        self.accounts: dict[str, Account] = {
            load: opened(load, Terms(True, None, 400_000), self.now_ns, last.get(load))
            for load in LOADS
        }

    def _first(self, load: str) -> Account:
        account = self.accounts[load]
        account, _ = booked(account, Seen(0, doubt_mw=3), account.terms, 0, 0, self.now_ns)
        self.accounts[load] = account
        return account


def differences(rows: Sequence[Row], meters: dict[str, int]) -> list[str]:
    """Say how the rows of a ledger differ from the truth and from their own sums.

    Money is summed up here as products of the rows' energy and price, never divided: it shares no
    step with the booking.
    """
    found: list[str] = []
    for load, meter_mj in meters.items():
        own = [row for row in rows if row.load == load]
        energy_mj = sum(row.energy_mj for row in own)
        if energy_mj != meter_mj:
            found.append(f"{load}: {meter_mj} mJ flowed, {energy_mj} mJ are booked")
        if own and own[-1].counter_mj != meter_mj:
            found.append(f"{load}: {meter_mj} mJ flowed, the counter says {own[-1].counter_mj}")
        products = sum(row.energy_mj * (row.terms.price_uc or 0) for row in own)
        cost_nc = sum(row.cost_nc or 0 for row in own)
        if cost_nc != products // 3_600_000:
            found.append(f"{load}: {cost_nc} nc were paid, and {products // 3_600_000} nc are due")
        times = sum(
            (row.end_ns - row.start_ns) * row.terms.revenue_uc
            for row in own
            if row.terms.revenue_uc is not None
        )
        revenue_nc = sum(row.revenue_nc or 0 for row in own)
        if revenue_nc != times // 3_600_000_000:
            found.append(f"{load}: {revenue_nc} nc were earned of {times // 3_600_000_000} nc")
        before: Row | None = None
        for row in own:
            if wrong := objection(row, before):
                found.append(f"{load}: {wrong}")
            before = row
    return found
