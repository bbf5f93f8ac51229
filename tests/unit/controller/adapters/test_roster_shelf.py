"""The roster on real disks: two copies, in order, and told of only when both are there."""

from __future__ import annotations

import asyncio
import errno
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.controller.core.stage import FOUNDER, line, pair, roster

from rackgrid.adapters import roster_shelf
from rackgrid.adapters.roster_shelf import RosterShelf, copies_of_roster, read_roster, write_roster
from rackgrid.adapters.store import write_whole
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.errors import StoreError
from rackgrid.identity import BootId, NodeId, Stamp
from rackgrid.wire.codec import encode
from rackgrid.wire.message import (
    NODE_NAME_MAX,
    NODES_MAX,
    PLEDGES_MAX,
    Leave,
    PledgeLine,
    RosterLine,
)
from rackgrid.wire.seal import PAYLOAD_MAX

OLD = roster(1, line(2, votes=2, meters_feed=True), of=FOUNDER, version=7)
NEW = OLD.with_line(line(3, 900, 0)).under(pair(4))
DEADLINE_S = 10.0


def copies(folder: Path) -> tuple[Path, Path]:
    return folder / "roster.a", folder / "roster.b"


@dataclass
class Told:
    """What a shelf has said about its writes."""

    stored: list[Stamp] = field(default_factory=list[Stamp])
    failed: list[Exception] = field(default_factory=list[Exception])


def keep(folder: Path, *rosters: Roster) -> Told:
    """Have rosters kept, in a running loop, and wait for a word on each."""
    told = Told()

    async def scenario() -> None:
        words = asyncio.Queue[Stamp | Exception]()
        shelf = RosterShelf(folder)
        for one in rosters:
            shelf.keep(one, words.put_nowait, words.put_nowait)
        assert words.empty(), "the loop is never kept waiting"
        async with asyncio.timeout(DEADLINE_S):
            for _ in rosters:
                match await words.get():
                    case Stamp() as stamp:
                        told.stored.append(stamp)
                    case fault:
                        told.failed.append(fault)
        shelf.close()

    asyncio.run(scenario())
    return told


# --- keeping ---------------------------------------------------------------------------------


def test_shelf_first_start_has_no_roster(tmp_path: Path) -> None:
    assert RosterShelf(tmp_path).roster == NO_ROSTER


@pytest.mark.parametrize("founding", [True, False])
def test_shelf_roster_outlives_the_process_with_all_that_it_says(
    tmp_path: Path, founding: bool
) -> None:
    kept = roster(1, 2, founding=True) if founding else roster(1, 2, founding=True).settled()
    assert keep(tmp_path, kept).stored == [kept.stamp]
    assert RosterShelf(tmp_path).roster == kept


def test_shelf_roster_let_go_is_let_go_for_good(tmp_path: Path) -> None:
    keep(tmp_path, roster(1, 2, founding=True))
    assert keep(tmp_path, NO_ROSTER).stored == [NO_ROSTER.stamp]
    assert RosterShelf(tmp_path).roster == NO_ROSTER
    assert sorted(path.name for path in tmp_path.iterdir()) == ["roster.a", "roster.b"]


