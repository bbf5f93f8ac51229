"""How the benches write their figures: order statistics, never a mean alone."""

from __future__ import annotations

from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The nearest-rank quantile: the least value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    rank = max(1, -(-round(share * 1_000_000) * len(ordered) // 1_000_000))
    return ordered[rank - 1]


def summary(values: Sequence[float]) -> dict[str, float]:
    """Minimum, median, 95th and 99th percentile, maximum, and how many there were."""
    named = {"min": 0.0, "p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    figures = {name: round(quantile(values, share), 3) for name, share in named.items()}
    return {"n": len(values), **figures}
