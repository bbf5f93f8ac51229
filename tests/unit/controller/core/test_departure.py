"""A node leaves: loads off, then its word until the roster is without it; or it just stops."""

from __future__ import annotations

from tests.unit.controller.core.stage import START_NS, Player

from rackgrid.core import departure
from rackgrid.core.action import Left, Noted


def test_stop_ends_at_once_and_says_so() -> None:
    player = Player()
    departure.stop(player.node.state, START_NS, restarts=True)
    assert player.node.state.ended
    assert isinstance(player.node.state.out[-1], Left)


def test_leave_off_the_roster_ends_as_soon_as_the_loads_are_off() -> None:
    node = Player().node.state
    departure.begin(node, START_NS)
    assert node.agent.leaving
    departure.proceed(node, START_NS)
    assert node.ended
    assert not any(isinstance(action, Noted) for action in node.out)


def test_leave_without_firmware_waits_for_its_patience() -> None:
    node = Player(with_firmware=False).node.state
    departure.begin(node, START_NS)
    departure.proceed(node, START_NS)
    assert not node.ended, "what is not known to be off may be on"
    departure.proceed(node, START_NS + departure.LEAVE_PATIENCE_NS)
    assert node.ended
