"""Play a campaign: racks by the thousand under faults, each instant of each judged.

    .venv/bin/python tests/bench/bench_campaign.py [--compiled] [--jobs 2] [--json]
        [--fives 20000] [--nines 2000] [--churns 2000] [--seed-from 1000000]

Three parts: racks of five, racks of nine, and racks of five whose roster changes under fault, 30 s
each. Plays them in rounds of `rackgrid sim`, a line each, so that what was seen is not lost with
the process. Ends with the sums: seeds a second, simulated seconds a second of one core, faults by
kind, how often each hard state was reached, what was violated (then it exits with 1), and a digest
of all digests. With --compiled it plays a copy that mypyc has made of the same source
(`compiled.py`: five minutes, once), after both have written the same transcripts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from tests.bench.compiled import compiled  # noqa: E402

ROUND = 400
"""Racks of five in a round; of the other parts a tenth, so that a round takes about a minute."""
SECONDS = 30
PROOF = ("--seeds", "14", "--jobs", "1")
"""What the copy and the source must both write."""

Figures = dict[str, object]


def main() -> int:
    """Play them, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fives", type=int, default=400)
    parser.add_argument("--nines", type=int, default=40)
    parser.add_argument("--churns", type=int, default=40)
    parser.add_argument("--seed-from", type=int, default=1_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    path = None
    if args.compiled:
        path = compiled(ROOT / ".venv" / "compiled")
        ours, theirs = (played(PROOF, where)["digest"] for where in (path, None))
        if ours != theirs:
            print(f"the copy in {path} plays other racks than the source", file=sys.stderr)
            return 1
    sums: dict[str, Counter[str]] = {"faults": Counter(), "sometimes": Counter()}
    violations: list[object] = []
    seeds, whole, began = 0, hashlib.sha256(), time.monotonic()
    for words in rounds(args.fives, args.nines, args.churns, args.seed_from):
        found = played((*words, "--jobs", str(args.jobs)), path)
        print(json.dumps({"round": " ".join(words), **found}), file=sys.stderr, flush=True)
        violations += cast("list[object]", found["violations"])
        for name, sum_ in sums.items():
            sum_.update(cast("dict[str, int]", found[name]))
        whole.update(str(found["digest"]).encode())
        seeds += cast("int", found["seeds"])
    took_s = time.monotonic() - began
    figures = {
        "seeds": seeds,
        "seeds_per_s": round(seeds / took_s, 2),
        "speed_of_a_core": round(seeds * SECONDS / (took_s * args.jobs), 1),
        "violations": violations,
        "digest": whole.hexdigest(),
        **{name: dict(sorted(sum_.items())) for name, sum_ in sums.items()},
    }
    print(json.dumps(figures, indent=None if args.json else 2))
    return 1 if violations else 0


def rounds(fives: int, nines: int, churns: int, first: int) -> Iterator[tuple[str, ...]]:
    """The words of each round; no two parts share a seed."""
    parts = (
        (fives, ROUND, ("--nodes", "5")),
        (nines, ROUND // 10, ("--nodes", "9")),
        (churns, ROUND // 10, ("--nodes", "5", "--plot", "churn")),
    )
    for whole, step, words in parts:
        for start in range(0, whole, step):
            size = min(step, whole - start)
            seeded = ("--seeds", str(size), "--seed-from", str(first + start))
            yield (*words, *seeded, "--seconds", str(SECONDS))
        first += whole


def played(words: tuple[str, ...], path: Path | None) -> Figures:
    """What `rackgrid sim` said of one round.

    Raises:
        RuntimeError: it said nothing, or died.
    """
    run = subprocess.run(
        [sys.executable, "-m", "rackgrid", "sim", "--json", *words],
        env=os.environ | ({"PYTHONPATH": str(path)} if path else {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 1) or not run.stdout:
        raise RuntimeError(
            f"rackgrid sim {' '.join(words)}: {run.returncode}: {run.stderr[-2000:]}"
        )
    found: Figures = json.loads(run.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
