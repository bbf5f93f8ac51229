"""Sources of a real rack: a panel that its own meter sees, and a battery that trades.

Fails if watts that a source no longer gives stay given out, or if a battery counts what it has not.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.rack.recipe import BOARD
from tests.rack.rig import QUICK, Rig, RigNode, wait_until

pytestmark = pytest.mark.root

METERS = """
[[meter]]
name = "panel"
address = 0x41
shunt_ohms = 0.1
mock = {{ source_w = 20 }}

[[meter]]
name = "pack"
address = 0x44
shunt_ohms = 0.1
[meter.mock]
source = "battery"
capacity_ah = 2
give_w_max = 20
take_w_max = 20
charge = 1.0
source_w = 10
"""
GRID_W = 9.0
"""Enough for the floor of 6.5 W, and for neither load."""
SOURCES = f"""
[[source]]
name = "grid"
price = 0.25
power_w = {GRID_W:g}

[[source]]
name = "panel"
price = 0.01
meter = "panel"
export = true

[[source]]
name = "pack"
meter = "pack"
power_w = 20
[source.battery]
capacity_wh = 25
price_low = 0.10
price_high = 0.30
full_v = 13.4
empty_v = 11.0
"""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(1, rack=QUICK, board=BOARD + METERS) as made:
        config = made.node(1).config
        grid = '[[source]]\nname = "grid"\nprice = 0.25\n'
        text = config.read_text()
        assert grid in text
        config.write_text(text.replace(grid, "") + SOURCES)
        yield made


def drawn_w(rig: Rig) -> float:
    """What the whole rack truly draws."""
    return sum(each["watts"] for each in rig.control.draws()["nodes"].values())


def source(node: RigNode, name: str) -> dict[str, object]:
    return next((s for s in node.state().get("sources", ()) if s["name"] == name), {})


def test_panel_whose_light_goes_takes_the_loads_with_it_and_a_battery_brings_them_back(
    rig: Rig,
) -> None:
    node = rig.node(1)
    rig.start()
    rig.wait_for_broker()
    rig.wait_for_loads()
    assert source(node, "panel")["price"] == 0.01
    assert source(node, "pack")["power_w"] == 0, "it gives, so nobody sees that it is full"
    rig.control.set_source(node.name, "panel", 0.0)
    rig.wait_for_loads(on=False)
    wait_until(
        "the panel offers nothing, and the grid is enough",
        lambda: source(node, "panel").get("power_w") == 0 and drawn_w(rig) <= GRID_W,
    )
    rig.control.set_source(node.name, "pack", 0.0)
    wait_until("it is seen to be full", lambda: source(node, "pack").get("charge") == 1.0)
    rig.wait_for_loads()
    wait_until(
        "it gives what the grid does not",
        lambda: source(node, "pack").get("power_w") == 20 and drawn_w(rig) > GRID_W,
    )
    said = node.rackgrid("status")
    assert "pack" in said.stdout


def load(node: RigNode, name: str) -> dict[str, object]:
    return next((each for each in node.state().get("loads", ()) if each["name"] == name), {})


def test_battery_of_which_nothing_is_known_is_charged_until_it_is_seen_to_be_full(
    rig: Rig,
) -> None:
    node = rig.node(1)
    text, flexible = node.config.read_text(), 'kind = "flexible"\nworth = 0.50'
    assert flexible in text
    node.config.write_text(text.replace(flexible, 'kind = "charger"\nbattery = "pack"'))
    rig.start()
    rig.wait_for_broker()
    rig.wait_for_loads()
    lamp = load(node, "lamp")
    assert (lamp["kind"], lamp["worth"]) == ("charger", 0.255), "85 % of the highest price"
    rig.control.set_source(node.name, "pack", -5.0)

    def seen() -> tuple[object, object]:
        pack = source(node, "pack")
        return bool(pack.get("charge")), pack.get("power_w")

    wait_until("it is seen to be charged, and gives nothing", lambda: seen() == (True, 0))
    rig.control.set_source(node.name, "pack", 0.0)
    wait_until("it is seen to be full", lambda: source(node, "pack").get("charge") == 1.0)

    def is_idle() -> bool:
        lamp = load(node, "lamp")
        return (lamp.get("reason"), lamp.get("on")) == ("wants nothing now", False)

    wait_until("nobody charges it any more", is_idle)
    wait_until("it trades", lambda: source(node, "pack").get("power_w") == 20)
