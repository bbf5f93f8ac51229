"""How the rack looks from one node: what the API, the bridge and the terminal show.

Floats in W and currency: this is an edge (integers stay inside).
"""

from __future__ import annotations

from dataclasses import dataclass

WORN_PERCENT = 80.0
"""A contact beyond this part of its life is to be replaced at leisure, %."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """This node."""

    id: str
    name: str
    priority: int


@dataclass(frozen=True, slots=True)
class RosterView:
    """One admitted node.

    Attributes:
        floor_max_w: what it may raise its floor to without an operator's word.
        meters_feed: whether a meter of it sees the whole feed.
        absent: whether it is not heard now; never so of this node itself.
        expelled: whether an operator has put it out; its floor is reserved until it is off.
        pledged_w: what it goes on holding while it restarts; 0 if it does not.
    """

    id: str
    name: str
    priority: int
    floor_w: float
    votes: int
    meters_feed: bool
    absent: bool
    pledged_w: float = 0.0
    floor_max_w: float = 0.0
    expelled: bool = False


@dataclass(frozen=True, slots=True)
class MemberView:
    """One node that is heard now (itself included).

    Attributes:
        excess_w: what it draws beyond its floor and its holdings; None where this node cannot know:
            each knows its own, and the broker all that have reported to it.
        share: what it took of what it was granted, at worst, less what it has made good since; 1.0
            of an honest one; None where this node is not the broker and cannot know.
        flagged: whether its bids count with that share.
    """

    id: str
    name: str
    role: str
    priority: int
    draw_w: float
    floor_w: float
    heard_ms: int
    api_port: int
    excess_w: float | None
    share: float | None = None
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class PriceView:
    """The price in force; `value` is None while it is unknown, never the last one."""

    value: float | None
    currency: str
    term: int
    round: int
    valid_for_s: float
    scarce: bool


@dataclass(frozen=True, slots=True)
class FeedView:
    """The feed as the broker last announced it.

    Attributes:
        capacity_w, floors_w: by this node's own settings and roster while nobody has announced it.
        drawn_w, granted_w: by all nodes; None while the broker that is followed has not said it.
        limit_w: an operator's, or None.
    """

    capacity_w: float
    drawn_w: float | None
    granted_w: float | None
    floors_w: float
    limit_w: float | None = None


@dataclass(frozen=True, slots=True)
class LoadView:
    """One load of any node.

    The last four are of this node's own loads: a beacon does not carry them.

    Attributes:
        level: how much of its full power a load that modulates is given, 0 to 1; None while it is
            off, and of any other kind.
        verdict: what its meter made of the last switches, as a word of `device.Verdict`; None of
            another node's load.
        notice: what somebody should look at though it bars nothing, or None.
        switches: how often its contact has closed in its life; None of another node's load.
        life_percent: how much of its contact's life that is, %; None if nobody knows.
    """

    name: str
    node: str
    kind: str
    on: bool
    watts: float
    worth: float | None
    grant_w: float
    reason: str
    fault: str | None
    level: float | None = None
    verdict: str | None = None
    notice: str | None = None
    switches: int | None = None
    life_percent: float | None = None


@dataclass(frozen=True, slots=True)
class SourceView:
    """What a node says of a source: each knows its own, and the broker all that were reported.

    Attributes:
        charge: how full a battery is at least, 0 to 1; None of anything else, and of what another
            node meters.
    """

    name: str
    node: str
    price: float
    power_w: float
    charge: float | None = None


@dataclass(frozen=True, slots=True)
class MeterView:
    """One meter of this node.

    Attributes:
        energy_j: in all, J; never falls. None until what was counted before is known.
        uncertainty_a, uncertainty_w: the truth is within ± this of `amps` and `watts` (k = 2, some
            95 %); None where nobody knows, or the meter is at its end stop.
        accuracy_percent: `uncertainty_w` as a part of `watts`, %; None also where there are none.
        calibrated: the day of its calibration; "" if it goes by its datasheet.
    """

    name: str
    volts: float
    amps: float
    watts: float
    energy_j: float | None
    quality: str
    uncertainty_a: float | None = None
    uncertainty_w: float | None = None
    accuracy_percent: float | None = None
    calibrated: str = ""


@dataclass(frozen=True, slots=True)
class SuspectView:
    """A sender with which something is wrong, though it has the rack's key.

    Attributes:
        fault: "cloned" or "throttled".
        detail: in words, and what to do.
    """

    id: str
    fault: str
    detail: str


@dataclass(frozen=True, slots=True)
class SupplyFlags:
    """What ails a Pi's own supply; None where that was not asked for.

    Attributes:
        under_voltage: less than 4.63 V.
        capped, throttled: its clock is limited, or lowered.
        hot: at its soft limit of temperature.
    """

    under_voltage: bool
    capped: bool | None
    throttled: bool | None
    hot: bool | None


@dataclass(frozen=True, slots=True)
class SupplyView:
    """The supply of this node's own Pi, now and since it was switched on (None if not known)."""

    now: SupplyFlags
    since_boot: SupplyFlags | None


@dataclass(frozen=True, slots=True)
class ClockView:
    """This node's time of day, and whether anybody vouches for it."""

    unix_ms: int
    vouched: bool


@dataclass(frozen=True, slots=True)
class View:
    """The rack from one node, at one moment."""

    rack: str
    node: NodeView
    role: str
    term: int
    broker: str
    """Name of the followed broker, or its id where the name is not known, or ""."""
    broker_id: str
    authority: bool
    rack_id: str
    """The rack's identity, or "" while this node has no roster."""
    roster_version: int
    roster: tuple[RosterView, ...]
    members: tuple[MemberView, ...]
    price: PriceView
    feed: FeedView
    loads: tuple[LoadView, ...]
    meters: tuple[MeterView, ...]
    firmware: bool
    rejected: dict[str, int]
    """Datagrams dropped, by reason."""
    sources: tuple[SourceView, ...] = ()
    suspects: tuple[SuspectView, ...] = ()
    supply: SupplyView | None = None
    """None on a machine that does not say."""
    clock: ClockView | None = None
