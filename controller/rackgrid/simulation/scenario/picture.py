"""A day of a scenario as a picture: who gave the power, what it cost, who was on.

Drawn by matplotlib, an extra (`pip install rackgrid[picture]`): nothing else here needs it. The
same run gives the same file, to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

from rackgrid.simulation.scenario.run import Minute, Run
from rackgrid.simulation.scenario.work import DAY_MINUTES, MINUTE_S


class _Axes(Protocol):
    """What of matplotlib's axes the bars need."""

    def broken_barh(
        self, xranges: Sequence[tuple[float, float]], yrange: tuple[float, float], *, color: str
    ) -> object: ...

    def set_yticks(
        self, ticks: Sequence[int], labels: Sequence[str], *, fontsize: int
    ) -> object: ...

    def invert_yaxis(self) -> None: ...


UC = 1_000_000
HOUR_MINUTES = 60
SOURCES = ("sun", "battery", "grid")
COLOURS = {"sun": "#e9b949", "battery": "#5b9f6f", "grid": "#6c8ebf"}


def day_of(run: Run, day: int) -> list[Minute]:
    """The minutes of a day, from 0."""
    return run.minutes[day * DAY_MINUTES : (day + 1) * DAY_MINUTES]


def powers_w(minutes: Sequence[Minute], source: str) -> list[float]:
    """What a source gave in each minute, W on the average."""
    return [minute.sources_mj.get(source, 0) / MINUTE_S / 1000 for minute in minutes]


def prices(minutes: Sequence[Minute]) -> list[float]:
    """The price of each minute, per kWh; nothing where there was none."""
    return [float("nan") if m.price_uc is None else m.price_uc / UC for m in minutes]


def drawn(run: Run, day: int, path: Path) -> None:
    """Draw a day into a file, whose suffix says as what: `.svg`, `.png`, `.pdf`.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
        OSError: the file cannot be written.
        ValueError: nobody knows how to draw such a file.
    """
    matplotlib = import_module("matplotlib")
    figure_class = import_module("matplotlib.figure").Figure
    minutes = day_of(run, day)
    hours = [(m.minute % DAY_MINUTES) / HOUR_MINUTES for m in minutes]
    with matplotlib.rc_context({"svg.hashsalt": run.digest, "font.size": 9}):
        figure = figure_class(figsize=(10, 8), layout="constrained")
        power, price, loads = figure.subplots(3, 1, sharex=True, height_ratios=(4, 2, 5))
        given = [name for name in SOURCES if any(powers_w(minutes, name))]
        power.stackplot(
            hours,
            *(powers_w(minutes, name) for name in given),
            labels=given,
            colors=[COLOURS[name] for name in given],
        )
        limit = [m.capacity_mw / 1000 for m in minutes]
        power.plot(hours, limit, color="#b33", linewidth=1, label="capacity")
        power.plot(hours, [m.sun_mw / 1000 for m in minutes], color="#a67c00", label="sun there is")
        power.set_ylabel("W")
        power.legend(loc="upper right", ncols=5)
        power.set_title(f"{run.scenario.name}, day {day + 1}")
        price.step(hours, prices(minutes), where="post", color="#333", linewidth=1)
        price.set_ylabel("price per kWh")
        price.axhline(0, color="#999", linewidth=0.5)
        _draw_loads(loads, run, minutes)
        loads.set_xlabel("hour of the day (UTC)")
        loads.set_xlim(0, DAY_MINUTES / HOUR_MINUTES)
        stamp = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, metadata=stamp)


def _draw_loads(axes: _Axes, run: Run, minutes: Sequence[Minute]) -> None:
    """A bar for every span in which a load was on."""
    names = [load.name for node in run.nodes for load in node.loads]
    for row, spans in enumerate(spans_on(minutes, len(names))):
        bars = [(start / HOUR_MINUTES, length / HOUR_MINUTES) for start, length in spans]
        axes.broken_barh(bars, (row - 0.4, 0.8), color="#6c8ebf")
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.invert_yaxis()


def spans_on(minutes: Sequence[Minute], count: int) -> list[list[tuple[int, int]]]:
    """When each of the loads was on: (from, for), in minutes of the day."""
    found: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for minute in minutes:
        at = minute.minute % DAY_MINUTES
        for spans, is_on in zip(found, minute.on, strict=True):
            if not is_on:
                continue
            if spans and sum(spans[-1]) == at:
                spans[-1] = (spans[-1][0], spans[-1][1] + 1)
            else:
                spans.append((at, 1))
    return found
