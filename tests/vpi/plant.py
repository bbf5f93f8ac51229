"""The electrical side of a virtual Pi: what its chips see, and what its pins did.

All of it is in the kernel (`kernel/vpi_board.c`), where a meter follows a relay in the same
instant and no edge is too short to be noted; here are the words for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

FOLDER = "/sys/kernel/debug/vpi"


@dataclass(frozen=True, slots=True)
class Edge:
    """A line changed its level or its direction.

    Attributes:
        t_ns: CLOCK_MONOTONIC of that Pi, ns.
        tick: time stamp counter of the machine, the same for all Pis.
    """

    t_ns: int
    tick: int
    line: int
    is_output: bool
    level: bool


@dataclass(frozen=True, slots=True)
class Line:
    """How a line stands."""

    is_output: bool
    level: bool
    pull: str
    is_claimed: bool


class Plant:
    """What root can do to the board of one Pi.

    Args:
        run: runs a shell script on it.
    """

    def __init__(self, run: Callable[[str], str]) -> None:
        self._run = run

    def meter(self, address: int = 0x40, **words: int) -> dict[str, str]:
        """Change what the chip at an address sees or suffers, all words at once.

        Returns:
            Everything of the chip, read right after.
        """
        text = " ".join(f"{key}={value}" for key, value in words.items())
        file = f"{FOLDER}/meter-{address:02x}"
        return _chip(self._run(f"echo {text} >{file} && cat {file}"))

    def chip(self, address: int = 0x40) -> dict[str, str]:
        """Everything of the chip at an address."""
        return _chip(self._run(f"cat {FOLDER}/meter-{address:02x}"))

    def pull(self, line: int, way: str) -> None:
        """Pull a line "up" or "down" by a resistor outside of the Pi; "none" takes it away."""
        self._run(f"echo {line} {way} >{FOLDER}/lines")

    def lets_go(self, strict: bool) -> None:
        """Say what becomes of an output whose process ends: an input (strict), or as it was."""
        self._run(f"echo {'Y' if strict else 'N'} >{FOLDER}/strict")

    def lines(self) -> dict[int, Line]:
        """How every line stands."""
        found: dict[int, Line] = {}
        for text in self._run(f"cat {FOLDER}/lines").splitlines():
            number, direction, level, pull, claim = text.split()
            found[int(number)] = Line(direction == "out", level == "1", pull, claim == "claimed")
        return found

    def forget_edges(self) -> None:
        """Note edges from now on only."""
        self._run(f"echo >{FOLDER}/edges")

    def edges(self, line: int | None = None) -> list[Edge]:
        """Every edge since the board was plugged in, or since `forget_edges`.

        Raises:
            AssertionError: some were lost, because there were too many.
        """
        *noted, last = self._run(f"cat {FOLDER}/edges").splitlines()
        assert last == "lost 0", last
        edges: list[Edge] = []
        for text in noted:
            t_ns, tick, at, direction, level = text.split()
            edges.append(Edge(int(t_ns), int(tick), int(at), direction == "out", level == "1"))
        return [edge for edge in edges if line is None or edge.line == line]


def _chip(said: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in said.split())
