"""The words for what a node asks for.

Their law of order (`ReserveTerms` and `Remember` stand before whatever relies on them) is checked
on every batch of a node that is told anything by anybody, in `test_node`.
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, is_dataclass
from typing import get_args

import pytest
from tests.unit.controller.core.stage import ME, Player, settings

from rackgrid.core import action
from rackgrid.core.action import Action, Noted


def test_action_every_kind_of_the_module_is_in_the_union() -> None:
    """Fails if an action is added that no driver is made to carry out."""
    kinds = {
        kind
        for kind in vars(action).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == action.__name__
    }
    assert kinds == set(get_args(Action))


def test_action_is_frozen() -> None:
    noted = Noted("said")
    with pytest.raises(FrozenInstanceError):
        noted.text = "unsaid"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_action_same_events_give_the_same_batches_to_the_byte() -> None:
    def story() -> list[Action]:
        player = Player(settings(expect=1))
        player.passes(3_000_000_000)
        return player.said

    assert repr(story()) == repr(story())
    assert str(ME) in repr(story())
