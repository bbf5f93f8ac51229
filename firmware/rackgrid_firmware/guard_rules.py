"""The guard's nouns: what the board profile demands of each output, and how each one stands.

Values only; `guard` moves them, `interlock` says when a start may happen. Everything beyond dwell
and stagger is off unless the profile asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid_firmware.device import LEVEL_FULL
from rackgrid_firmware.link import FAULT_MAX

DAY_NS = 86_400_000_000_000
NEVER_NS = 1 << 62
"""A moment that does not come: of a start that waits for something else than time."""
LOCKED = "locked out for maintenance"
"""Why a locked output is refused."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the board profile demands of one output.

    Attributes:
        required: always on; holds and releases of it are refused.
        min_on_ns, min_off_ns: dwell, ns.
        hold_ns: a start must have been asked for this long before it happens, ns.
        switches_per_day: starts in a day, on average; 0 for as many as one likes.
        not_with: the outputs that may not be on together with this one.
        dead_ns: this one must have been off for so long before one of those starts, ns.
        is_safe_on: whether a required output stays on when all is made safe; a flexible one never
            does.
        unlockable: why it cannot be locked out; "" if it can.
        min_level: the least power that it can be given while on, in thousandths; `LEVEL_FULL` if it
            does not modulate.
        calm_until_ns: it does not start before this moment, ns; 0 for none.
    """

    name: str
    required: bool
    min_on_ns: int
    min_off_ns: int
    hold_ns: int = 0
    switches_per_day: int = 0
    not_with: tuple[str, ...] = ()
    dead_ns: int = 0
    is_safe_on: bool = True
    unlockable: str = ""
    min_level: int = LEVEL_FULL
    calm_until_ns: int = 0

    def __post_init__(self) -> None:
        assert self.min_on_ns >= 0, f"{self.name}: min_on_ns {self.min_on_ns}"
        assert self.min_off_ns >= 0, f"{self.name}: min_off_ns {self.min_off_ns}"
        assert self.hold_ns >= 0, f"{self.name}: hold_ns {self.hold_ns}"
        assert self.dead_ns >= 0, f"{self.name}: dead_ns {self.dead_ns}"
        assert 0 <= self.switches_per_day <= DAY_NS, f"{self.name}: {self.switches_per_day} a day"
        assert 0 < self.min_level <= LEVEL_FULL, f"{self.name}: min_level {self.min_level}"
        assert not (self.required and self.not_with), f"{self.name}: required, and not with others"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the board profile demands of a node.

    Attributes:
        hold_max_ns: no deadline may lie further ahead than this, ns.
        stagger_ns: between two starts, ns; 0 switches it off.
        calm_until_ns: no flexible output starts before this moment, ns; 0 for none.
    """

    outputs: tuple[Rule, ...]
    hold_max_ns: int
    stagger_ns: int
    calm_until_ns: int = 0

    def __post_init__(self) -> None:
        assert self.hold_max_ns > 0, f"hold_max_ns {self.hold_max_ns}"
        assert self.stagger_ns >= 0, f"stagger_ns {self.stagger_ns}"
        rules = {rule.name: rule for rule in self.outputs}
        assert len(rules) == len(self.outputs), "output named twice"
        for rule in self.outputs:
            for other in rule.not_with:
                assert rule.name in rules[other].not_with, f"{rule.name}, {other}: not both ways"

    def index(self, name: str) -> int | None:
        """Find an output's place in the order of the rules."""
        for at, rule in enumerate(self.outputs):
            if rule.name == name:
                return at
        return None


@dataclass(frozen=True, slots=True)
class OutputGuard:
    """How one output stands.

    Attributes:
        since_ns: when it last changed, ns.
        deadline_ns: when it goes off by itself; 0 while it is off, and for a required output.
        pending_ns: deadline of a start that waits for its turn; 0 if none waits, `NEVER_NS` for a
            required output.
        cause: why it is as it is, as in `link.OutputState`.
        asked_ns: since when a start has been asked for without a break; 0 if none waits.
        fault: what took it off, latched until it is cleared on purpose; "" if nothing did.
        is_welded: whether that fault is a contact which gives power though its pin says no.
        is_locked: whether it is locked out for maintenance.
        switches: how often it has closed in its life.
        full_ns: when its budget of starts will be full again, if it does not start before.
        level: the power that it is given while on, in thousandths of full power.
    """

    on: bool
    since_ns: int
    deadline_ns: int
    pending_ns: int
    cause: str
    asked_ns: int = 0
    fault: str = ""
    is_welded: bool = False
    is_locked: bool = False
    switches: int = 0
    full_ns: int = 0
    level: int = LEVEL_FULL

    def __post_init__(self) -> None:
        assert len(self.fault) <= FAULT_MAX, f"a fault of {len(self.fault)} characters"

    @property
    def barred(self) -> str:
        """Why it may not be on at all; "" if it may."""
        return LOCKED if self.is_locked else self.fault


@dataclass(frozen=True, slots=True)
class GuardState:
    """How a node's outputs stand.

    Attributes:
        outputs: in the order of the rules.
        last_start_ns: when an output was last switched on, ns.
        queue: places of the outputs whose start waits, first come first.
    """

    outputs: tuple[OutputGuard, ...]
    last_start_ns: int
    queue: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of an output across restarts and reboots.

    Attributes:
        fault, is_welded, is_locked, switches: as in `OutputGuard`.
        full_ns: the same, on the clock of this kernel boot.
    """

    fault: str = ""
    is_welded: bool = False
    is_locked: bool = False
    switches: int = 0
    full_ns: int = 0
