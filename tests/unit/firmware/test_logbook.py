"""Fails if a lockout or a count is lost that was kept, or a damaged record frees an output."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rackgrid_firmware import logbook
from rackgrid_firmware.guard_rules import Kept
from rackgrid_firmware.logbook import UNREADABLE, Logbook, barred_of, copies_of_record

RECORD = {
    "fan": Kept("3 A", True, False, 7, 500),
    "lamp": Kept(is_locked=True, switches=2),
    "pump": Kept(switches=1, full_ns=9_000),
}
FLEXIBLE = frozenset({"fan", "pump"})


class Desk:
    """Logbooks over one folder, and what they said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.complaints: list[OSError] = []
        self.barred: list[frozenset[str]] = []
        self.complained = threading.Event()

    def book(self, boot_id: str = "a", clock: Callable[[], int] = lambda: 1_000) -> Logbook:
        return Logbook(self.folder, boot_id, self._complain, self.barred.append, clock)

    def keep(self, record: dict[str, Kept]) -> None:
        book = self.book()
        book.start()
        book.note(record)
        book.close()

    def _complain(self, fault: OSError) -> None:
        self.complaints.append(fault)
        self.complained.set()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_logbook_gives_to_the_next_process_what_was_kept(desk: Desk) -> None:
    desk.keep(RECORD)
    assert desk.book().read(FLEXIBLE) == RECORD
    assert desk.barred == [frozenset({"fan", "lamp"})]


def test_logbooks_of_two_names_share_a_folder(desk: Desk) -> None:
    desk.keep(RECORD)
    other = Logbook(desk.folder, "a", desk.complaints.append, desk.barred.append, name="plugs.json")
    assert other.read(FLEXIBLE) == {}
    other.start()
    other.note({"oven": Kept(is_locked=True)})
    other.close()
    assert desk.book().read(FLEXIBLE) == RECORD
    assert (desk.folder / "plugs.json").exists()


def test_logbook_after_a_reboot_lets_nothing_drip_into_a_budget(desk: Desk) -> None:
    desk.keep(RECORD)
    kept = desk.book("b", lambda: 50).read(FLEXIBLE)
    assert kept["pump"] == Kept(switches=1, full_ns=50 + 8_000)
    assert kept["fan"].full_ns == 50, "it was full"
    assert (kept["fan"].fault, kept["lamp"].is_locked) == ("3 A", True)


def test_logbook_that_was_never_kept_bars_nothing(desk: Desk) -> None:
    assert desk.book().read(FLEXIBLE) == {}


def test_logbook_takes_counts_from_the_record_before_a_damaged_one_and_bars_all(desk: Desk) -> None:
    """Fails if the older record frees what the damaged one had locked out."""
    desk.keep({**RECORD, "saw": Kept(switches=8)})
    desk.keep({**RECORD, "saw": Kept(switches=8, is_locked=True)})
    path = desk.folder / "outputs.json"
    path.write_bytes(path.read_bytes().replace(b'"switches": 8', b'"switches": 9'))
    assert desk.book().read(FLEXIBLE | {"saw"}) == {
        **RECORD,
        "pump": Kept(UNREADABLE, switches=1, full_ns=9_000),
        "saw": Kept(UNREADABLE, switches=8),
    }


def test_logbook_that_was_cut_between_two_renames_is_the_record_before(desk: Desk) -> None:
    desk.keep(RECORD)
    (desk.folder / "outputs.json").rename(desk.folder / "outputs.old")
    (desk.folder / "outputs.new").write_bytes(b"what was to take its place")
    assert desk.book().read(FLEXIBLE) == RECORD


@pytest.mark.parametrize("content", [b"", b"zz {}", b"00000000 {}", b"a3 []", b"\xff"])
def test_logbook_that_cannot_be_read_bars_every_flexible_output(desk: Desk, content: bytes) -> None:
    (desk.folder / "outputs.json").write_bytes(content)
    assert desk.book().read(FLEXIBLE) == dict.fromkeys(FLEXIBLE, Kept(fault=UNREADABLE))


