"""Fails if a person's word on an output does not reach the firmware."""

from __future__ import annotations

import pytest
from tests.unit.controller.core.stage import Player, pair, settings

from rackgrid.core.action import Action, Instruct, Noted
from rackgrid.core.event import FirmwareLost, OutputRequested, Tend
from rackgrid_firmware.link import Clear, Lock


def told(player: Player, load: str, what: Tend) -> list[Action]:
    return player.node.handle(OutputRequested(player.now_ns, load, what))


@pytest.mark.parametrize("what", list(Tend))
def test_word_on_a_load_goes_to_the_firmware_under_a_new_number(what: Tend) -> None:
    player = Player(settings(), remembered=pair(1))
    seq = player.node.state.agent.command_seq
    (sent,) = (a.command for a in told(player, "lamp", what) if isinstance(a, Instruct))
    if what is Tend.CLEAR:
        assert sent == Clear(seq + 1, "lamp")
    else:
        assert sent == Lock(seq + 1, "lamp", what is Tend.LOCK)
    assert player.node.state.agent.command_seq == seq + 1


def test_word_on_what_is_not_there_is_noted() -> None:
    player = Player(settings(), remembered=pair(1))
    (said,) = (a.text for a in told(player, "oven", Tend.LOCK) if isinstance(a, Noted))
    assert said == "load oven: cannot lock it: this node has no such load"
    player.node.handle(FirmwareLost(player.now_ns))
    (said,) = (a.text for a in told(player, "lamp", Tend.CLEAR) if isinstance(a, Noted))
    assert said.endswith("its firmware does not answer")
