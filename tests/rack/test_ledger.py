"""The bills of a real node add up to what the plant says was drawn, whatever dies in between."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from itertools import pairwise

import pytest
from tests.rack.rig import DEADLINE_S, QUICK, Rig, RigNode, State, wait_until

pytestmark = pytest.mark.root

METER_ERROR = 0.02
"""Of the mock's converter at 0.3 A, noise and steps included."""
BLIND_S = 0.5
"""What flowed before the first reading and after the last: a telemetry each, and a start, s."""


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(2, rack=QUICK) as made:
        made.start()
        yield made


def drawn_j(rig: Rig, node: RigNode, load: str, from_ns: int, until_ns: int) -> float:
    """The truth: what a load drew in a span of time, J."""
    steps = [(d.t_ns, d.loads[load]) for d in rig.draws() if d.node == node.name]
    steps.append((until_ns, 0.0))
    total = 0.0
    for (start_ns, watts), (end_ns, _) in pairwise(steps):
        start_ns, end_ns = max(start_ns, from_ns), min(end_ns, until_ns)
        total += watts * max(0, end_ns - start_ns) / 1e9
    return total


def rows_of(node: RigNode, load: str) -> list[dict[str, float]]:
    out = node.rackgrid("ledger", "export", "--jsonl", "--file", "state/ledger.db").stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return [row for row in rows if row["load"] == load]


def account_of(node: RigNode, load: str) -> State:
    """What its API says of a load's account; empty while nobody answers, or there is none."""
    try:
        accounts = node.ask("/api/ledger")["accounts"]
    except OSError:
        return {}
    return next((a for a in accounts if a["load"] == load), {})


def energy_wh(node: RigNode, load: str) -> float:
    """What its API says that a load has drawn so far; 0 while nobody answers."""
    return float(account_of(node, load).get("energy_wh", 0.0))


def priced_wh(node: RigNode, load: str) -> float:
    """How much of that has a price; 0 while nobody answers."""
    account = account_of(node, load)
    return float(account["energy_wh"] - account["unpriced_wh"]) if account else 0.0


def test_bill_adds_up_to_the_truth_though_the_controller_is_killed(rig: Rig) -> None:
    node = rig.node(1)
    rig.wait_for_broker()
    wait_until("energy with a price is booked", lambda: priced_wh(node, "server") > 0.002)
    node.kill()
    node.start()
    rig.wait_for_broker()
    # The account goes on by its rows on the disk: it may stand lower than when it was killed.
    wait_until("its account answers", lambda: account_of(node, "server"))
    before_wh = priced_wh(node, "server")
    wait_until("more is booked", lambda: priced_wh(node, "server") > before_wh + 0.002)
    assert node.controller is not None
    node.controller.send_signal(signal.SIGINT)
    assert node.controller.wait(DEADLINE_S) == 0

    assert node.rackgrid("ledger", "verify", "--file", "state/ledger.db").returncode == 0
    rows = rows_of(node, "server")
    from_ns, until_ns = int(rows[0]["start_ns"]), int(rows[-1]["start_ns"])
    until_ns += round(rows[-1]["seconds"] * 1e9)
    booked_j = sum(row["energy_wh"] for row in rows) * 3600
    true_j = drawn_j(rig, node, "server", from_ns, until_ns)
    assert true_j > 10
    assert booked_j == pytest.approx(true_j, rel=METER_ERROR, abs=BLIND_S * 4.0)
    assert sum(row["cost"] or 0.0 for row in rows) > 0
    assert {row["price"] for row in rows} >= {None}, "what flowed while it was dead has no price"
