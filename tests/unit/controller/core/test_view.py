"""What people and programs see is plain: frozen, and made of what JSON knows."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass

from tests.unit.controller.core.stage import Player, settings

from rackgrid.core import picture, view
from rackgrid.core.settings import SECOND_NS


def test_view_of_a_running_node_is_plain_json() -> None:
    player = Player(settings(expect=1))
    player.passes(4 * SECOND_NS)
    seen = picture.view(player.node.state, "bench", "EUR", {"BAD_MAC": 2}, player.now_ns)
    plain = json.loads(json.dumps(asdict(seen), allow_nan=False))
    assert plain["role"] == "broker"
    assert plain["rejected"] == {"BAD_MAC": 2}
    assert [load["name"] for load in plain["loads"]] == ["fan", "lamp", "pump"]


def test_view_power_is_in_watts_and_says_so() -> None:
    """Inside, power is in mW; this is an edge, and a field in mW here would be off by 1,000."""
    kinds = [k for k in vars(view).values() if isinstance(k, type) and is_dataclass(k)]
    names = {field.name for kind in kinds for field in fields(kind)}
    assert not {name for name in names if name.endswith(("_mw", "_uc", "_ns"))}
