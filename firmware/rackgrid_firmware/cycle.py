"""How long a chip's cycle is, and when its ends come: all that is known, and nothing guessed.

End number n of a cycle of length T lies at a + n T. Each look at the chip's ready flag says of one
end that it lies between two moments. Each such word is a stripe in the plane of (a, T), and what is
possible is where all stripes meet: a convex polygon. Some ten looks, each no finer than a transfer
of 120 µs, leave so little of it that the cycle is known to thousandths, where any two of them
would leave a twentieth; and no chance is taken: the truth is inside as long as T holds still.

T drifts with the chip's temperature. So only the newest looks count, and predictions widen by a
drift that is far above any chip's within that time. Looks that contradict each other leave nothing.

Source: the set-membership approach to estimation (Schweppe 1968; Walter and Piet-Lahanier, exact
recursive polyhedral description of the feasible parameter set, 1989), here in two dimensions.
"""

from __future__ import annotations

from typing import Final

LOOKS_MAX: Final = 16
"""So many looks count at most; when there are more, every other one of the older half goes."""
SPAN_MAX: Final = 1024
"""Looks that are so many conversions old count no more."""
DRIFT: Final = 5e-5
"""So much T may change from one look to the next."""
LATER: Final = 1e-3
"""So much T may change over many looks."""

_Look = tuple[int, int, int]
_Polygon = list[tuple[float, float]]


class Cycle:
    """What is known of one chip's cycle.

    Args:
        shortest_ns, longest_ns: what it may be before the first look, ns.
    """

    def __init__(self, shortest_ns: float, longest_ns: float) -> None:
        assert 0 < shortest_ns <= longest_ns, f"a cycle of {shortest_ns} to {longest_ns} ns"
        self._first = shortest_ns, longest_ns
        self._looks: list[_Look] = []
        self._origin: _Look | None = None
        self._polygon: _Polygon = []
        self.shortest_ns, self.longest_ns = shortest_ns, longest_ns

    def learn(self, index: int, lo_ns: int, hi_ns: int) -> bool:
        """Take the word of a look: end number `index` lies between these two moments.

        Returns:
            Whether that can be; if not, nothing is known any more, and this object is spent.
        """
        self._looks.append((index, lo_ns, hi_ns))
        if len(self._looks) > LOOKS_MAX:
            recent = [look for look in self._looks if index - look[0] <= SPAN_MAX]
            self._looks = recent[: -LOOKS_MAX // 2 : 2] + recent[-LOOKS_MAX // 2 :]
            self._first = self.loosened()
            self._polygon = []
        if not self._polygon:
            return self._rebuild()
        return self._cut(self._looks[-1])

    def loosened(self) -> tuple[float, float]:
        """Give shortest and longest, ns, as they may be some time later."""
        return self.shortest_ns * (1.0 - LATER), self.longest_ns * (1.0 + LATER)

    def bounds(self, index: int) -> tuple[int, int]:
        """Say where an end lies, ns; only after a look."""
        assert self._origin is not None
        first, base_ns, _ = self._origin
        count = index - first
        ends = [a + count * t for a, t in self._polygon]
        return base_ns + int(min(ends)), base_ns + int(max(ends)) + 1

    def _rebuild(self) -> bool:
        self._origin = index, lo_ns, hi_ns = self._looks[0]
        low, high = self._first
        width = float(hi_ns - lo_ns)
        self._polygon = [(0.0, low), (width, low), (width, high), (0.0, high)]
        self.shortest_ns, self.longest_ns = low, high
        return all(self._cut(look) for look in self._looks if look[0] > index)

    def _cut(self, look: _Look) -> bool:
        """Leave of the polygon what lies in a look's stripe."""
        assert self._origin is not None
        count, base_ns = look[0] - self._origin[0], self._origin[1]
        above = _clipped(self._polygon, count, float(look[1] - base_ns), 1.0)
        self._polygon = _clipped(above, count, float(look[2] - base_ns), -1.0)
        if not self._polygon:
            return False
        self.shortest_ns = min(t for _, t in self._polygon)
        self.longest_ns = max(t for _, t in self._polygon)
        return True


def _clipped(polygon: _Polygon, count: int, bound: float, sign: float) -> _Polygon:
    """Keep the part where sign * (a + count * T - bound) is not negative (Sutherland, Hodgman)."""
    kept: _Polygon = []
    if not polygon:
        return kept
    a0, t0 = polygon[-1]
    d0 = sign * (a0 + count * t0 - bound)
    for a1, t1 in polygon:
        d1 = sign * (a1 + count * t1 - bound)
        if (d0 >= 0.0) != (d1 >= 0.0):
            part = d0 / (d0 - d1)
            kept.append((a0 + part * (a1 - a0), t0 + part * (t1 - t0)))
        if d1 >= 0.0:
            kept.append((a1, t1))
        a0, t0, d0 = a1, t1, d1
    return kept
