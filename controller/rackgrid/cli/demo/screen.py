"""The demo in a terminal: the rack, live."""

from __future__ import annotations

from types import TracebackType
from typing import cast

from rich.console import Group
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
        parts: list[object] = []
        if state is None:
            parts.append(Text("the nodes are starting ..."))
        else:
            parts += [self._headline(state), _feed(state), _nodes(state), _loads(state)]
        parts.append(Panel("\n".join(events) or "...", title="what happens", title_align="left"))
        first = self._rack.nodes[0]
        parts.append(Text(f"look further: {first.api}/api/state    end: Ctrl-C", style="dim"))
        self._live.update(Group(*cast("list[Text]", parts)), refresh=True)

    def _headline(self, state: Line) -> Text:
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
        text.append(_spark(self._prices), style="cyan")
        return text


def _spark(values: list[float]) -> str:
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(_BARS[min(7, max(0, int(v / top * 7)))] for v in values)


def _feed(state: Line) -> Table:
    feed = _record(state, "feed")
    capacity, drawn = _number(feed, "capacity_w"), _number(feed, "drawn_w")
    floors, granted = _number(feed, "floors_w"), _number(feed, "granted_w")
    table = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(capacity, 1.0), completed=min(drawn, capacity), width=50)
    figures = f"{drawn:.1f} of {capacity:.1f} W   floors {floors:.1f}   counted {granted:.1f}"
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
        is_on = load.get("on") is True
        table.add_row(
            str(load.get("node")),
            str(load.get("name")),
            Text("on", style="green") if is_on else Text("off", style="dim"),
            f"{_number(load, 'watts'):.1f}",
            f"{worth:.2f}" if isinstance(worth, float | int) else "-",
            str(load.get("reason")),
        )
    return table


def _record(line: Line, key: str) -> Line:
    value = line.get(key)
    return cast("Line", value) if isinstance(value, dict) else {}


def _records(line: Line, key: str) -> list[Line]:
    value = line.get(key)
    return cast("list[Line]", value) if isinstance(value, list) else []


def _number(line: Line, key: str) -> float:
    value = line.get(key)
    return float(value) if isinstance(value, float | int) else 0.0
