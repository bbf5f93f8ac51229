"""Play datagrams of strangers, thieves and key-holders in large numbers: envelope and codec.

    .venv/bin/python tests/bench/bench_fuzz.py [--count 10000000] [--seed 1] [--json]

Each input is one of these, from the corpus of `tests/datagrams.py`: mangled bytes (a stranger's), a
recording (a thief's), or a mangled payload under a right seal (a key-holder's), also as the proof
of a boot. What is opened is decoded, and what can be decoded must encode to the same bytes. Ends at
the first input that raises or does not, and prints its number and the seed. Prints what came of
them, how fast, and by how much the memory grew over the second half.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "controller"), str(ROOT / "firmware")]

from tests.datagrams import Fuzzer  # noqa: E402

BATCH = 10_000


def main() -> int:
    """Play them, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    fuzzer, outcomes = Fuzzer(args.seed), Counter[str]()
    began, halfway_kb, played = time.monotonic(), 0, 0
    while played < args.count:
        for _ in range(min(BATCH, args.count - played)):
            try:
                outcomes[fuzzer.play()] += 1
            except Exception as fault:
                print(f"input {played} of seed {args.seed}: {fault!r}", file=sys.stderr)
                raise
            played += 1
        if not halfway_kb and played * 2 >= args.count:
            halfway_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - halfway_kb
    took_s = time.monotonic() - began
    figures = {
        "played": played,
        "per_s": round(played / took_s),
        "grown_kb_in_second_half": grown_kb,
        "outcomes": dict(sorted(outcomes.items())),
    }
    print(json.dumps(figures, indent=None if args.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
