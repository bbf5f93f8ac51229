"""What a node has learned of its own loads outlives its process, and nothing false is taken up."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rackgrid.adapters.nameplate_shelf import NAMEPLATES, WRITE_NS, NameplateShelf
from rackgrid.adapters.store import FILE_BYTES_MAX
from rackgrid.core.nameplate import FORGET_NS, Proof

NOW = 10**15
LAMP = Proof(6000, 9000, NOW + FORGET_NS // 2)
PUMP = Proof(4000, 4500, NOW + FORGET_NS)


def kept(folder: Path, proofs: dict[str, Proof], kernel: str = "boot") -> None:
    shelf = NameplateShelf(folder, kernel)
    shelf.look(proofs, NOW)
    shelf.close()


def recalled(folder: Path, now_ns: int = NOW, kernel: str = "boot") -> dict[str, Proof]:
    return dict(NameplateShelf(folder, kernel).recall(now_ns))


def test_what_was_learned_is_there_after_a_restart_until_its_hour_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert recalled(tmp_path) == {}
    kept(tmp_path, {"lamp": LAMP, "pump": PUMP})
    caplog.set_level("INFO")
    assert recalled(tmp_path) == {"lamp": LAMP, "pump": PUMP}
    assert "output lamp took 9.0 W before this start, and its nameplate says 6.0 W" in caplog.text
    assert "for up to 30 min" in caplog.text
    assert recalled(tmp_path, LAMP.until_ns) == {"pump": PUMP}
    assert recalled(tmp_path, PUMP.until_ns) == {}


def test_after_a_boot_of_the_machine_the_hour_begins_anew(tmp_path: Path) -> None:
    """Fails if the clock of another boot is believed: it may have said anything."""
    kept(tmp_path, {"lamp": LAMP})
    (lamp,) = recalled(tmp_path, 5, "another").values()
    assert lamp == Proof(6000, 9000, 5 + FORGET_NS)


def test_no_word_is_believed_for_longer_than_an_hour(tmp_path: Path) -> None:
    kept(tmp_path, {"lamp": Proof(6000, 9000, NOW + 5 * FORGET_NS)})
    assert recalled(tmp_path)["lamp"].until_ns == NOW + FORGET_NS


def test_what_is_forgotten_is_forgotten_on_the_disk_too(tmp_path: Path) -> None:
    kept(tmp_path, {"lamp": LAMP})
    shelf = NameplateShelf(tmp_path, "boot")
    shelf.look(shelf.recall(NOW), NOW)
    shelf.look({}, NOW)
    shelf.close()
    assert recalled(tmp_path) == {}


def test_load_that_creeps_up_is_written_once_in_a_while_and_at_the_end(tmp_path: Path) -> None:
    path, shelf = tmp_path / NAMEPLATES, NameplateShelf(tmp_path, "boot")
    shelf.look({}, NOW)
    shelf._file.settle()
    assert not path.exists(), "there is nothing to keep"
    for second, learned_mw in ((0, 7000), (1, 8000), (9, 9000)):
        shelf.look({"lamp": Proof(6000, learned_mw, LAMP.until_ns)}, NOW + second * 10**9)
    shelf._file.settle()
    assert recalled(tmp_path)["lamp"].learned_mw == 7000
    shelf.look({"lamp": LAMP}, NOW + WRITE_NS)
    shelf._file.settle()
    assert recalled(tmp_path)["lamp"] == LAMP
    last = Proof(6000, 9500, LAMP.until_ns)
    shelf.look({"lamp": last}, NOW + WRITE_NS + 1)
    shelf.close()
    assert recalled(tmp_path)["lamp"] == last


def test_file_holds_no_more_than_is_read_and_first_what_lies_most(tmp_path: Path) -> None:
    many = {f"output-{number:03}": Proof(1000, 1100 + number, NOW + 1) for number in range(300)}
    kept(tmp_path, many)
    assert (tmp_path / NAMEPLATES).stat().st_size <= FILE_BYTES_MAX
    found = recalled(tmp_path)
    assert 40 < len(found) < 300
    assert sorted(found) == sorted(many)[-len(found) :]


def sealed(text: str) -> bytes:
    return f"{text} {zlib.crc32(text.encode()):08x}\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 80,
        sealed('rackgrid nameplates 2 ["boot",{}]'),
        sealed('rackgrid nameplates 1 ["boot"]'),
        sealed("rackgrid nameplates 1 [1,{}]"),
        sealed('rackgrid nameplates 1 ["boot",[]]'),
        sealed("rackgrid nameplates 1 " + "[" * 3000),
        sealed('rackgrid nameplates 1 ["boot",{"lamp":[6000,9000]}]'),
        sealed('rackgrid nameplates 1 ["boot",{"lamp":[6000,9000.5,1]}]'),
        sealed('rackgrid nameplates 1 ["boot",{"lamp":[9000,6000,1]}]'),
        sealed('rackgrid nameplates 1 ["boot",{"lamp":[6000,900000000000,1]}]'),
        sealed('rackgrid nameplates 1 ["boot",{"lamp":[6000,9000,-1]}]'),
    ],
)
def test_file_that_nobody_wrote_like_this_is_set_aside_and_said(
    tmp_path: Path, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAMEPLATES).write_bytes(data)
    assert recalled(tmp_path) == {}
    assert "is damaged: set aside as nameplates.bad" in caplog.text
    assert (tmp_path / "nameplates.bad").read_bytes() == data
    kept(tmp_path, {"lamp": LAMP})
    assert recalled(tmp_path) == {"lamp": LAMP}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_that_flips_makes_another_nameplate(tmp_path: Path, place: int, bit: int) -> None:
    kept(tmp_path, {"lamp": LAMP, "pump": PUMP})
    path = tmp_path / NAMEPLATES
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    assert recalled(tmp_path) in ({}, {"lamp": LAMP, "pump": PUMP})


def test_file_that_cannot_be_read_or_written_stops_nothing_and_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / NAMEPLATES).mkdir()
    assert recalled(tmp_path) == {}
    assert "cannot read" in caplog.text
    kept(tmp_path, {"lamp": LAMP})
    assert "a load that lied about its nameplate starts clean" in caplog.text
