"""What an idle node costs: CPU and memory of its two processes, and how soon it is ready.

Five real nodes in network namespaces, all loads on, nothing happening. CPU in % of one core over
the window, resident memory in MiB, per process; "ready" is from the start of the process to its
READY=1. Needs root.

    python tests/bench/bench_idle.py [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary
from tests.rack.lan import unavailable
from tests.rack.rig import Rig, RigNode

NODES = 5
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def rss_mib(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith("VmRSS")) / 1024


def ready_s(argv: list[str], folder: Path) -> float:
    """Start a process as systemd would, and time its READY=1."""
    with (
        tempfile.TemporaryDirectory(prefix="rg-") as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        notify.bind(f"{place}/notify")
        notify.settimeout(20)
        start = time.monotonic()
        env = {**os.environ, "NOTIFY_SOCKET": f"{place}/notify"}
        process = subprocess.Popen(argv, env=env, cwd=folder, stderr=subprocess.DEVNULL)
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            return time.monotonic() - start
        finally:
            process.terminate()
            process.wait()


def processes(node: RigNode) -> tuple[int, int]:
    """The process ids of controller and firmware."""
    assert node.controller is not None
    assert node.firmware is not None
    return node.controller.pid, node.firmware.pid


def starts(rig: Rig, trials: int) -> dict[str, object]:
    """Time the starts of a controller and a firmware of a stopped node."""
    node = rig.nodes[0]
    assert node.controller is not None
    assert node.firmware is not None
    for process in (node.controller, node.firmware):
        process.terminate()
        process.wait()
    run = node.folder / "run"
    firmware = [sys.executable, "-m", "rackgrid_firmware.service", "--profile", "board.toml"]
    firmware += ["--socket", f"{run}/probe.sock", "--plant", str(rig.plant), "--node", node.name]
    firmware += ["--runtime", str(run)]
    controller = [sys.executable, "-m", "rackgrid", "run", "--attach", "--config", str(node.config)]
    with node.host.entered():
        return {
            "firmware": summary([ready_s(firmware, node.folder) for _ in range(trials)]),
            "controller": summary([ready_s(controller, node.folder) for _ in range(trials)]),
        }


def main() -> None:
    """Measure and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    if unavailable():
        print(f"left out: {unavailable()}")
        return
    with Rig(NODES, rack={}) as rig:
        rig.start()
        broker = rig.wait_for_broker()["broker"]
        rig.wait_for_loads()
        select.select([], [], [], 5)
        before = {n.name: [cpu_s(pid) for pid in processes(n)] for n in rig.nodes}
        start = time.monotonic()
        select.select([], [], [], args.seconds)
        spent = time.monotonic() - start
        rows: dict[str, object] = {}
        for node in rig.nodes:
            pids = processes(node)
            cpu = [
                round(100 * (cpu_s(p) - b) / spent, 2)
                for p, b in zip(pids, before[node.name], strict=True)
            ]
            rss = [round(rss_mib(p), 1) for p in pids]
            rows[node.name] = {
                "role": "broker" if node.name == broker else "member",
                "cpu_percent": {"controller": cpu[0], "firmware": cpu[1]},
                "cpu_percent_both": round(sum(cpu), 2),
                "rss_mib": {"controller": rss[0], "firmware": rss[1]},
            }
        ready = starts(rig, 5)
    print(json.dumps({"seconds": round(spent, 1), "nodes": rows, "ready_s": ready}, indent=1))


if __name__ == "__main__":
    main()
