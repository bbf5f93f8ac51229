"""The books are kept as soon as there is a ledger, and as the configuration says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.core.stage import ALL_OFF, BOOT, ME, attached, roster
from tests.unit.controller.core.stage import settings as node_settings
from tests.unit.controller.core.test_bookkeeper import fan

from rackgrid.adapters.books import Books, chart_of, circle_of
from rackgrid.adapters.signer import Signer
from rackgrid.config import Config
from rackgrid.config_file import load_config
from rackgrid.core import board as boards
from rackgrid.core.bookkeeper import Chart
from rackgrid.core.node import Node
from rackgrid.core.roster import NO_ROSTER, Roster
from rackgrid.core.settings import SECOND_NS
from rackgrid_firmware.link import Telemetry

PROFILE = Path(__file__).parents[4] / "hardware/profiles/mock-demo.toml"
CONFIG = """
[rack]
name = "demo"
interface = "lo"
[feed]
capacity_w = 60
meter = "flexible"
reference_price = 0.31
[node]
name = "pi-1"
board = "{board}"
state_dir = "{state}"
[[source]]
name = "grid"
price = 0.3
[[source]]
name = "sun"
price = 0.0
meter = "panel"
"""


def config_of(folder: Path) -> Config:
    """The configuration of a node whose state is kept in a folder."""
    path = folder / "rackgrid.toml"
    path.write_text(CONFIG.format(board=PROFILE, state=folder / "state"))
    return load_config(path)


@pytest.fixture
def signer(tmp_path: Path) -> Iterator[Signer]:
    """A signer that has no key to sign with."""
    made = Signer(tmp_path / "nobody")
    yield made
    made.close()


def test_ledger_that_cannot_be_had_stops_nothing_and_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, signer: Signer
) -> None:
    """Fails if a disk that is full at a start leaves a node without a ledger until the next."""
    caplog.set_level("INFO")
    state = Node(node_settings(), ME, BOOT, 0).state
    books = Books(config_of(tmp_path), lambda: None, signer, bytes(32))

    def look(counter_mj: int, now_s: int) -> None:
        now_ns = now_s * SECOND_NS
        told = Telemetry(now_ns, (fan(counter_mj),), ALL_OFF)
        board = boards.told(boards.attached(attached()), told)
        state.agent = replace(state.agent, board=board)
        books.look(state, now_ns)

    for at_s in (30, 60, 90):
        look(at_s, at_s)
    assert books.totals() == {}
    said = [record.getMessage() for record in caplog.records]
    assert len([line for line in said if "nothing is booked until it can be opened" in line]) == 1
    (tmp_path / "state").mkdir()
    look(300, 149)
    look(400, 150)
    look(900, 151)
    assert books.totals()["fan"].energy_mj == 500
    assert "all is booked again" in caplog.text
    books.close()
    assert "the ledger is not signed: cannot read this node's private key" in caplog.text


def test_books_that_were_never_opened_close(tmp_path: Path, signer: Signer) -> None:
    books = Books(config_of(tmp_path), lambda: None, signer, bytes(32))
    books.close()
    assert not (tmp_path / "state").exists()


def test_chart_is_read_out_of_the_configuration(tmp_path: Path) -> None:
    assert chart_of(config_of(tmp_path)) == Chart(310_000, {}, "flexible", {"sun": "panel"})


def test_only_who_is_on_the_roster_of_a_rack_knows_who_has_left() -> None:
    """Fails if a node that was put out, or has no roster, takes everybody for gone."""

    def is_settled(known: Roster) -> bool:
        state = Node(node_settings(), ME, BOOT, 0, roster=known).state
        return circle_of(state, 0).is_settled

    there = roster(ME, 7)
    assert is_settled(there)
    assert circle_of(Node(node_settings(), ME, BOOT, 0, roster=there).state, 0).members == {7}
    assert not is_settled(NO_ROSTER)
    assert not is_settled(roster(ME, 7, founding=True))
    assert not is_settled(roster(7))
    assert not is_settled(there.with_expelled(ME))
