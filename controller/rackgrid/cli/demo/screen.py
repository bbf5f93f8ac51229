"""The demo in a terminal: the rack, live.

Two pictures of the same: one with a table for nodes and one for loads, and, where that is taller
than the window, a brief one with a line for each load, which fits five nodes into 80 by 24. What
happens and where to look further are always seen.
"""

from __future__ import annotations

from types import TracebackType
from typing import cast

from rich.console import Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rackgrid.cli.demo.rack import DemoRack
from rackgrid.cli.demo.tail import Line

PRICES_SHOWN = 60
_BARS = "▁▂▃▄▅▆▇█"


class Screen:
    """Draws a state again and again in place."""

    def __init__(self, rack: DemoRack) -> None:
        self._rack = rack
        self._prices: list[float] = []
        self._live = Live(auto_refresh=False, screen=False)

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def show(self, state: Line | None, events: list[str]) -> None:
        """Draw.

        Args:
            state: as `GET /api/state` gives it, or None while nobody answers.
            events: the last lines of what happened.
        """
        first = self._rack.nodes[0]
        foot = Text(f"look further: {first.api}/api/state    end: Ctrl-C", style="dim")
        happens = Panel("\n".join(events) or "...", title="what happens", title_align="left")
        console = self._live.console
        if state is None:
            picture = Group(Text("the nodes are starting ..."), happens, foot)
        else:
            width, height = console.size
            head = [self._headline(state, width), _feed(state, width)]
            picture = Group(*head, _nodes(state), _loads(state), happens, foot)
            if len(console.render_lines(picture)) > height:
                picture = Group(*head, *_brief(state, events, height - len(head) - 1), foot)
        self._live.update(picture, refresh=True)

    def _headline(self, state: Line, width: int) -> RenderableType:
        price = _record(state, "price")
        value = price.get("value")
        if isinstance(value, float | int):
            self._prices = [*self._prices, float(value)][-PRICES_SHOWN:]
        shown = f"{value:.3f}" if isinstance(value, float | int) else "unknown"
        text = Text()
        text.append("rackgrid demo", style="bold")
        text.append(f"   broker {state.get('broker') or 'none'} (term {state.get('term')})   ")
        style = "bold red" if price.get("scarce") else "bold green"
        text.append(f"price {shown} {price.get('currency')}/kWh ", style=style)
        text.append(_spark(self._prices[-max(1, width - len(text)) :]), style="cyan")
        return text


def _spark(values: list[float]) -> str:
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(_BARS[min(7, max(0, int(v / top * 7)))] for v in values)


def _feed(state: Line, width: int) -> RenderableType:
    feed = _record(state, "feed")
    capacity, drawn = _number(feed, "capacity_w"), _number(feed, "drawn_w")
    table = Table.grid(padding=(0, 1))
    figures = (
        f"{_watts(feed, 'drawn_w')} of {capacity:.1f} W   floors {_watts(feed, 'floors_w')}"
        f"   counted {_watts(feed, 'granted_w')}"
    )
    room = max(1, min(50, width - len(f"feed    {figures}")))
    bar = ProgressBar(total=max(capacity, 1.0), completed=min(drawn, capacity), width=room)
    table.add_row("feed", bar, figures)
    return table


def _nodes(state: Line) -> Table:
    table = Table(title="nodes", title_justify="left", expand=False)
    for column in ("node", "role", "priority", "draw W", "floor W", "heard ms"):
        table.add_column(column, justify="left" if column in ("node", "role") else "right")
    for member in _records(state, "members"):
        role = str(member.get("role"))
        star = "★ " if role == "broker" else "  "
        table.add_row(
            star + str(member.get("name")),
            role,
            str(member.get("priority")),
            f"{_number(member, 'draw_w'):.1f}",
            f"{_number(member, 'floor_w'):.1f}",
            f"{_number(member, 'heard_ms'):.0f}",
        )
    return table


def _loads(state: Line) -> Table:
    table = Table(title="loads", title_justify="left", expand=False)
    for column in ("node", "load", "", "W", "worth", "why"):
        table.add_column(column, justify="right" if column in ("W", "worth") else "left")
    for load in _records(state, "loads"):
        worth = load.get("worth")
        table.add_row(
            str(load.get("node")),
            str(load.get("name")),
            _switch(load),
            f"{_number(load, 'watts'):.1f}",
            f"{worth:.2f}" if isinstance(worth, float | int) else "-",
            str(load.get("reason")),
        )
    return table


def _brief(state: Line, events: list[str], height: int) -> list[RenderableType]:
    """Draw the loads, a line each, and what happened, in so many lines."""
    loads = _records(state, "loads")
    happened = events[-max(1, height - 1 - len(loads)) :]
    room = max(1, height - 1 - len(happened))
    if len(loads) > room:
        happened = [f"... {len(loads) - room + 1} more loads: make the window taller", *happened]
        loads = loads[: room - 1]
    table = Table(box=None, pad_edge=False, expand=True)
    for column in ("node", "load", ""):
        table.add_column(column, no_wrap=True, max_width=16)
    table.add_column("W", justify="right", no_wrap=True)
    table.add_column("why", no_wrap=True, ratio=1)  # it alone gives way
    for load in loads:
        star = "★ " if load.get("node") == state.get("broker") else "  "
        cells = (Text(star + str(load.get("node"))), Text(str(load.get("name"))), _switch(load))
        table.add_row(*cells, f"{_number(load, 'watts'):.1f}", Text(str(load.get("reason"))))
    return [table, *(Text(line, no_wrap=True, overflow="ellipsis") for line in happened)]


def _switch(load: Line) -> Text:
    return Text("on", style="green") if load.get("on") is True else Text("off", style="dim")


def _record(line: Line, key: str) -> Line:
    value = line.get(key)
    return cast("Line", value) if isinstance(value, dict) else {}


def _records(line: Line, key: str) -> list[Line]:
    value = line.get(key)
    return cast("list[Line]", value) if isinstance(value, list) else []


def _watts(line: Line, key: str) -> str:
    """Write a power; what is not known is no 0."""
    return "?" if line.get(key) is None else f"{_number(line, key):.1f}"


def _number(line: Line, key: str) -> float:
    value = line.get(key)
    return float(value) if isinstance(value, float | int) else 0.0
