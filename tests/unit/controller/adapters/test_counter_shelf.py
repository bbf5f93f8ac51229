"""What is published of a meter never falls: over crashes, restarts and reboots, in any order."""

from __future__ import annotations

import threading
import zlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackgrid.adapters import aside
from rackgrid.adapters.counter_shelf import (
    AHEAD_MJ,
    AHEAD_S,
    COUNTERS,
    COUNTERS_NOW,
    HASTE_NS,
    METERS_MAX,
    WRITE_NS,
    CounterShelf,
)
from rackgrid.adapters.store import write_whole
from rackgrid_firmware.device import Quality, Reading

WATTS = 2.0
AHEAD = AHEAD_MJ + round(WATTS * 1000) * AHEAD_S
SECOND_NS = 10**9


def reading(energy_mj: int, meter: str = "feed", t_ns: int = 1) -> Reading:
    return Reading(meter, t_ns, 12.0, WATTS / 12, energy_mj, Quality.FRESH)


class Desk:
    """A node whose parts can be killed, with the truth beside what it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tmpfs = folder / "state", folder / "run"
        for each in (self.folder, self.tmpfs):
            each.mkdir(exist_ok=True)
        self.boot = 0
        self.now_ns = 0
        self.raw_mj = 0
        self.begin()

    def begin(self) -> None:
        """Start the controller; one that was there before was killed."""
        self.shelf = CounterShelf(self.folder, self.tmpfs, f"boot-{self.boot}")

    def draw(self, energy_mj: int, after_s: float = 1.0) -> None:
        self.now_ns += round(after_s * SECOND_NS)
        self.raw_mj += energy_mj
        self.shelf.look([reading(self.raw_mj)], self.now_ns)

    @property
    def shown(self) -> int | None:
        self.settle()
        return self.shelf.shown_mj.get("feed")

    def settle(self) -> None:
        self.shelf._recent.settle()
        self.shelf._disk.settle()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_counter_is_shown_as_it_counts(desk: Desk) -> None:
    assert desk.shown is None
    for energy_mj in (500, 700, 0, 900):
        desk.draw(energy_mj)
        assert desk.shown == desk.raw_mj


def test_counter_is_shown_as_it_stood_a_second_ago_at_most(desk: Desk) -> None:
    desk.draw(500)
    desk.draw(700, after_s=0.9)
    assert desk.shown == 500
    desk.draw(0, after_s=0.1)
    assert desk.shown == 1_200


@pytest.mark.parametrize("is_disk", [True, False])
def test_counter_is_not_shown_before_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_disk: bool
) -> None:
    """Fails if somebody is shown what a power cut, or a kill, would take back."""
    goes_on = threading.Event()

    def stall(path: Path, data: bytes, *, durable: bool) -> None:
        assert durable == (path.parent.name == "state")
        assert durable != is_disk or goes_on.wait(10.0)
        write_whole(path, data, durable=durable)

    monkeypatch.setattr(aside, "write_whole", stall)
    desk = Desk(tmp_path)
    desk.draw(500)
    (desk.shelf._recent if is_disk else desk.shelf._disk).settle()
    assert desk.shelf.shown_mj == {}
    goes_on.set()
    assert desk.shown == 500


@pytest.mark.parametrize("is_same_boot", [True, False])
def test_counter_that_begins_anew_goes_on_where_it_was(desk: Desk, is_same_boot: bool) -> None:
    """The firmware was killed, or the machine booted; the controller ended in order."""
    desk.draw(59_900)
    desk.shelf.close()
    desk.boot += not is_same_boot
    desk.begin()
    assert desk.shelf.shown_mj == {"feed": 59_900}, "before any meter has spoken"
    desk.raw_mj = 0
    desk.draw(6_800)
    assert desk.shown == 59_900 + 6_800


def test_counter_that_begins_anew_while_the_controller_runs_goes_on(desk: Desk) -> None:
    desk.draw(59_900)
    desk.raw_mj = 0
    desk.draw(6_800, after_s=1)
    assert desk.shown == 59_900 + 6_800


@pytest.mark.parametrize("content", [b"", b"rackgrid counters 1 [] 00000000\n"])
def test_file_on_tmpfs_that_is_damaged_leaves_the_ceiling_of_the_disk(
    desk: Desk, content: bytes
) -> None:
    desk.draw(1_000)
    assert desk.shown == 1_000
    (desk.tmpfs / COUNTERS_NOW).write_bytes(content)
    desk.begin()
    assert desk.shown == 1_000 + AHEAD


def test_meter_that_was_never_read_has_counted_nothing(desk: Desk) -> None:
    """Fails if all is counted twice when a firmware that has just started knows no reading yet."""
    desk.draw(59_900)
    desk.shelf.look([replace(reading(0), t_ns=0, quality=Quality.STALE)], desk.now_ns)
    desk.draw(100)
    assert desk.shown == 60_000


def test_counter_after_a_reboot_counts_all_that_is_new_even_if_that_is_more(desk: Desk) -> None:
    desk.draw(1_000)
    desk.shelf.close()
    desk.boot += 1
    desk.begin()
    desk.raw_mj = 0
    desk.draw(5_000)
    assert desk.shown == 6_000


def test_counter_over_an_orderly_restart_counts_what_was_drawn_meanwhile(desk: Desk) -> None:
    desk.draw(1_000)
    desk.shelf.close()
    desk.begin()
    desk.draw(300)
    assert desk.shown == 1_300


@pytest.mark.parametrize("is_firmware_killed", [True, False])
def test_counter_after_a_kill_goes_on_at_once(desk: Desk, is_firmware_killed: bool) -> None:
    desk.draw(59_900)
    desk.draw(1_000)
    assert desk.shown == 60_900
    desk.begin()
    desk.raw_mj *= not is_firmware_killed
    assert desk.shown == 60_900
    desk.draw(50)
    assert desk.shown == 60_950


def test_counter_after_a_power_cut_runs_ahead_once_and_is_made_good(desk: Desk) -> None:
    """All was lost since the last write; what was shown of it stays shown."""
    desk.draw(0)
    desk.draw(1_000, after_s=1)
    assert desk.shown == 1_000
    desk.boot += 1
    desk.begin()
    desk.raw_mj = 0
    assert desk.shown == AHEAD, "it may have been shown so far"
    desk.draw(AHEAD - 1)
    assert desk.shown == AHEAD
    desk.draw(501, after_s=HASTE_NS / SECOND_NS)
    assert desk.shown == AHEAD + 500, "and from here on it is the sum"


def test_card_is_written_every_five_minutes_and_sooner_only_near_a_ceiling(desk: Desk) -> None:
    path = desk.folder / COUNTERS
    desk.draw(10)
    desk.settle()
    first = path.read_bytes()
    desk.draw(AHEAD // 2, after_s=HASTE_NS / SECOND_NS)
    desk.settle()
    assert path.read_bytes() == first
    desk.draw(AHEAD // 3, after_s=HASTE_NS / SECOND_NS)
    desk.settle()
    second = path.read_bytes()
    assert second != first
    desk.draw(0, after_s=WRITE_NS / SECOND_NS)
    desk.settle()
    assert path.read_bytes() == second, "nothing was counted"
    desk.draw(1)
    desk.settle()
    assert path.read_bytes() == second, "five minutes after the last look at it"
    desk.draw(1, after_s=WRITE_NS / SECOND_NS)
    desk.settle()
    assert path.read_bytes() != second


def test_disk_that_cannot_be_written_stops_the_figure_and_not_the_count(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    desk.draw(10)
    assert desk.shown == 10

    def fail(path: Path, data: bytes, *, durable: bool) -> None:
        if durable:
            raise OSError(30, "Read-only file system")
        write_whole(path, data, durable=False)

    with monkeypatch.context() as patch:
        patch.setattr(aside, "write_whole", fail)
        for _ in range(3):
            desk.draw(AHEAD, after_s=WRITE_NS / SECOND_NS)
            assert desk.shown == 10 + AHEAD
    assert caplog.text.count("energy counters stand still") == 1, "said once"
    desk.draw(0, after_s=WRITE_NS / SECOND_NS)
    assert desk.shown == 10 + 3 * AHEAD


@pytest.mark.parametrize("content", [b"", b"rackgrid counters 1 [] 00000000\n", b"\xff"])
def test_damaged_file_is_set_aside_and_said(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / COUNTERS).write_bytes(content)
    desk = Desk(tmp_path)
    assert (tmp_path / "state" / f"{COUNTERS}.bad").read_bytes() == content
    assert "begin at zero" in caplog.text
    desk.draw(5)
    assert desk.shown == 5


@pytest.mark.parametrize(
    "body", ["[1, {}]", '["b", {"feed": [1, 2]}]', '["b", {"feed": [-1,0,0]}]']
)
def test_file_of_another_shape_is_damaged(tmp_path: Path, body: str) -> None:
    text = f"rackgrid counters 1 {body}"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / COUNTERS).write_text(f"{text} {zlib.crc32(text.encode()):08x}\n")
    Desk(tmp_path)
    assert (tmp_path / "state" / f"{COUNTERS}.bad").exists()


def test_file_that_the_disk_does_not_give_lets_nothing_be_published(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Fails if a counter falls to zero because of a read error."""
    (tmp_path / "state" / COUNTERS).mkdir(parents=True)
    desk = Desk(tmp_path)
    desk.draw(5)
    desk.shelf.close()
    assert desk.shown is None
    assert "no energy counter is published" in caplog.text
    assert (tmp_path / "state" / COUNTERS).is_dir()


