"""What stands behind a meter and gives power to the rail: a steady source, a panel, a battery.

Sources feed through converters that follow the rail: they give their watts at whatever voltage it
has, and nothing into a dead one (a grid-tied inverter must not form an island, IEC 62116). What
they give is constant between the moments that `next_ns` names.
"""

from __future__ import annotations

from typing import Protocol

from rackgrid_firmware.mock.battery import Battery
from rackgrid_firmware.mock.chance import seeded
from rackgrid_firmware.mock.sun import CELL_S, irradiance, passes
from rackgrid_firmware.mock.wiring import ChipWiring

_STEP_S = 60
"""A panel's power changes so often, s of the sun's time."""


class Source(Protocol):
    """Something that gives power to the rail, or takes it."""

    @property
    def next_ns(self) -> int | None:
        """When it changes by itself, or None."""
        ...

    @property
    def watts(self) -> float:
        """What it gives to the rail now, W; less than 0: it takes."""
        ...

    @property
    def terminals(self) -> tuple[float, float] | None:
        """Volts and amperes where its meter sits; None: at the rail."""
        ...

    def advance(self, now_ns: int) -> None:
        """Let it do what it does by itself until now."""
        ...

    def set(self, now_ns: int, watts: float) -> None:
        """Let it give so much from now on, W."""
        ...

    def follow(self, now_ns: int, rail_lives: bool) -> None:
        """See the rail die, or live again."""
        ...


class Steady:
    """A source that gives what it is told to."""

    next_ns: int | None = None
    terminals: tuple[float, float] | None = None

    def __init__(self, watts: float) -> None:
        self.watts = watts

    def advance(self, now_ns: int) -> None:
        """Change nothing."""

    def set(self, now_ns: int, watts: float) -> None:  # noqa: ARG002  # as a battery's
        """Let it give so much from now on, W."""
        self.watts = watts

    def follow(self, now_ns: int, rail_lives: bool) -> None:
        """Store nothing, so nothing changes."""


class Panel:
    """A solar panel, flat on the ground, under a sky: peak_w * irradiance / (1000 W/m²) * clouds.

    Its power holds for a minute of its own time, with the sun where it stands in the middle of it.

    Args:
        now_ns: when its day begins at `hour`, ns.
        wiring: where and when it lies.
        seed: of the weather.
    """

    terminals: tuple[float, float] | None = None

    def __init__(self, now_ns: int, wiring: ChipWiring, seed: int) -> None:
        self._source = wiring.source
        self._seed = seeded(seed, wiring.name, "sky")
        self._begun_ns = now_ns
        self._step_ns = max(1, round(_STEP_S * 1e9 / wiring.source.speed))
        self._steps = 0
        self._through = 1.0
        self._fixed_w: float | None = None

    @property
    def next_ns(self) -> int | None:
        """When the sun has gone on."""
        if self._fixed_w is not None:
            return None
        return self._begun_ns + (self._steps + 1) * self._step_ns

    @property
    def watts(self) -> float:
        """What it gives now, W."""
        if self._fixed_w is not None:
            return self._fixed_w
        source, passed_s = self._source, (self._steps + 0.5) * _STEP_S
        days, hour = divmod(source.hour + passed_s / 3600, 24)
        day = (source.day - 1 + int(days)) % 365 + 1
        sky = passes(self._seed, int(passed_s // CELL_S), source.clouds)
        light = irradiance(source.latitude_deg, day, hour)
        return source.peak_w * light / 1000 * sky * self._through

    def advance(self, now_ns: int) -> None:
        """Let the sun go on."""
        self._steps = max(self._steps, (now_ns - self._begun_ns) // self._step_ns)

    def set(self, now_ns: int, watts: float) -> None:  # noqa: ARG002  # as a battery's
        """Let it give so much from now on, whatever the sun does."""
        self._fixed_w = watts

    def follow(self, now_ns: int, rail_lives: bool) -> None:
        """Store nothing, so nothing changes."""

    def cloud(self, through: float) -> None:
        """Let a cloud stand before the sun that lets this share through, 0 to 1; 1 drives it off.

        Raises:
            ValueError: no such share.
        """
        if not 0 <= through <= 1:
            raise ValueError(f"a cloud that lets {through:g} of the light through; allowed: 0 to 1")
        self._through = through


def source(now_ns: int, wiring: ChipWiring, seed: int) -> Source:
    """Make the source that stands behind a meter."""
    match wiring.source.kind:
        case "solar":
            return Panel(now_ns, wiring, seed)
        case "battery":
            return Battery(now_ns, wiring.source, wiring.source_w)
        case _:
            return Steady(wiring.source_w)
