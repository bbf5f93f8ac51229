"""Fails if a node whose memory is damaged passes for a sound one, or if looking changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.adapters.test_ledger_store import KERNEL, rows
from tests.unit.controller.cli.doctor.judged import World, case_in, hold, put, uncovered, world
from tests.unit.controller.core.stage import roster

from rackgrid.adapters.ledger_opening import open_ledger
from rackgrid.adapters.roster_shelf import write_roster
from rackgrid.adapters.store import Store
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Grade
from rackgrid.cli.doctor.state import CHECKS, Facts, judge, look
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.config import Config
from rackgrid.config_file import load_config
from rackgrid_firmware.guard_rules import Kept
from rackgrid_firmware.logbook import Logbook
from rackgrid_firmware.profile_file import load_profile

ROOT = Path(__file__).parents[5]
BOARD = ROOT / "hardware/profiles/pi-relay4.toml"
PASS, WARN, FAIL, SKIP = Grade.PASS, Grade.WARN, Grade.FAIL, Grade.SKIP
BOTH = {"one": True, "two": True}
SOUND = Facts(terms=BOTH, roster=BOTH, plugs=BOTH, outputs=BOTH, ledger="", set_aside=())
ONE, NONE = {"one": False, "two": True}, {"one": False, "two": False}
OLD = {"one": True, "two": False}
NO = Unknown("run as root")
WORLDS = [
    world("state-whole", PASS, "2 copies of the terms"),
    world("state-whole", PASS, "2 copies of the roster"),
    world("state-whole", PASS, "newest rows add up"),
    world("state-whole", PASS, "2 copies of the terms", ledger=None, plugs={}, outputs={}),
    world("state-whole", WARN, "terms is damaged: one", terms=ONE),
    world("state-whole", WARN, "roster is damaged: one", roster=ONE),
    world("state-whole", WARN, "plugs is damaged: two", plugs=OLD),
    world("state-whole", WARN, "outputs is damaged: two", outputs=OLD),
    world("state-whole", WARN, "roster.b.bad", set_aside=("roster.b.bad",)),
    world("state-whole", FAIL, "backup", terms=NONE),
    world("state-whole", FAIL, "rackgrid recover", roster=NONE),
    world("state-whole", FAIL, "load clear", plugs=NONE),
    world("state-whole", FAIL, "load clear", plugs=ONE),
    world("state-whole", FAIL, "one, the newest word", outputs=ONE),
    world("state-whole", FAIL, "load clear", outputs=NONE),
    world("state-whole", FAIL, "torn", ledger="torn"),
    world("state-whole", SKIP, "run as root", terms=NO),
    world("state-whole", SKIP, "ledger: run as root", ledger=NO),
]


@pytest.mark.parametrize("each", WORLDS, ids=str)
def test_state_is_judged(each: World) -> None:
    hold([each], lambda each: judge(replace(SOUND, **each.change)))


def test_each_check_is_seen_well_and_ill() -> None:
    assert not uncovered(WORLDS, CHECKS)


def test_state_of_a_new_node_is_not_called_whole() -> None:
    (only,) = judge(Facts({}, {}, {}, {}, None, ()))
    assert (only.grade, only.cause) == (SKIP, "nothing is stored yet")


def configured(tmp_path: Path) -> Config:
    put(tmp_path, "board.toml", BOARD.read_bytes())
    text = (ROOT / "systemd/rackgrid.toml").read_text()
    node = f'board = "board.toml"\nstate_dir = "{tmp_path}/state"\nruntime_dir = "{tmp_path}/run"'
    return load_config(put(tmp_path, "r.toml", text.replace('board = "board.toml"', node)))


def keep(folder: Path, name: str) -> None:
    """Write a record of outputs, and another after it."""
    folder.mkdir(parents=True, exist_ok=True)
    for switches in (1, 2):
        book = Logbook(folder, "boot", lambda _: None, lambda _: None, name=name)
        book.start()
        book.note({"fan": Kept(switches=switches, is_locked=True)})
        book.close()


@pytest.fixture
def node(tmp_path: Path) -> Case:
    """A node that has stored all that one stores."""
    config = configured(tmp_path)
    folder = config.node.state_dir
    store = Store(folder, config.node.runtime_dir)
    store.reserve_block(100)
    store.close()
    write_roster((folder / "roster.a", folder / "roster.b"), roster(1, 2, 3))
    ledger = open_ledger(folder / "ledger.db")
    ledger.append(rows("fan", 30), KERNEL, None)
    ledger.close()
    keep(folder, "plugs.json")
    keep(tmp_path / "var/lib/rackgrid-firmware", "outputs.json")
    return case_in(tmp_path, config=config, profile=load_profile(BOARD))


def contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_look_reads_back_all_that_was_stored_and_changes_nothing(
    node: Case, tmp_path: Path
) -> None:
    before = contents(tmp_path)
    facts = look(node)
    assert facts.terms == {"terms.a": True, "terms.b": True}
    assert facts.roster == {"roster.a": True, "roster.b": True}
    assert facts.plugs == {"plugs.json": True, "plugs.old": True}
    assert facts.outputs == {"outputs.json": True, "outputs.old": True}
    assert facts.ledger == ""
    assert {finding.grade for finding in judge(facts)} == {PASS}
    assert contents(tmp_path) == before


def test_look_beside_a_daemon_that_has_the_ledger_to_itself_reads_it_all_the_same(
    node: Case, tmp_path: Path
) -> None:
    ledger = open_ledger(tmp_path / "state/ledger.db")
    try:
        assert look(node).ledger == ""
        ledger.append(rows("pump", 3), KERNEL, None)
    finally:
        ledger.close()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def tear(path: Path) -> None:
    """Write over the pages behind the first."""
    data = path.read_bytes()
    path.write_bytes(data[:1024] + b"\xff" * (len(data) - 1024))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("names", "damage", "says"),
    [
        (["terms.a", "terms.b"], cut, "no copy of the terms"),
        (["roster.a", "roster.b"], cut, "no copy of the roster"),
        (["plugs.json", "plugs.old"], cut, "newest word on the lockouts and faults of units"),
        (["ledger.db"], tear, "the ledger is damaged"),
        (["ledger.db"], empty, "the ledger is damaged"),
        (["ledger.db"], cut, "the ledger is damaged"),
    ],
)
def test_damage_is_found(
    node: Case, tmp_path: Path, names: list[str], damage: Callable[[Path], None], says: str
) -> None:
    for name in names:
        damage(tmp_path / "state" / name)
    before = contents(tmp_path)
    failed = [finding.cause for finding in judge(look(node)) if finding.grade is FAIL]
    assert len(failed) == 1
    assert says in failed[0]
    assert contents(tmp_path) == before, "looking changes nothing"


def test_damage_of_what_the_firmware_keeps_is_found(node: Case, tmp_path: Path) -> None:
    cut(tmp_path / "var/lib/rackgrid-firmware/outputs.json")
    failed = [finding.cause for finding in judge(look(node)) if finding.grade is FAIL]
    assert failed == [
        "outputs.json, the newest word on the lockouts and faults of the board's outputs, is "
        "damaged"
    ]


def test_look_before_the_first_start_and_without_a_configuration(tmp_path: Path) -> None:
    new = look(case_in(tmp_path, config=configured(tmp_path)))
    assert isinstance(new.terms, Unknown)
    assert "first start" in new.terms.reason
    assert new.ledger is None
    assert look(case_in(tmp_path)).terms == Unknown("not given")


def test_files_set_aside_are_named(node: Case, tmp_path: Path) -> None:
    put(tmp_path, "state/roster.a.bad", "")
    assert look(node).set_aside == ("roster.a.bad",)
