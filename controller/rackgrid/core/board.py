"""The node's own copper as the controller knows it: what the firmware last said.

The controller believes the firmware about pins and meters, and nothing else: a meter that is not
fresh counts its load at nameplate (never at its last value), an output counts as drawing until the
firmware says that it has opened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rackgrid.core import nameplate
from rackgrid.core.nameplate import UNTOUCHED, Nameplates
from rackgrid.market.load import floor_mw
from rackgrid.value import replace
from rackgrid_firmware.device import LEVEL_FULL, UNAVAILABLE, Accuracy, Quality, Reading, Verdict
from rackgrid_firmware.link import Attached, OutputSpec, OutputState, Switched, Telemetry

SETTLE_NS = 200_000_000
"""How long after its inrush a load's meter still averages over the inrush, ns."""
METERED_MAX_MW = 100_000_000
"""No reading counts with more, mW: two dozen such loads still fit a field of the wire."""
ENERGY_MAX_MJ = (1 << 64) - 1
LOCKED = "locked out"
"""Begins what is said of each output that is locked out."""
NO_LOAD = "it draws nothing though it was switched on: unplugged, burnt out, or idle"
_FAULTY = frozenset({Verdict.WELDED, Verdict.STUCK_OPEN})
EXCESS_MIN_MW = 100
"""Below it an excess is a meter's error."""
EXCESS_STEP_MW = 250
"""An excess counts in such steps, so that its noise clears no market."""
READING_AGE_NS = 1_000_000_000
"""A reading older than this says nothing about now."""


@dataclass(frozen=True, slots=True)
class Metered:
    """What an output draws by its own meter, mW, and when that was read."""

    power_mw: int
    t_ns: int


@dataclass(frozen=True, slots=True)
class Board:
    """What the firmware said: its outputs, how they stand, and the newest readings by meter.

    Attributes:
        floor_mw: the worst case of the electronics and all required loads, mW.
        flexible: names of the outputs that only a grant may keep on.
        own_meter: output → the meter that sees it and no other output.
        metered: output → what its own meter showed when it was last read, if it may be believed.
        plates: which flexible outputs take more than their nameplates say.
        handled: the highest command that it has decided on.
        excess_mw: what is drawn beyond floor and holdings, mW, as of the last word (`told`).
        hold_max_ns: no output may be held for longer than this.
        accuracy: how far each meter may be believed, where that is known; only shown.
    """

    name: str
    base_mw: int
    specs: Mapping[str, OutputSpec]
    floor_mw: int
    flexible: tuple[str, ...]
    own_meter: Mapping[str, str]
    outputs: Mapping[str, OutputState]
    readings: Mapping[str, Reading]
    handled: int = 0
    excess_mw: int = 0
    hold_max_ns: int = 0
    accuracy: Mapping[str, Accuracy] = field(default_factory=dict[str, Accuracy])
    metered: Mapping[str, Metered] = field(default_factory=dict[str, Metered])
    plates: Nameplates = UNTOUCHED


def attached(message: Attached) -> Board:
    """Take over what the firmware holds at this moment."""
    specs = {spec.name: spec for spec in message.specs}
    required = [(s.nominal_mw, s.inrush_mw) for s in specs.values() if s.required]
    seen = Counter(spec.meter for spec in specs.values())
    return Board(
        name=message.board,
        base_mw=message.base_mw,
        specs=specs,
        floor_mw=floor_mw(message.base_mw, required),
        flexible=tuple(spec.name for spec in specs.values() if not spec.required),
        own_meter={s.name: s.meter for s in specs.values() if s.meter and seen[s.meter] == 1},
        outputs=_known(specs, message.outputs),
        readings={},
        hold_max_ns=message.hold_max_ns,
        accuracy={meter.name: meter.accuracy for meter in message.meters},
    )