def test_logbook_writes_a_bar_at_once_and_counts_only_later(desk: Desk) -> None:
    book = desk.book()
    book.start()
    book.note({"fan": Kept(is_locked=True)})
    deadline = threading.Event()
    while desk.book().read(FLEXIBLE) != {"fan": Kept(is_locked=True)}:
        assert not deadline.wait(0.01)
    book.note({"fan": Kept(is_locked=True, switches=1)})
    assert desk.book().read(FLEXIBLE) == {"fan": Kept(is_locked=True)}
    book.close()
    assert desk.book().read(FLEXIBLE) == {"fan": Kept(is_locked=True, switches=1)}


def test_logbook_of_a_process_that_was_killed_has_every_start(desk: Desk, tmp_path: Path) -> None:
    """Fails if a crash gives starts back: a crash loop would pass its budget."""
    recent = tmp_path / "run" / "starts.json"
    recent.parent.mkdir()

    def book(boot_id: str = "a") -> Logbook:
        return Logbook(
            *(desk.folder, boot_id, desk.complaints.append, desk.barred.append),
            clock=lambda: 1_000,
            recent=recent,
        )

    killed = book()
    killed.start()
    for starts in range(1, 4):
        kept = {"pump": Kept(switches=starts, full_ns=starts * 9_000)}
        killed.note(kept)
        patience = threading.Event()
        while book().read(FLEXIBLE) != kept:
            assert not patience.wait(0.01)
    assert desk.book().read(FLEXIBLE)["pump"].switches < 3, "the card is spared"
    assert book("b").read(FLEXIBLE) == desk.book("b").read(FLEXIBLE), "of another boot"
    recent.write_bytes(b"torn")
    assert book().read(FLEXIBLE) == desk.book().read(FLEXIBLE)
    killed.close()
    assert desk.complaints == []


def test_logbook_whose_tmpfs_is_full_says_so_and_keeps_the_rest(desk: Desk, tmp_path: Path) -> None:
    recent = tmp_path / "gone" / "starts.json"
    book = Logbook(desk.folder, "a", desk._complain, desk.barred.append, recent=recent)
    book.start()
    book.note({"fan": Kept(is_locked=True)})
    assert desk.complained.wait(10.0)
    book.close()
    assert desk.book().read(FLEXIBLE) == {"fan": Kept(is_locked=True)}


def test_logbook_that_cannot_be_written_says_so_and_goes_on(desk: Desk, tmp_path: Path) -> None:
    desk.folder = tmp_path / "not-there"
    book = desk.book()
    book.start()
    book.note({"fan": Kept(is_locked=True)})
    assert desk.complained.wait(10.0)
    desk.folder.mkdir()
    book.close()
    assert desk.book().read(FLEXIBLE) == {"fan": Kept(is_locked=True)}


def test_logbook_tries_a_lockout_again_that_could_not_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if it waits for the next counts: a power cut before them would free the output."""
    monkeypatch.setattr(logbook, "RETRY_S", 0.01)
    desk.folder /= "not-there"
    book = desk.book()
    book.start()
    book.note({"fan": Kept(is_locked=True)})
    assert desk.complained.wait(10.0)
    desk.folder.mkdir()
    waiting = threading.Event()
    while desk.book().read(FLEXIBLE) != {"fan": Kept(is_locked=True)}:
        assert not waiting.wait(0.01)
    book.close()


def test_barred_is_what_tripped_or_is_locked() -> None:
    assert barred_of(RECORD) == {"fan", "lamp"}


def test_copies_say_which_of_them_reads_back(desk: Desk) -> None:
    assert copies_of_record(desk.folder) == {}
    desk.keep(RECORD)
    desk.keep({"fan": Kept(switches=8)})
    assert copies_of_record(desk.folder) == {"outputs.json": True, "outputs.old": True}
    (desk.folder / "outputs.json").write_bytes(b"00000000 {}")
    assert copies_of_record(desk.folder) == {"outputs.json": False, "outputs.old": True}
