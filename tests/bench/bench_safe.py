"""What the fail-safe helper costs: from its start to every pin at its safe level, CPU ms.

While it runs, the loads of a killed firmware are still on. Four ways through it: the profile is as
the last firmware read it, so the pins come from its table; it was changed, so it is read as TOML;
it is damaged, and the table decides after all; and the first through `rackgrid relays safe`. Beside
them a Python that does nothing, and the import of gpiozero, which the helper does without. Where
lgpio is installed its import is part of the figures, and no pin is driven; else it costs nothing.

    python tests/bench/bench_safe.py [--trials 40] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.figure import summary

from rackgrid_firmware.pin_table import write_table
from rackgrid_firmware.profile_file import load_profile
from rackgrid_firmware.safe_pins import table_of

SHIPPED = Path(__file__).parents[2] / "hardware" / "profiles" / "pi-relay4.toml"
STAND_IN = """
class error(Exception): pass
def gpiochip_open(chip): return 1
def gpio_claim_output(handle, gpio, level): return 0
"""
REAL_FIRST = """
import sys
ours = sys.modules.pop("lgpio")
sys.path.remove({folder!r})
import lgpio
sys.modules["lgpio"] = ours
"""


def cpu_ms(argv: list[str], env: dict[str, str]) -> float:
    """Measure one process, user and system time together."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    spent_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return 1e3 * spent_s


def ways(folder: Path) -> dict[str, list[str]]:
    """Prepare a folder, and name the commands to measure."""
    text = SHIPPED.read_text()
    for name, content in (("same", text), ("changed", f"{text}\n#"), ("damaged", text[:900])):
        (folder / name).write_text(content)
    table = str(folder / "pins")
    write_table(table, table_of(load_profile(SHIPPED), text.encode()))
    helper = [sys.executable, "-m", "rackgrid_firmware.safe"]
    options = ["--table", table]
    return {
        "python alone": [sys.executable, "-c", "pass"],
        "table": [*helper, str(folder / "same"), *options],
        "changed profile": [*helper, str(folder / "changed"), *options],
        "damaged profile": [*helper, str(folder / "damaged"), *options],
        "rackgrid relays safe": [
            *(sys.executable, "-m", "rackgrid", "relays", "safe", str(folder / "same")),
            *options,
        ],
        "import gpiozero alone": [sys.executable, "-c", "import gpiozero"],
    }


def main() -> None:
    """Measure all ways in turn, and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    is_real = find_spec("lgpio") is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = ways(folder)
        real_first = REAL_FIRST.format(folder=name) if is_real else ""
        (folder / "lgpio.py").write_text(real_first + STAND_IN)
        known = os.environ.get("PYTHONPATH", "")
        env = {**os.environ, "PYTHONPATH": f"{name}:{known}", "LG_WD": name}
        seen: dict[str, list[float]] = {way: [] for way in commands}
        for _ in range(args.trials):
            for way, argv in commands.items():
                seen[way].append(cpu_ms(argv, env))
    figures = {way: summary(times) for way, times in seen.items()}
    if args.json:
        print(json.dumps({"lgpio": "real" if is_real else "stand-in", "cpu_ms": figures}))
        return
    print(f"CPU ms, lgpio {'real' if is_real else 'a stand-in'}")
    for way, figure in figures.items():
        print(
            f"{way:24}{figure['min']:8.1f} min{figure['p50']:8.1f} median{figure['max']:8.1f} max"
        )


if __name__ == "__main__":
    main()
