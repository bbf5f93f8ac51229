"""What a board profile says about the mock world: its loads, contacts, sources, and the board.

Every value has a default that adds nothing: a constant power behind a perfect contact, a steady
source, a board that lives at any voltage. A real board ignores all of it. The physics stands in
`mock`, where each value is used; the keys, with their bounds, in `profile_mock_table`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactMock:
    """How a mock contact moves and fails (`mock.contact`).

    Attributes:
        operate_s, release_s: from the pin to the contact, closing and opening, s.
        bounces: how often it opens again at each closing; bounce_s: within which time, s.
        weld_chance: that a closing welds it, 0 to 1; each bounce closes once more.
        life: closings after which 63 % of such contacts have failed; 0: it does not wear.
    """

    operate_s: float = 0.0
    release_s: float = 0.0
    bounces: int = 0
    bounce_s: float = 0.0
    weld_chance: float = 0.0
    life: int = 0


PERFECT_CONTACT = ContactMock()


@dataclass(frozen=True, slots=True)
class LoadMock:
    """How a mock load draws (`mock.load`).

    Attributes:
        kind: "power", "resistive", "motor", "supply", "lamp", "pwm", "cycle" or "thermal".
        lies: whether it may draw more than its nameplate.
        hz: of a pwm load's own switching.
        duty: the share of the time that a pwm or cycle load draws.
        period_s: of a cycle load, s.
        stall_s: of a motor: started again sooner than this after a stop, it stalls, s.
        ambient_c: around a thermal load, degrees Celsius.
        reach_c: where its temperature would end if it ran for ever; below ambient it cools.
        settle_s: its time constant (thermal resistance times heat capacity), s.
        low_c, high_c: between these its thermostat keeps it.
    """

    kind: str = "power"
    lies: bool = False
    hz: float = 0.0
    duty: float = 1.0
    period_s: float = 0.0
    stall_s: float = 0.0
    ambient_c: float = 20.0
    reach_c: float = 20.0
    settle_s: float = 1.0
    low_c: float = 0.0
    high_c: float = 0.0
    contact: ContactMock = PERFECT_CONTACT


PLAIN_LOAD = LoadMock()


@dataclass(frozen=True, slots=True)
class SourceMock:
    """What a mock source is (`mock.source`).

    Attributes:
        kind: "steady", "solar" or "battery".
        peak_w: of a panel under 1000 W/m², W.
        latitude_deg: where it lies, degrees north; day: of the year, 1 to 365.
        hour: solar time when its node is plugged in, h; speed: how much faster its day passes.
        clouds: the share of the time that a cloud stands before the sun.
        capacity_ah: of a battery, Ah; charge: its state of charge at the start, 0 to 1.
        cells: in series (LiFePO4); ohms: inside it, ohm.
        give_w_max, take_w_max: the most that its converter gives to the rail and takes from it, W.
        efficiency: of its converter, each way.
    """

    kind: str = "steady"
    peak_w: float = 0.0
    latitude_deg: float = 50.0
    day: int = 172
    hour: float = 12.0
    speed: float = 1.0
    clouds: float = 0.0
    capacity_ah: float = 0.0
    charge: float = 0.5
    cells: int = 4
    ohms: float = 0.02
    give_w_max: float = 0.0
    take_w_max: float = 0.0
    efficiency: float = 0.95


STEADY_SOURCE = SourceMock()


@dataclass(frozen=True, slots=True)
class BoardMock:
    """What a sagging rail does to a mock board (`mock.node`).

    Attributes:
        reset_v: at this rail voltage and below the meters lose their registers, V.
        dead_v: at this and below the whole node goes down and its pins become inputs, V.
    """

    reset_v: float = 0.0
    dead_v: float = 0.0


STURDY_BOARD = BoardMock()
