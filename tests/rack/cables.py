"""What the bridge of a LAN loses: whole directions, or a share of everything, by nftables.

The carriers stay up, so no process is told: a frame is simply not forwarded. A multicast is judged
anew for each port that it would leave by, so every link loses by itself. What was lost is counted
by the kernel: a fault that hit nothing is no test.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from tests.rack.lan import Host, Lan

_TABLE = """\
table bridge fault {
    counter severed { }
    counter lost { }
    counter passed { }
    chain judge {
        type filter hook forward priority 0
    }
}
"""


class Cables:
    """The faults of one LAN's bridge."""

    def __init__(self, lan: Lan) -> None:
        self._bridge = lan.bridge
        self._nft(_TABLE)
        self.heal()

    def sever(self, senders: Iterable[Host], receivers: Iterable[Host]) -> None:
        """Lose whatever these say to those; the way back works. Adds to what is severed already."""
        ports_in, ports_out = _ports(senders), _ports(receivers)
        self._nft(
            f"insert rule bridge fault judge iifname {ports_in} oifname {ports_out} "
            "counter name severed drop\n"
        )

    def part(self, one_side: Sequence[Host], other_side: Sequence[Host]) -> None:
        """Lose everything between the two sides, both ways."""
        self.sever(one_side, other_side)
        self.sever(other_side, one_side)

    def lose(self, percent: int) -> None:
        """Lose this share of everything, on every link by itself."""
        self._nft(
            "insert rule bridge fault judge "
            f"numgen random mod 100 < {percent} counter name lost drop\n"
        )

    def heal(self) -> None:
        """Lose nothing any more; the counters go on."""
        self._nft("flush chain bridge fault judge\nadd rule bridge fault judge counter name passed")

    def severed(self) -> int:
        """How many frames were lost to severed directions so far."""
        return self._count("severed")

    def lost(self) -> int:
        """How many frames were lost by chance so far."""
        return self._count("lost")

    def passed(self) -> int:
        """How many frames were forwarded so far."""
        return self._count("passed")

    def _count(self, name: str) -> int:
        listed: dict[str, Any] = json.loads(
            self._run("nft", "-j", "list", "counter", "bridge", "fault", name)
        )
        (packets,) = (
            entry["counter"]["packets"] for entry in listed["nftables"] if "counter" in entry
        )
        return int(packets)

    def _nft(self, script: str) -> None:
        self._run("nft", "-f", "-", script=script)

    def _run(self, *words: str, script: str = "") -> str:
        done = subprocess.run(
            ["ip", "netns", "exec", self._bridge, *words],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout


def _ports(hosts: Iterable[Host]) -> str:
    return "{ " + ", ".join(f'"{host.port}"' for host in hosts) + " }"
