from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.adapters import store
from rackgrid.adapters.store import Store, copies_of_terms, write_whole
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Pair, Term

LOW = Pair(Term(3), NodeId(9), BootId(1))
HIGH = Pair(Term(4), NodeId(2**64 - 1), BootId(2**64 - 1))

Open = Callable[[], Store]


@pytest.fixture
def reopen(tmp_path: Path) -> Iterator[Open]:
    """Open the node's store as its next start would: the one before has ended."""
    opened: list[Store] = []

    def start() -> Store:
        if opened:
            opened[-1].close()
        opened.append(Store(tmp_path / "state", tmp_path / "run"))
        return opened[-1]

    yield start
    if opened:
        opened[-1].close()


def copies(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "state" / "terms.a", tmp_path / "state" / "terms.b"


def test_store_first_start_knows_nothing_and_makes_its_folders(reopen: Open) -> None:
    first = reopen()
    assert first.terms_until == 0
    assert first.recall() is None


def test_store_block_of_terms_is_never_given_twice(reopen: Open) -> None:
    used: list[int] = []
    for _ in range(3):
        used += reopen().reserve_block(10)
    assert used == list(range(1, 31))


def test_store_reservation_in_between_is_kept(reopen: Open) -> None:
    reopen().reserve_terms(1000)
    assert reopen().terms_until == 1000


def test_store_lower_reservation_changes_nothing(reopen: Open) -> None:
    first = reopen()
    first.reserve_terms(1000)
    first.reserve_terms(10)
    assert first.terms_until == 1000
    assert reopen().terms_until == 1000


def test_store_term_beyond_the_wire_is_our_bug(reopen: Open) -> None:
    with pytest.raises(AssertionError, match="fit the wire"):
        reopen().reserve_terms(2**32 + 1)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("damage", [b"", b"rackgrid terms 1 900", b"\xff" * 40])
def test_store_one_damaged_copy_is_set_aside_and_the_other_knows(
    reopen: Open, tmp_path: Path, which: int, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reopen().reserve_terms(900)
    copy = copies(tmp_path)[which]
    copy.write_bytes(damage)
    again = reopen()
    assert again.terms_until == 900
    assert copy.with_name(f"{copy.name}.bad").read_bytes() == damage
    assert f"{copy} is damaged" in caplog.text
    again.reserve_terms(901)
    assert copy.exists(), "the next reservation makes the copy good again"


def test_store_both_copies_damaged_refuses_every_start_and_touches_nothing(
    reopen: Open, tmp_path: Path
) -> None:
    reopen().reserve_terms(900)
    for copy in copies(tmp_path):
        copy.write_bytes(b"torn")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"never be used twice.*delete .*identity"):
            reopen()
    assert all(copy.read_bytes() == b"torn" for copy in copies(tmp_path))


def test_store_copy_that_cannot_be_read_is_taken_for_damaged(
    reopen: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reopen().reserve_terms(900)
    first, _ = copies(tmp_path)
    first.unlink()
    first.mkdir()
    assert reopen().terms_until == 900
    assert "cannot read" in caplog.text
    assert "is damaged" in caplog.text


def test_store_one_copy_damaged_and_the_other_gone_refuses(reopen: Open, tmp_path: Path) -> None:
    reopen().reserve_terms(900)
    first, second = copies(tmp_path)
    first.write_bytes(b"torn")
    second.unlink()
    with pytest.raises(StoreError, match="never be used twice"):
        reopen()


def test_store_crash_between_the_copies_never_goes_back(
    reopen: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reopen()
    first.reserve_terms(100)

    def fails_at_second(path: Path, data: bytes, *, durable: bool, mode: int = 0o600) -> None:
        if path.name == "terms.b":
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(path, data, durable=durable, mode=mode)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_whole", fails_at_second)
        with pytest.raises(StoreError, match="No space left") as caught:
            first.reserve_terms(200)
    assert caught.value.errno == errno.ENOSPC
    assert first.terms_until == 100, "what was not kept was not promised"
    assert reopen().terms_until == 200, "but what may lie on the disk is not used again"


def test_store_reservation_is_on_the_disk_in_order_before_it_is_acknowledged(
    reopen: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each copy: data flushed, then renamed, then the name flushed; the second copy after it."""
    first = reopen()
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        real_fsync(descriptor)

    def replace(path: Path, target: Path) -> Path:
        steps.append(f"rename {target.name}")
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    first.reserve_terms(10)
    assert steps == [
        "fsync .terms.a.new",
        "rename terms.a",
        "fsync state",
        "fsync .terms.b.new",
        "rename terms.b",
        "fsync state",
    ]
    steps.clear()
    first.remember(LOW)
    assert steps == ["rename pair"], "no disk stands in the way of following a broker"


def test_store_pair_outlives_the_process(reopen: Open) -> None:
    reopen().remember(HIGH)
    assert reopen().recall() == HIGH


def test_store_lower_pair_does_not_replace_a_higher_one(reopen: Open) -> None:
    first = reopen()
    first.remember(HIGH)
    first.remember(LOW)
    assert first.recall() == HIGH
    assert reopen().recall() == HIGH


def test_store_damaged_pair_is_set_aside_and_taken_for_lost(
    reopen: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reopen().remember(HIGH)
    path = tmp_path / "run" / "pair"
    path.write_bytes(path.read_bytes().replace(b" 4 ", b" 3 "))
    assert reopen().recall() is None
    assert (tmp_path / "run" / "pair.bad").exists()
    assert "is damaged" in caplog.text


def test_store_second_controller_on_the_same_folder_is_refused(
    reopen: Open, tmp_path: Path
) -> None:
    reopen()
    code = (
        "import sys, pathlib\n"
        "from rackgrid.adapters.store import Store\n"
        "from rackgrid.errors import StoreError\n"
        "try:\n"
        "    Store(*map(pathlib.Path, sys.argv[1:]))\n"
        "except StoreError as refusal:\n"
        "    print(refusal)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "state"), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "another rackgrid controller runs" in done.stdout


def test_store_folder_is_free_once_closed_or_refused(reopen: Open, tmp_path: Path) -> None:
    reopen().reserve_terms(5)
    for copy in copies(tmp_path):
        copy.write_bytes(b"torn")
    with pytest.raises(StoreError):
        reopen()
    for copy in copies(tmp_path):
        copy.unlink()
    assert reopen().terms_until == 0


def test_store_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="set `state_dir`"):
        Store(tmp_path / "file" / "state", tmp_path / "run")


def test_store_unreadable_lock_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state" / "lock").mkdir(parents=True)
    with pytest.raises(StoreError, match="chown"):
        Store(tmp_path / "state", tmp_path / "run")


def test_store_files_are_for_their_owner_alone(reopen: Open, tmp_path: Path) -> None:
    opened = reopen()
    opened.reserve_terms(5)
    opened.remember(LOW)
    for path in (*copies(tmp_path), tmp_path / "run" / "pair"):
        assert path.stat().st_mode & 0o777 == 0o600


@settings(max_examples=100)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=3),
    st.integers(0, 10**6),
    st.integers(0, 7),
)
def test_line_any_flipped_bit_is_noticed(numbers: list[int], where: int, bit: int) -> None:
    line = store._line("pair", numbers)
    assert store._numbers(line, "pair", len(numbers)) == tuple(numbers)
    flipped = bytearray(line)
    flipped[where % len(line)] ^= 1 << bit
    assert store._numbers(bytes(flipped), "pair", len(numbers)) is None


@given(st.binary(max_size=100))
def test_line_any_bytes_are_read_or_refused_without_raising(data: bytes) -> None:
    assert store._numbers(data, "terms", 1) is None


def test_copies_of_terms_are_looked_at_and_left_as_they_are(tmp_path: Path) -> None:
    assert copies_of_terms(tmp_path) == {}
    store = Store(tmp_path, tmp_path)
    store.reserve_block(10)
    store.close()
    assert copies_of_terms(tmp_path) == {"terms.a": True, "terms.b": True}
    (tmp_path / "terms.a").write_bytes(b"torn")
    assert copies_of_terms(tmp_path) == {"terms.a": False, "terms.b": True}
    assert (tmp_path / "terms.a").read_bytes() == b"torn"
