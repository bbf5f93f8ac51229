"""What a node makes of a firmware that does not fit it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.controller.core import stage
from tests.unit.controller.core.stage import Player, attached

from rackgrid.core import board as boards
from rackgrid.core.action import Noted
from rackgrid.core.board import SETTLE_NS
from rackgrid.core.event import FirmwareReported
from rackgrid.core.node import Node
from rackgrid.core.settings import MS_NS, LoadSettings, Timing
from rackgrid_firmware.link import Telemetry
from rackgrid_firmware.output import SHED_NS


def notes(player: Player) -> str:
    return " ".join(action.text for action in player.said if isinstance(action, Noted))


@pytest.mark.parametrize("shed_ns", [0, SHED_NS, Timing().shed_ns_max])
def test_firmware_that_opens_in_time_is_taken(shed_ns: int) -> None:
    player = Player(stage.settings(), with_firmware=False)
    player.hears_firmware(replace(attached(), shed_ns=shed_ns))
    assert player.node.state.agent.board is not None


def test_firmware_that_opens_later_than_is_counted_is_as_none() -> None:
    """Fails if a node takes grants whose end its firmware keeps later than brokers count with."""
    player = Player(stage.settings(), with_firmware=False)
    player.hears_firmware(replace(attached(), shed_ns=200 * MS_NS))
    assert player.node.state.agent.board is None
    assert "bench may open an output 200 ms after its deadline" in notes(player)
    assert "counts with 90.4" in notes(player)


def test_firmware_that_comes_back_slower_is_as_lost() -> None:
    player = Player(stage.settings())
    assert player.node.state.agent.board is not None
    player.hears_firmware(replace(attached(), shed_ns=Timing().shed_ns_max + 1))
    assert player.node.state.agent.board is None


def test_rack_without_any_margin_takes_a_firmware_that_opens_at_once() -> None:
    player = Player(stage.settings(timing=Timing(margin_ns=0)), with_firmware=False)
    player.hears_firmware(replace(attached(), shed_ns=0))
    assert player.node.state.agent.board is not None


def test_board_that_disagrees_with_the_configuration_is_noted() -> None:
    loads = (LoadSettings("fan", "fan", 1), LoadSettings("heater", "heatr", 1))
    said = notes(Player(stage.settings(loads=loads)))
    assert "load heater: board bench has no output 'heatr' (it has fan, lamp, pump)" in said
    assert "load fan: the board profile and the configuration disagree" in said


def test_plug_that_counts_as_floor_is_said_to_be_unproven_and_no_disagreement() -> None:
    """Fails if the operator of a plug that is out of reach is sent to the board profile."""
    loads = (LoadSettings("oven", "fan", 1, is_beyond_board=True),)
    said = notes(Player(stage.settings(loads=loads)))
    assert "load oven is not switched, and its watts count as floor, until it answers" in said
    assert "disagree" not in said


def draws_nine_watts(player: Player) -> None:
    """Let the lamp, of 6 W, take 9 for two seconds."""
    for at in range(1, 12):
        now_ns = player.now_ns + SETTLE_NS + at * 200 * MS_NS
        lamp = stage.output("lamp", on=True, since_ns=player.now_ns - 50 * MS_NS)
        seen = (stage.reading("m-lamp", 9.0, now_ns),)
        player.hears_firmware(Telemetry(now_ns, seen, (lamp,), 0))


def test_load_that_proves_to_take_more_is_named_once() -> None:
    player = Player(stage.settings())
    draws_nine_watts(player)
    said = "load lamp takes 9.0 W and its nameplate says 6.0 W"
    assert notes(player).count(said) == 1


def test_what_was_learned_outlives_the_firmware_and_the_process() -> None:
    """Fails if a load that lies starts clean each time that a link or a process comes anew."""
    player = Player(stage.settings())
    draws_nine_watts(player)
    proofs = player.node.state.agent.proofs
    assert {name: each.learned_mw for name, each in proofs.items()} == {"lamp": 9000}
    player.hears_firmware(attached())
    assert learned(player.node) == {"lamp": 9000}
    again = Node(stage.settings(), stage.ME, stage.BOOT, player.now_ns, proofs=proofs)
    again.handle(FirmwareReported(player.now_ns, attached()))
    assert learned(again) == {"lamp": 9000}
    agent = again.state.agent
    assert agent.board is not None
    assert boards.inrush_mw(agent.board, "lamp") == 9000, "its next start takes nobody's watts"
    until_ns = proofs["lamp"].until_ns
    again.handle(FirmwareReported(until_ns, Telemetry(until_ns, (), (), 0)))
    assert (learned(again), dict(again.state.agent.proofs)) == ({}, {})


def learned(node: Node) -> dict[str, int]:
    board = node.state.agent.board
    assert board is not None
    return dict(board.plates.learned)