def test_shelf_fullest_roster_of_the_longest_names_is_read_again(tmp_path: Path) -> None:
    most = 2**32 - 1
    rows = [
        RosterLine(line(n).node, "é" * (NODE_NAME_MAX // 2), 9, most, most, 2)
        for n in range(NODES_MAX)
    ]
    pledges = tuple(PledgeLine(NodeId(n), BootId(n), most, most) for n in range(PLEDGES_MAX))
    full = replace(roster(*rows), pledges=pledges)
    assert len(encode(full.update(most))) <= PAYLOAD_MAX, "it has to fit one datagram"
    keep(tmp_path, full)
    assert RosterShelf(tmp_path).roster == full


def test_shelf_writes_are_told_of_one_by_one_in_the_order_asked_for(tmp_path: Path) -> None:
    assert keep(tmp_path, OLD, NEW).stored == [OLD.stamp, NEW.stamp]
    assert RosterShelf(tmp_path).roster == NEW


def test_shelf_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    keep(tmp_path, OLD)
    assert [path.stat().st_mode & 0o777 for path in copies(tmp_path)] == [0o600, 0o600]


def test_write_each_copy_is_whole_on_the_disk_before_the_next_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data flushed, then renamed, then the name flushed; the second copy after it."""
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
    write_roster(copies(tmp_path), OLD)
    assert steps == [
        "fsync .roster.a.new",
        "rename roster.a",
        f"fsync {tmp_path.name}",
        "fsync .roster.b.new",
        "rename roster.b",
        f"fsync {tmp_path.name}",
    ]


# --- what goes wrong -------------------------------------------------------------------------


def failing(name: str) -> Callable[..., None]:
    def write(path: Path, data: bytes, *, durable: bool, mode: int = 0o600) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(path, data, durable=durable, mode=mode)

    return write


@pytest.mark.parametrize(("name", "after"), [("roster.a", OLD), ("roster.b", NEW)])
def test_shelf_write_that_fails_is_told_as_such_and_a_roster_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, after: Roster
) -> None:
    """Fails if a node says that it has stored what only one file, or none, has."""
    keep(tmp_path, OLD)
    monkeypatch.setattr(roster_shelf, "write_whole", failing(name))
    told = keep(tmp_path, NEW)
    assert told.stored == []
    (fault,) = told.failed
    assert isinstance(fault, StoreError)
    assert "No space left on device: make room" in str(fault)
    assert fault.errno == errno.ENOSPC
    assert RosterShelf(tmp_path).roster == after


def test_shelf_bug_of_ours_in_the_writer_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if it would die with its thread, and the node wait for ever."""

    def breaks(_paths: tuple[Path, ...], _roster: Roster) -> None:
        raise AssertionError("a bug")

    monkeypatch.setattr(roster_shelf, "write_roster", breaks)
    assert [str(fault) for fault in keep(tmp_path, NEW).failed] == ["a bug"]


def test_shelf_end_of_the_writer_itself_is_told_as_a_failed_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(_paths: tuple[Path, ...], _roster: Roster) -> None:
        raise SystemExit("the thread is told to go")

    monkeypatch.setattr(roster_shelf, "write_roster", ends)
    (fault,) = keep(tmp_path, NEW).failed
    assert isinstance(fault, StoreError)


def test_shelf_word_that_comes_after_the_loop_has_ended_is_dropped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()

    async def scenario() -> RosterShelf:
        shelf = RosterShelf(tmp_path)
        shelf.keep(OLD, told.stored.append, told.failed.append)
        return shelf

    loop = asyncio.new_event_loop()
    shelf = loop.run_until_complete(scenario())
    loop.close()
    shelf.close()
    assert told.failed == []
    assert RosterShelf(tmp_path).roster == OLD
    assert caplog.text == ""


def test_shelf_closed_lets_the_write_under_way_end_and_begins_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        shelf = RosterShelf(tmp_path)
        for version in range(1, 200):
            shelf.keep(roster(1, version=version), lambda _: None, lambda _: None)
        shelf.close()

    asyncio.run(scenario())
    first, second = (read_roster((path,)) for path in copies(tmp_path))
    assert first == second
    assert 0 <= first.version < 199


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("damage", [b"", b"rackgrid roster 1 00", b"\xff" * 40])
def test_read_damaged_copy_is_set_aside_and_the_other_has_it(
    tmp_path: Path, which: int, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, OLD)
    copy = copies(tmp_path)[which]
    copy.write_bytes(damage)
    assert RosterShelf(tmp_path).roster == OLD
    assert copy.with_name(f"{copy.name}.bad").read_bytes() == damage
    assert f"{copy} is damaged" in caplog.text
    keep(tmp_path, NEW)
    assert read_roster((copy,)) == NEW, "the next write makes the copy good again"


def test_read_crash_between_the_copies_gives_the_newer_one(tmp_path: Path) -> None:
    """It was never told of; but it may be agreed, if another node had acked it."""
    first, second = copies(tmp_path)
    write_roster((first, second), OLD)
    write_roster((first,), NEW)
    assert read_roster((first, second)) == read_roster((second, first)) == NEW


def test_read_both_copies_lost_is_no_roster_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, OLD)
    for copy in copies(tmp_path):
        copy.write_bytes(b"torn")
    assert RosterShelf(tmp_path).roster == NO_ROSTER
    assert caplog.text.count("is damaged") == 2


def test_read_copy_that_cannot_be_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, OLD)
    first, _ = copies(tmp_path)
    first.unlink()
    first.mkdir()
    assert RosterShelf(tmp_path).roster == OLD
    assert f"cannot read {first}" in caplog.text


def lines_with(payload: str) -> bytes:
    text = f"rackgrid roster 1 {payload}"
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        lines_with(encode(OLD.update(0)).hex())[:-1],
        lines_with("no-hex"),
        lines_with("ff00"),
        lines_with(encode(Leave(1)).hex()),
        lines_with(encode(OLD.update(0)).hex()).replace(b"roster 1", b"roster 2"),
    ],
    ids=["cut short", "no hex", "no message", "another message", "another format"],
)
def test_read_what_is_not_a_roster_of_ours_is_none(tmp_path: Path, data: bytes) -> None:
    first, second = copies(tmp_path)
    first.write_bytes(data)
    assert read_roster((first, second)) == NO_ROSTER
    assert first.with_name("roster.a.bad").exists()


@settings(max_examples=100)
@given(st.integers(0, 10**6), st.integers(0, 7))
def test_line_any_flipped_bit_is_noticed(where: int, bit: int) -> None:
    data = roster_shelf._line(OLD)
    assert roster_shelf._roster(data) == OLD
    flipped = bytearray(data)
    flipped[where % len(data)] ^= 1 << bit
    assert roster_shelf._roster(bytes(flipped)) is None


@given(st.binary(max_size=200))
def test_line_any_bytes_are_read_or_refused_without_raising(data: bytes) -> None:
    assert roster_shelf._roster(data) is None


def test_copies_say_which_of_them_reads_back_and_stay_where_they_are(tmp_path: Path) -> None:
    assert copies_of_roster(tmp_path) == {}
    write_roster(copies(tmp_path), roster(1, 2))
    assert copies_of_roster(tmp_path) == {"roster.a": True, "roster.b": True}
    (tmp_path / "roster.a").write_bytes(b"torn")
    assert copies_of_roster(tmp_path) == {"roster.a": False, "roster.b": True}
    assert (tmp_path / "roster.a").read_bytes() == b"torn"
