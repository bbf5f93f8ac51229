"""The ledger of a node whose disk failed comes back from those that keep a copy."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.rack.rig import DEADLINE_S, QUICK, Rig, RigNode, wait_until
from tests.rack.test_ledger import energy_wh, rows_of

pytestmark = pytest.mark.root

COPY_S = 1.0
OWN = "state/ledger.db"


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(3, rack=QUICK) as made:
        for node in made.nodes:
            path = node.folder / "rackgrid.toml"
            text = path.read_text()
            path.write_text(text.replace("[node]\n", f"[node]\ncopy_s = {COPY_S}\n", 1))
        made.start()
        yield made


def verdict(node: RigNode, file: str, *more: str) -> dict[str, Any]:
    """What `ledger verify` says of a file; it finds nothing wrong."""
    done = node.rackgrid("ledger", "verify", "--json", "--file", file, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows_in(node: RigNode, file: str) -> list[str]:
    return node.rackgrid("ledger", "export", "--jsonl", "--file", file).stdout.splitlines()


def lose(path: Path) -> None:
    for each in path.parent.glob("ledger.db*"):
        each.unlink()


def damage(path: Path) -> None:
    """Overwrite what is there, as a block does that a card cannot read any more."""
    path.write_bytes(b"\xff" * path.stat().st_size)


@pytest.mark.parametrize("harm", [lose, damage])
def test_ledger_of_a_node_whose_disk_failed_comes_back_from_its_copies(
    rig: Rig, harm: Callable[[Path], None]
) -> None:
    """Fails if an SD card that dies takes its node's bills with it, or a copy proves less."""
    owner = rig.node(1)
    rig.wait_for_broker()
    me = owner.state()["node"]["id"]
    copy = f"state/copies/{me}.db"
    wait_until("it books", lambda: energy_wh(owner, "server") > 0.004)
    keepers = [node for node in rig.nodes if node is not owner]
    wait_until(
        "two copies", lambda: all(len(rows_in(node, copy)) > 6 for node in keepers), DEADLINE_S * 2
    )
    assert owner.controller is not None
    owner.controller.send_signal(signal.SIGINT)
    assert owner.controller.wait(DEADLINE_S) == 0
    ledger = owner.folder / "state/ledger.db"
    before = rows_of(owner, "server")
    kept = {node.name: rows_in(node, copy) for node in keepers}
    found = {node.name: verdict(node, copy) for node in keepers}
    assert all(each["signed_by"][copy] == me for each in found.values())
    old = {each["last_hash"] for each in found.values()} | {verdict(owner, OWN)["last_hash"]}
    harm(ledger)

    owner.start()
    rig.wait_for_broker()
    wait_until("it books on", lambda: energy_wh(owner, "server") > 0.004, DEADLINE_S * 2)
    restored = verdict(owner, OWN)
    assert restored["signed_by"][OWN] == me
    assert any("came back from the copy" in each for each in restored["unchecked"])
    assert (ledger.with_name("ledger.db.bad")).exists() == (harm is damage)
    rows = rows_in(owner, OWN)
    longest = max(kept.values(), key=len)
    assert rows[: len(longest)] == longest, "its history is what the keepers had, row for row"
    # The meter went on counting: what the copies did not have is booked, if only without a price.
    wait_until(
        "all that was booked before", lambda: energy_wh(owner, "server") * 3600 >= drawn_j(before)
    )

    ends: set[str] = set()
    kept_ends: set[str] = set()

    def is_kept() -> bool:
        """Whether a keeper has had a batch of the ledger's new life; each look takes a while."""
        ends.add(verdict(owner, OWN)["last_hash"])
        kept_ends.update(verdict(node, copy)["last_hash"] for node in keepers)
        return bool((ends & kept_ends) - old)

    wait_until("its keepers follow", is_kept, DEADLINE_S * 2)
    files = [f"--file={node.folder}/state/ledger.db" for node in rig.nodes]
    done = owner.rackgrid("ledger", "verify", "--rack", "--json", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert len(set(report["signed_by"].values())) == len(rig.nodes)
    assert "rack" in report


def drawn_j(rows: list[dict[str, float]]) -> float:
    return sum(row["energy_wh"] for row in rows) * 3600
