"""What stands behind a mock board's pins and chips, as it travels to the plant.

The plant has to know a node before its firmware touches a pin, so the firmware introduces itself
with this when it connects. A node that the plant knows keeps its state: a firmware that was killed
and comes back finds its board as it left it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_mock import (
    PLAIN_LOAD,
    STEADY_SOURCE,
    STURDY_BOARD,
    BoardMock,
    ContactMock,
    LoadMock,
    SourceMock,
)


@dataclass(frozen=True, slots=True)
class LoadWiring:
    """A load behind a relay.

    Attributes:
        name: of the output.
        gpio: BCM number; active_high: whether a high pin closes the contact.
        required: counted as required power in the trace.
        nominal_w: the most that it draws once running, W.
        inrush_w, inrush_s: what it draws while starting, and for how long.
        draw_w: mean draw once running, W; noise: the fraction by which it wanders.
        meter: the meter that sees it, or "".
        load: how it draws, and the contact before it.
    """

    name: str
    gpio: int
    active_high: bool
    required: bool
    nominal_w: float
    inrush_w: float
    inrush_s: float
    draw_w: float
    noise: float
    meter: str
    load: LoadMock = PLAIN_LOAD


@dataclass(frozen=True, slots=True)
class ChipWiring:
    """A meter chip, and the source behind it if there is one.

    A chip without a source that no load names sits in the node's own supply line and sees all that
    the node draws. An INA3221 has three channels, each a wiring of its own at the same address.

    Attributes:
        source_w: what a steady source gives, W; source: what kind of source it is.
        pace: how long its conversions take, by the typical time; 0 to have it drawn.
    """

    name: str
    bus: int
    address: int
    shunt_ohms: float
    source_w: float
    driver: str = "ina219"
    channel: int = 1
    source: SourceMock = STEADY_SOURCE
    pace: float = 0.0

    @property
    def has_source(self) -> bool:
        """Whether a source stands behind it."""
        return self.source_w != 0.0 or self.source.kind != "steady"


@dataclass(frozen=True, slots=True)
class NodeWiring:
    """A node: its electronics (W), its loads, its chips, and what low voltage does to it."""

    node: str
    base_w: float
    loads: tuple[LoadWiring, ...]
    chips: tuple[ChipWiring, ...]
    mock: BoardMock = STURDY_BOARD


def wiring(node: str, profile: Profile) -> NodeWiring:
    """Read the wiring off a mock board's profile."""
    return NodeWiring(
        node=node,
        base_w=profile.base_w,
        loads=tuple(
            LoadWiring(
                name=output.name,
                gpio=output.gpio,
                active_high=output.is_high_on,
                required=output.required,
                nominal_w=output.nominal_w,
                inrush_w=output.inrush_w,
                inrush_s=output.inrush_s,
                draw_w=output.mock.draw_w,
                noise=output.mock.noise,
                meter=output.meter,
                load=output.mock.load,
            )
            for output in profile.outputs
        ),
        chips=tuple(
            ChipWiring(
                name=meter.name,
                bus=meter.bus,
                address=meter.address,
                shunt_ohms=meter.shunt_ohms,
                source_w=meter.mock.source_w,
                driver=meter.driver,
                channel=meter.channel,
                source=meter.mock.source,
            )
            for meter in profile.meters
        ),
        mock=profile.mock,
    )


def to_json(node: NodeWiring) -> dict[str, Any]:
    """Make it fit for a JSON packet."""
    return asdict(node)


def from_json(given: Mapping[str, Any]) -> NodeWiring:
    """Read it from a JSON packet.

    Raises:
        ValueError: a key is missing, unknown or of the wrong kind.
    """
    try:
        loads = cast("list[dict[str, Any]]", given["loads"])
        chips = cast("list[dict[str, Any]]", given["chips"])
        return NodeWiring(
            node=str(given["node"]),
            base_w=float(given["base_w"]),
            loads=tuple(map(_load, loads)),
            chips=tuple(map(_chip, chips)),
            mock=BoardMock(**given.get("mock", {})),
        )
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not a node's wiring: {fault}") from fault


def _load(given: Mapping[str, Any]) -> LoadWiring:
    rest = dict(given)
    load = dict(rest.pop("load", {}))
    contact = ContactMock(**load.pop("contact", {}))
    return LoadWiring(**rest, load=LoadMock(**load, contact=contact))


def _chip(given: Mapping[str, Any]) -> ChipWiring:
    rest = dict(given)
    return ChipWiring(source=SourceMock(**rest.pop("source", {})), **rest)
