"""A flood of garbage at one node of five: false elections, and price to relay at the victim, ms.

Five real nodes and a stranger in network namespaces on a bridge. The stranger sends at the victim's
own port, which he has learned from its multicasts, from the other core. `junk` is bytes of no
protocol, which the kernel turns away once the victim has noticed; `forged` has our header and a
wrong MAC, so that each has to be looked at. Meanwhile the tariff goes dear and cheap every 0.3 s,
whatever the rack makes of it. The broker alone speaks for the grid, so that no price waits for what
others have read. The times are the victim's: from just before the first price of a change was
handed to the broker's socket to the lamp's edge in the plant's truth. `missed` changes had no edge;
of `repaired` ones the first price never reached the victim, and a later one did. Needs root.

    python tests/bench/bench_flood.py [--rate 20000] [--seconds 60] [--kind junk]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_switch import CHEAP, DEAR, answered, set_tariff, told_since, without_pump
from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, wait_until

NODES = 5
VICTIM = 1
EVERY_S = 0.3
"""Between two changes of the tariff: a little more than between two looks at its file."""
SOURCE = f'[[source]]\nname = "grid"\nprice = {CHEAP}\n'

STRANGER = """
import os, random, socket, sys, time
here, victim, kind, rate, seconds = *sys.argv[1:4], *map(float, sys.argv[4:])
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
ear.bind(("224.0.0.224", 8437))
ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
    socket.inet_aton("224.0.0.224") + socket.inet_aton(here))
while True:
    heard, address = ear.recvfrom(2000)
    if address[0] == victim:
        break
mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mouth.connect(address)
garbage = [random.randbytes(random.randrange(20, 1300)) for _ in range(256)]
if kind == "forged":
    head = heard[:4] + b"\\x01" + heard[5:13]
    garbage = [head + each[:16] + bytes(300) for each in garbage if len(each) > 60]
sent, began = 0, time.monotonic()
while (now := time.monotonic() - began) < seconds:
    while sent < now * rate:
        try:
            mouth.send(garbage[sent % len(garbage)])
        except OSError:
            pass
        sent += 1
    time.sleep(0.001)
print(sent)
"""


def lamp_is(rig: Rig, *, on: bool) -> bool:
    """Whether the victim's lamp truly draws, or does not."""
    loads = rig.control.draws()["nodes"][rig.node(VICTIM).name]["loads"]
    return (loads["lamp"] > 0) is on


def flooded(rig: Rig, rate: float, seconds: float, kind: str) -> dict[str, object]:
    """Flood, and measure while it lasts."""
    stranger, victim = rig.lan.host(NODES + 1), rig.node(VICTIM)
    before = victim.state()
    began_ns = time.monotonic_ns()
    words = [stranger.address, victim.host.address, kind, str(rate), str(seconds)]
    sender = stranger.run([sys.executable, "-c", STRANGER, *words], stdout=subprocess.PIPE)
    for price in itertools.cycle((DEAR, CHEAP)):
        set_tariff(rig, price)
        select.select([], [], [], EVERY_S)
        if sender.poll() is not None and price == CHEAP:
            break
    wait_until("the lamp is on", lambda: lamp_is(rig, on=True))
    assert sender.stdout is not None
    sent = int(sender.stdout.read())
    after = victim.state()
    roles = [line for node in rig.nodes[:NODES] for line in node.said("role", began_ns)]
    said = told_since(rig, began_ns)
    if said[0].on:
        del said[0]  # Cheap it was already.
    did = answered(rig, victim, said, began_ns)
    return {
        "kind": kind,
        "sent_per_s": round(sent / seconds),
        "seconds": seconds,
        "elections": len(roles),
        "terms": after["term"] - before["term"],
        "changes": len(said),
        "missed": len(said) - len({one.turn.began_ns for one in did}),
        "repaired": sum(one.is_repair for one in did),
        "price_to_relay_ms": {
            "on": summary([one.ms for one in did if one.turn.on]),
            "off": summary([one.ms for one in did if not one.turn.on]),
        },
        "rejected": after["rejected"],
        "load_average": os.getloadavg(),
    }


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kind", choices=("junk", "forged"), default="junk")
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES + 1, capacity_w=60 * NODES, rack={"expect": NODES}) as rig:
        set_tariff(rig, CHEAP)
        running = rig.nodes[:NODES]
        for node in running:
            board = node.folder / "board.toml"
            board.write_text(board.read_text().replace("stagger_s = 0.05", "stagger_s = 0"))
            tariff = f'price = {CHEAP}\ntariff_file = "{rig.folder}/tariff.json"\n'
            source = f'[[source]]\nname = "grid"\n{tariff}' if node is running[-1] else ""
            config = without_pump(node.config.read_text())
            assert config.count(SOURCE) == 1, "the rig's recipe has changed"
            node.config.write_text(config.replace(SOURCE, source))
        rig.start(*range(1, NODES + 1))
        rig.wait_for_broker(rig.node(NODES), among=running)
        wait_until("the lamp is on", lambda: lamp_is(rig, on=True))
        print(json.dumps(flooded(rig, args.rate, args.seconds, args.kind)))


if __name__ == "__main__":
    main()