def test_meters_that_are_gone_make_room_for_those_that_are_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    shelf = CounterShelf(tmp_path, run, "boot")
    shelf.look([reading(7, f"old-{at}") for at in range(METERS_MAX)], 0)
    shelf.close()
    shelf = CounterShelf(tmp_path, run, "boot")
    shelf.look([reading(8, "new")], 0)
    shelf.close()
    kept = CounterShelf(tmp_path, run, "boot").shown_mj
    assert len(kept) == METERS_MAX
    assert kept["new"] == 8


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["draw", "draw", "draw", "firmware", "controller", "both", "end", "boot", "cut"]
        ),
        st.integers(0, 300_000),
        st.sampled_from([0.1, 1.0, 5.0, 301.0]),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_what_is_shown_never_falls_whatever_ends(steps: list[tuple[str, int, float]]) -> None:
    with TemporaryDirectory() as folder:
        desk, before_mj = Desk(Path(folder)), 0
        for what, energy_mj, after_s in steps:
            match what:
                case "firmware":
                    desk.raw_mj = 0
                case "controller":
                    desk.begin()
                case "both":
                    desk.raw_mj = 0
                    desk.begin()
                case "end":
                    desk.shelf.close()
                    desk.begin()
                case "boot" | "cut":
                    if what == "boot":
                        desk.shelf.close()
                    desk.boot += 1
                    desk.raw_mj = 0
                    desk.begin()
                case _:
                    pass
            shown_mj = desk.shelf.shown_mj.get("feed", before_mj)
            assert shown_mj >= before_mj, f"after {what}"
            desk.draw(energy_mj, after_s)
            shown_mj = desk.shown
            assert shown_mj is not None
            assert shown_mj >= before_mj, f"a look after {what}"
            before_mj = shown_mj
