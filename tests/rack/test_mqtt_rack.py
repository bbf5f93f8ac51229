"""A rack whose MQTT server dies and comes back: nobody on the rack notices, and readers catch up.

Fails if a dead, stopped or restarted server delays or drops a control round at any node, or if the
price and the states are not there again for whoever asks the restarted server; or if a command does
anything that is retained or not allowed by name.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.rack.lan import Host
from tests.rack.rig import DEADLINE_S, Rig, RigNode, wait_until

pytestmark = [pytest.mark.root, pytest.mark.mosquitto]

PORT = 18883
READER = """
import sys
from paho.mqtt import subscribe
found = subscribe.simple(sys.argv[1], hostname="127.0.0.1", port=int(sys.argv[2]))
print(found.payload.decode())
"""
WRITER = """
import sys
from paho.mqtt import publish
publish.single(
    sys.argv[1], sys.argv[3], qos=1, retain=sys.argv[4] == "1", hostname="127.0.0.1",
    port=int(sys.argv[2]),
)
"""


def start_server(host: Host, folder: Path) -> subprocess.Popen[str]:
    """A real Mosquitto on that host's loopback, with nothing kept on disk."""
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {PORT} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    with (folder / "mosquitto.log").open("a") as log:
        return host.run(["mosquitto", "-c", str(conf)], stdout=log, stderr=log)


def read(host: Host, topic: str) -> dict[str, object]:
    """Ask the server for a retained value, as a late subscriber; empty if it has none yet."""
    reader = host.run(
        [sys.executable, "-c", READER, topic, str(PORT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        out, _ = reader.communicate(timeout=3)
    except subprocess.TimeoutExpired:
        reader.kill()
        reader.communicate()
        return {}
    return json.loads(out) if reader.returncode == 0 else {}


def order(host: Host, load: str, do: str, *, retain: bool = False) -> None:
    """Publish a command that counts for half a minute."""
    payload = json.dumps({"do": do, "expires": time.time() + 30})
    words = [f"rackgrid/rig/pi-1/{load}/set", str(PORT), payload, "1" if retain else "0"]
    assert host.run([sys.executable, "-c", WRITER, *words]).wait(DEADLINE_S) == 0


def rejected(node: RigNode, why: str) -> int:
    """What came over MQTT and was not obeyed for that reason; a reconnect brings it once more."""
    return node.state().get("rejected", {}).get(why, 0)


def rounds(node: RigNode, since: int) -> list[int]:
    """The rounds that a node applied, from `since` on, in order."""
    return [int(x["round"]) for x in node.said("price") if int(x["round"]) >= since]


def test_server_stopped_killed_and_restarted_costs_no_control_round() -> None:
    with Rig(3) as rig:
        broker = rig.node(3)
        server = start_server(broker.host, broker.folder)
        broker.config.write_text(
            broker.config.read_text() + f'\n[mqtt]\nhost = "127.0.0.1"\nport = {PORT}\n'
        )
        rig.start()
        rig.wait_for_broker(broker)
        rig.wait_for_loads()
        wait_until("a price on MQTT", lambda: read(broker.host, "rackgrid/rig/price"))
        # Not of the price in force: there may be none for a moment, and any round is later then.
        first = max(int(x["round"]) for x in broker.said("price"))

        server.send_signal(signal.SIGSTOP)
        wait_until("rounds past the stop", lambda: broker.state()["price"]["round"] >= first + 4)
        server.send_signal(signal.SIGKILL)
        server.wait()
        wait_until("rounds past the kill", lambda: broker.state()["price"]["round"] >= first + 8)
        server = start_server(broker.host, broker.folder)
        price: dict[str, object] = {}

        def told_again() -> bool:
            price.update(read(broker.host, "rackgrid/rig/price"))
            return int(str(price.get("round", 0))) >= first + 8

        wait_until("a fresh price after the restart", told_again)
        last = int(str(price["round"]))
        wait_until("that round everywhere", lambda: all(rounds(n, last) for n in rig.nodes))
        for node in rig.nodes:
            seen = [number for number in rounds(node, first) if number <= last]
            assert seen == list(range(first, last + 1)), f"{node.name} missed a round"
        assert {"value", "currency", "term", "round", "start", "end"} <= price.keys()
        state = f"rackgrid/rig/{broker.name}/state"
        wait_until("its state again", lambda: read(broker.host, state).get("role") == "broker")
        server.terminate()
        server.wait()


def test_command_over_mqtt_does_what_is_allowed_and_nothing_retained() -> None:
    with Rig(1) as rig:
        node = rig.node(1)
        server = start_server(node.host, node.folder)
        text = node.config.read_text().replace("[node]\n", "[node]\ntrust_clock = true\n")
        mqtt = f'\n[mqtt]\nhost = "127.0.0.1"\nport = {PORT}\ncommands = ["lock"]\n'
        node.config.write_text(text + mqtt)
        wait_until("the server", lambda: "running" in (node.folder / "mosquitto.log").read_text())
        order(node.host, "pump", "lock", retain=True)
        rig.start()
        rig.wait_for_loads()
        wait_until("the retained one", lambda: rejected(node, "mqtt_retained"))
        order(node.host, "lamp", "unlock")
        wait_until("one not allowed", lambda: rejected(node, "mqtt_payload"))
        since_ns = time.monotonic_ns()
        order(node.host, "lamp", "lock")

        def reasons() -> dict[str, str]:
            return {load["name"]: load["reason"] for load in node.state().get("loads", ())}

        def draws() -> dict[str, float]:
            return rig.control.draws()["nodes"]["pi-1"]["loads"]

        wait_until(
            "the lamp is locked out, and dark",
            lambda: reasons().get("lamp") == "off: locked out" and draws()["lamp"] == 0.0,
        )
        assert {edge.load for edge in rig.edges(since_ns, [node])} == {"lamp"}, "no other load"
        assert node.rackgrid("load", "unlock", "lamp").returncode == 0
        rig.wait_for_loads()
        server.terminate()
        server.wait()
