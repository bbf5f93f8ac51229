"""A rack of five on a feed that is too small for it, so that every watt given twice is seen.

Its loads draw their nameplates to the watt. Five floors of 6.5 W leave 44 W: five lamps of 6 W, and
one pump of 8 W, which starts with 12 W; the 6 W that are left then start no second one. Whenever
two lamps or a lamp and a pump are counted as gone while they still burn, a pump starts too many,
and the trace shows more than the feed gives.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from tests.rack.recipe import EXACT_BOARD
from tests.rack.rig import FLOOR_W, QUICK, Rig, RigNode, wait_until
from tests.rack.truth import peak_w

NODES = 5
CAPACITY_W = NODES * FLOOR_W + 44.0
SETTLED_W = NODES * FLOOR_W + 5 * 6.0 + 8.0
"""When every load that fits is on."""
PEAK_W = SETTLED_W - 6.0 + 9.0
"""What the last load's start brings it to at least: a lamp's to 3 W below the limit, a pump's to 2.

No load has so little. Which of them is the last depends on whose first bid is late.
"""
TRADE_S = 30.0
"""The outermost bound of what waits for a predecessor's grants and for margins to end."""
T = TypeVar("T")


def tight(rack: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None) -> Rig:
    """Make such a rack; `rack` and `env` are as for `Rig`."""
    return Rig(
        NODES, capacity_w=CAPACITY_W, board=EXACT_BOARD, rack={**QUICK, **(rack or {})}, env=env
    )


def drawn_w(rig: Rig, load: str, nodes: Iterable[RigNode]) -> list[float]:
    """What the load of that name truly draws at each of these nodes now."""
    truth = rig.control.draws()["nodes"]
    return [truth[node.name]["loads"][load] for node in nodes]


def pumps_on(rig: Rig, nodes: Iterable[RigNode]) -> int:
    """How many of these nodes' pumps truly run now."""
    return sum(watts > 0 for watts in drawn_w(rig, "pump", nodes))


def wait_settled(rig: Rig) -> RigNode:
    """Wait until all follow one broker and every load that fits is on; return the broker."""
    rig.wait_for_broker()

    def settled() -> bool:
        lamps, pumps = drawn_w(rig, "lamp", rig.nodes), drawn_w(rig, "pump", rig.nodes)
        return lamps == [6.0] * NODES and sorted(pumps) == [0.0] * (NODES - 1) + [8.0]

    wait_until("five lamps and a pump are on", settled, TRADE_S)
    state = rig.wait_for_broker()  # Who leads by now: whom a scene kills.
    return next(node for node in rig.nodes if node.name == state["broker"])


def wait_more_pumps(rig: Rig, nodes: Sequence[RigNode], than: int) -> None:
    """Wait until these nodes run more pumps than that: they have traded what others lost."""
    wait_until(
        f"more than {than} pumps at {[node.name for node in nodes]}",
        lambda: pumps_on(rig, nodes) > than,
        TRADE_S,
    )


def assert_bound(rig: Rig) -> None:
    """Hold the trace to having been at the limit: else that it kept it says nothing."""
    assert peak_w(rig.draws()) >= PEAK_W


@contextmanager
def scene(rig: Rig) -> Generator[RigNode]:
    """One of several scenes on one rack: it begins and ends settled, and gives the broker."""
    with rig.watched():
        rig.bring_back()
        yield wait_settled(rig)
        wait_settled(rig)
        assert_bound(rig)


def abreast(works: Sequence[Callable[[], T]]) -> list[T]:
    """Do all at once, each in a thread, to their ends; then raise what the first to fail raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(work) for work in works]
    return [future.result() for future in futures]