def nominals_mw(board: Board) -> dict[str, int]:
    """Say the nameplates of the outputs that can be learned: flexible, and with an own meter."""
    flexible = (name for name in board.own_meter if not board.specs[name].required)
    return {name: board.specs[name].nominal_mw for name in flexible}


def told(board: Board, message: Telemetry | Switched) -> Board:
    """Take newer readings and output states."""
    handled = max(board.handled, message.handled)
    if isinstance(message, Switched):
        outputs = {**board.outputs, **_known(board.specs, (message.state,))}
        return replace(board, outputs=outputs, handled=handled)
    board = replace(
        read(board, {reading.meter: reading for reading in message.readings}),
        handled=handled,
        outputs={**board.outputs, **_known(board.specs, message.outputs)},
    )
    plates = _learned(board, message.t_ns)
    board = board if plates is board.plates else replace(board, plates=plates)
    excess_mw = _excess_mw(board, message.t_ns)
    return board if excess_mw == board.excess_mw else replace(board, excess_mw=excess_mw)


def read(board: Board, readings: Mapping[str, Reading]) -> Board:
    """Take newer readings, by meter: they are put into mW once, and judged by many times."""
    metered: dict[str, Metered] = {}
    for output, meter in board.own_meter.items():
        reading = readings.get(meter)
        if reading is not None and reading.quality is Quality.FRESH:
            power_mw = round(max(0.0, min(reading.watts * 1000, METERED_MAX_MW)))
            metered[output] = Metered(power_mw, reading.t_ns)
    return replace(board, readings=readings, metered=metered)


def metered_mw(board: Board, output: str, now_ns: int) -> int | None:
    """Read an output's own meter, mW; None if it has none, or none that may be believed."""
    metered = board.metered.get(output)
    if metered is None or now_ns - metered.t_ns > READING_AGE_NS:
        return None
    return metered.power_mw


def nominal_mw(board: Board, output: str) -> int:
    """What an output takes once it runs, mW: its nameplate, or what it has proved to take."""
    return max(board.specs[output].nominal_mw, board.plates.learned.get(output, 0))


def inrush_mw(board: Board, output: str) -> int:
    """The most that an output takes while it starts, mW."""
    return max(board.specs[output].inrush_mw, board.plates.learned.get(output, 0))


def is_barred(state: OutputState) -> bool:
    """Whether no command brings an output on: no pin, a latched fault, or a lockout."""
    return state.cause == UNAVAILABLE or bool(state.fault) or state.is_locked


def fault_of(state: OutputState) -> str:
    """Say what bars an output, or what its meter says against its contact; "" if nothing does."""
    if state.is_locked:
        # Whose hands are in it must know that nobody has seen it go off.
        return LOCKED if state.cause != UNAVAILABLE else f"{LOCKED}, and {UNAVAILABLE}"
    if state.fault or state.cause == UNAVAILABLE:
        return state.fault or UNAVAILABLE
    return state.verdict.value if state.verdict in _FAULTY else ""


def notice_of(state: OutputState) -> str:
    """Say what somebody should look at though it bars nothing; "" if there is nothing."""
    return NO_LOAD if state.verdict is Verdict.NO_LOAD else ""


def life_of(spec: OutputSpec, state: OutputState) -> float | None:
    """Say how much of its contact's life is used, 0 to 1 and beyond; None if nobody knows."""
    return state.switches / spec.contact_life if spec.contact_life else None


def is_settled(board: Board, output: str, now_ns: int) -> bool:
    """Whether an output's inrush, and its meter's view of it, is over."""
    return _is_settled(board.outputs.get(output), board.specs[output], now_ns)


