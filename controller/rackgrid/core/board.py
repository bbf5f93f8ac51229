"""The node's own copper as the controller knows it: what the firmware last said.

The controller believes the firmware about pins and meters, and nothing else: a meter that is not
fresh counts its load at nameplate (never at its last value), an output counts as drawing until the
firmware says that it has opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rackgrid.market.load import floor_mw
from rackgrid_firmware.device import Quality, Reading
from rackgrid_firmware.link import Attached, OutputSpec, OutputState, Switched, Telemetry

SETTLE_NS = 200_000_000
"""How long after its inrush a load's meter still averages over the inrush, ns."""
READING_AGE_NS = 1_000_000_000
"""A reading older than this says nothing about now."""


@dataclass(frozen=True, slots=True)
class Board:
    """What the firmware said: its outputs, how they stand, and the newest readings by meter.

    Attributes:
        handled: the highest command that it has decided on.
    """

    name: str
    base_mw: int
    specs: Mapping[str, OutputSpec]
    outputs: Mapping[str, OutputState]
    readings: Mapping[str, Reading]
    handled: int = 0

    @property
    def floor_mw(self) -> int:
        """The worst case of the electronics and all required loads, mW."""
        required = [(s.nominal_mw, s.inrush_mw) for s in self.specs.values() if s.required]
        return floor_mw(self.base_mw, required)


def attached(message: Attached) -> Board:
    """Take over what the firmware holds at this moment."""
    return Board(
        name=message.board,
        base_mw=message.base_mw,
        specs={spec.name: spec for spec in message.specs},
        outputs={state.name: state for state in message.outputs},
        readings={},
    )


def told(board: Board, message: Telemetry | Switched) -> Board:
    """Take newer readings and output states."""
    if isinstance(message, Switched):
        outputs = {**board.outputs, message.state.name: message.state}
        return replace(board, outputs=outputs, handled=max(board.handled, message.handled))
    return replace(
        board,
        handled=max(board.handled, message.handled),
        outputs={state.name: state for state in message.outputs},
        readings={reading.meter: reading for reading in message.readings},
    )


def metered_mw(board: Board, output: str, now_ns: int) -> int | None:
    """Read an output's own meter, mW; None if it has none, or none that may be believed."""
    spec = board.specs[output]
    reading = board.readings.get(spec.meter)
    if reading is None or reading.quality is not Quality.FRESH:
        return None
    if now_ns - reading.t_ns > READING_AGE_NS:
        return None
    if sum(1 for other in board.specs.values() if other.meter == spec.meter) > 1:
        return None
    return max(0, round(reading.watts * 1000))


def is_settled(board: Board, output: str, now_ns: int) -> bool:
    """Whether an output's inrush, and its meter's view of it, is over."""
    state, spec = board.outputs[output], board.specs[output]
    return state.on and now_ns >= state.since_ns + spec.inrush_ns + SETTLE_NS


def reserve_mw(board: Board, output: str, now_ns: int) -> int:
    """The most that an output may draw now, mW: nothing when open, inrush while it starts."""
    state, spec = board.outputs[output], board.specs[output]
    if not state.on and state.deadline_ns == 0:
        return 0
    if not is_settled(board, output, now_ns):
        return spec.inrush_mw
    return max(spec.nominal_mw, metered_mw(board, output, now_ns) or 0)


def draw_mw(board: Board, output: str, now_ns: int) -> int:
    """What an output draws, mW: metered, or its nameplate while it is on and not metered."""
    metered = metered_mw(board, output, now_ns)
    if metered is not None:
        return metered
    return board.specs[output].nominal_mw if board.outputs[output].on else 0


def total_mw(board: Board, now_ns: int, *, required_only: bool) -> int:
    """What the node draws, electronics included, mW."""
    chosen = (s.name for s in board.specs.values() if s.required or not required_only)
    return board.base_mw + sum(draw_mw(board, name, now_ns) for name in chosen)


def flexible_mj(board: Board) -> int:
    """Energy that flexible loads received since the firmware started, mJ."""
    meters = {s.meter for s in board.specs.values() if not s.required and s.meter}
    return sum(r.energy_mj for name, r in board.readings.items() if name in meters)
