"""The daemon has its ledger to itself, and whoever else reads it finds it whole."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rackgrid.adapters import ledger_access
from rackgrid.adapters.ledger_access import read, written
from rackgrid.errors import StoreError

READER = """
import sys
from pathlib import Path
from rackgrid.adapters.ledger_access import read
file, folder = read(Path(sys.argv[1]))
print(file.execute("SELECT count(*) FROM t").fetchone()[0], folder is not None, flush=True)
sys.stdin.read()
file.close()
if folder is not None:
    folder.cleanup()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def begun(path: Path, rows: int = 3) -> sqlite3.Connection:
    file = written(path)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("CREATE TABLE IF NOT EXISTS t (x)")
    add(file, rows)
    return file


def add(file: sqlite3.Connection, rows: int) -> None:
    with file:
        file.executemany("INSERT INTO t VALUES (?)", [(each,) for each in range(rows)])


def locked(_: sqlite3.Connection) -> bool:
    """Answer as of a file that another process has."""
    return True


def another(path: Path) -> subprocess.Popen[str]:
    """Have another process read the file, and keep it open."""
    words = [sys.executable, "-c", READER, str(path)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(reader: subprocess.Popen[str]) -> str:
    assert reader.stdout is not None
    return reader.stdout.readline().strip()


def ended(reader: subprocess.Popen[str]) -> int:
    reader.communicate()
    return reader.returncode


def test_index_of_the_log_is_no_file(path: Path) -> None:
    """Fails if the kernel has pages of it to write between two writes of the ledger."""
    file = begun(path)
    inside, folder = read(path)
    add(file, 2)
    assert (inside.execute("SELECT count(*) FROM t").fetchone(), folder) == ((5,), None)
    assert {each.name for each in path.parent.iterdir()} == {"ledger.db", "ledger.db-wal"}
    inside.close()
    file.close()


def test_another_process_reads_what_is_written_and_hinders_nothing(path: Path) -> None:
    """Fails if a bill can only be read while the daemon is down, or stops it from writing."""
    file = begun(path)
    file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    add(file, 4)
    reader = another(path)
    assert said(reader) == "7 True"
    add(file, 1)
    file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert ended(reader) == 0
    assert file.execute("SELECT count(*) FROM t").fetchone() == (8,)
    file.close()


def test_file_that_nobody_writes_is_read_where_it_lies(path: Path) -> None:
    begun(path).close()
    file, folder = read(path)
    assert (file.execute("SELECT count(*) FROM t").fetchone(), folder) == ((3,), None)
    file.close()


def test_file_that_somebody_reads_is_shared(path: Path) -> None:
    """Fails if a long `ledger verify` keeps a node that starts from its books."""
    begun(path).close()
    reader = another(path)
    assert said(reader) == "3 False"
    file = begun(path)
    assert file.execute("SELECT count(*) FROM t").fetchone() == (6,)
    assert ended(reader) == 0
    file.close()


@pytest.mark.parametrize("ends", [False, True])
def test_log_that_is_begun_again_while_it_is_copied_is_copied_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    """Fails if a file from before a checkpoint can be read with a log from after it."""
    files, copied = [begun(path, 2000)], list[str]()
    real: Callable[[Path, Path], Path] = shutil.copyfile

    def meanwhile(source: Path, target: Path) -> Path:
        copied.append(source.name)
        done = real(source, target)
        if len(copied) == 1 and ends:
            files[0].close()
        elif len(copied) == 1:
            files[0].execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            add(files[0], 1)
        return done

    monkeypatch.setattr(shutil, "copyfile", meanwhile)
    monkeypatch.setattr(ledger_access, "_is_locked", locked)
    file, folder = read(path)
    assert folder is not None
    assert file.execute("SELECT count(*) FROM t").fetchone() == (2000 if ends else 2001,)
    assert copied.count("ledger.db") == 2
    file.close()
    folder.cleanup()
    files[0].close()


def test_log_that_is_always_begun_again_is_an_error_and_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = iter(range(1000))

    def head(_: Path) -> bytes:
        return bytes([next(heads)])

    monkeypatch.setattr(ledger_access, "_log_head", head)
    monkeypatch.setattr(ledger_access, "_is_locked", locked)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    begun(path).close()
    with pytest.raises(StoreError, match="try again"):
        read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.db"]


def test_file_that_is_none_is_opened_and_its_first_use_says_so(path: Path) -> None:
    path.write_bytes(b"no ledger" * 500)
    file, folder = read(path)
    with closing(file), pytest.raises(sqlite3.DatabaseError, match="not a database"):
        file.execute("SELECT * FROM t")
    assert folder is None