def reserve_mw(board: Board, output: str, now_ns: int) -> int:
    """The most that an output may draw now, mW: nothing when open, inrush while it starts.

    One that is dimmed counts with all of it: each of its pulses takes that, and a firmware that
    hangs may leave its pin at the level that gives power until its watchdog ends it.
    """
    state, spec = board.outputs.get(output), board.specs[output]
    if state is not None and not state.on and state.deadline_ns == 0:
        return 0  # a contact that draws all the same is no holding but floor: `excess_mw`
    if not _is_settled(state, spec, now_ns):
        return inrush_mw(board, output)
    return max(nominal_mw(board, output), metered_mw(board, output, now_ns) or 0)


def draw_mw(board: Board, output: str, now_ns: int) -> int:
    """What an output draws, mW: metered, or its nameplate while it may be on and is not metered."""
    metered = metered_mw(board, output, now_ns)
    if metered is not None:
        return metered
    state = board.outputs.get(output)
    return nominal_mw(board, output) if state is None or state.on else 0


def total_mw(board: Board, now_ns: int, *, required_only: bool) -> int:
    """What the node draws, electronics included, mW."""
    return totals_mw(board, now_ns)[1 if required_only else 0]


def totals_mw(board: Board, now_ns: int) -> tuple[int, int]:
    """What the node draws, electronics included, and the required part of it, mW."""
    total_mw = required_mw = board.base_mw
    for name, spec in board.specs.items():
        drawn_mw = draw_mw(board, name, now_ns)
        total_mw += drawn_mw
        if spec.required:
            required_mw += drawn_mw
    return total_mw, required_mw


def flexible_mj(board: Board) -> int:
    """Energy that flexible loads received since the firmware started, mJ."""
    meters = {board.specs[name].meter for name in board.flexible}
    energy_mj = sum(r.energy_mj for name, r in board.readings.items() if name in meters)
    return max(0, min(energy_mj, ENERGY_MAX_MJ))


def _is_settled(state: OutputState | None, spec: OutputSpec, now_ns: int) -> bool:
    if state is None or not state.on:
        return False
    if spec.min_level != LEVEL_FULL:
        return False  # a higher level may begin an inrush at any moment, and is no switch to see
    return now_ns >= state.since_ns + spec.inrush_ns + SETTLE_NS


def _learned(board: Board, now_ns: int) -> Nameplates:
    """Compare what flexible outputs take with what they should."""
    plates = board.plates
    for name, nominal in nominals_mw(board).items():
        settled_mw = metered_mw(board, name, now_ns) if is_settled(board, name, now_ns) else None
        plates = nameplate.seen(plates, name, nominal, settled_mw, now_ns)
    return plates


def _known(
    specs: Mapping[str, OutputSpec], states: Iterable[OutputState]
) -> dict[str, OutputState]:
    """States of the outputs that the board has; of anything else nothing can be said."""
    return {state.name: state for state in states if state.name in specs}


def _excess_mw(board: Board, now_ns: int) -> int:
    """What is drawn beyond floor and holdings, mW, rounded up: it counts as floor at once (P8).

    Required loads that take more than they said, and contacts that draw though they are open. What
    a switched-on flexible load takes too much is part of the holding, since its grant ends it.
    """
    required_mw, stuck_mw = board.base_mw, 0
    for name, spec in board.specs.items():
        state, metered = board.outputs.get(name), metered_mw(board, name, now_ns)
        if spec.required:
            required_mw += spec.nominal_mw if metered is None else metered
        elif state is not None and not state.on:
            if state.verdict is Verdict.WELDED:
                stuck_mw += max(spec.nominal_mw, metered or 0)
            elif metered is not None and _is_read_after(board, name, state.since_ns + SETTLE_NS):
                stuck_mw += metered
    raw_mw = max(0, required_mw - board.floor_mw) + stuck_mw
    return 0 if raw_mw <= EXCESS_MIN_MW else -(-raw_mw // EXCESS_STEP_MW) * EXCESS_STEP_MW


def _is_read_after(board: Board, output: str, when_ns: int) -> bool:
    """Whether an output's meter has been read since: before, it may show what has ended."""
    return board.readings[board.own_meter[output]].t_ns >= when_ns
