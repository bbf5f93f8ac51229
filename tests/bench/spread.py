"""How a current varies, from the plant's truth: over all the time, and within a meter's cycles.

What a meter that samples V and I apart leaves out on a feed of R ohm is R·var(I), where the
variance is that within one of its cycles: what changes more slowly it sees. The variance over all
the time bounds that from above, whatever the meter.
"""

from __future__ import annotations


class Spread:
    """The variance of one current that is constant between changes, or pulses fast.

    Args:
        now_ns: when it begins, ns.
        window_ns: how long a cycle of the meter takes, ns.
    """

    def __init__(self, now_ns: int, window_ns: int) -> None:
        self._t_ns = now_ns
        self._window_ns = window_ns
        self._ends_ns = now_ns + window_ns
        self._span = self._sum = self._squares = 0.0
        self._own = [0.0, 0.0, 0.0]
        self.inside = 0.0
        """The variance within the cycles, times the time, A²s."""

    @property
    def whole(self) -> float:
        """The variance over all the time, times the time, A²s."""
        return self._squares - self._sum * self._sum / self._span if self._span else 0.0

    def add(self, until_ns: int, amps: float, duty: float = 1.0, *, is_close: bool = False) -> None:
        """Let a current flow until then.

        Args:
            until_ns: ns.
            amps: in the mean, A.
            duty: the share of the time in which it flows, if it pulses.
            is_close: whether the meter looks so closely that nothing is within one of its cycles.
        """
        square = amps * amps / duty
        if is_close and until_ns > self._t_ns:
            self._own, self._ends_ns = [0.0, 0.0, 0.0], until_ns + self._window_ns
            self._count((until_ns - self._t_ns) / 1e9, amps, square)
            self._t_ns = until_ns
        while self._t_ns < until_ns:
            count = 0
            if self._t_ns == self._ends_ns - self._window_ns:
                count = (until_ns - self._t_ns) // self._window_ns
            if count:
                span_ns = count * self._window_ns
                self._ends_ns += span_ns
                self.inside += (square - amps * amps) * span_ns / 1e9
            else:
                span_ns = min(until_ns, self._ends_ns) - self._t_ns
                self._take(span_ns / 1e9, amps, square)
            self._t_ns += span_ns
            self._count(span_ns / 1e9, amps, square)

    def _count(self, span_s: float, amps: float, square: float) -> None:
        self._span += span_s
        self._sum += amps * span_s
        self._squares += square * span_s

    def _take(self, span_s: float, amps: float, square: float) -> None:
        """Take a part of a cycle, and close the cycle if this was its last."""
        own = self._own
        own[0] += span_s
        own[1] += amps * span_s
        own[2] += square * span_s
        if own[0] * 1e9 >= self._window_ns - 0.5:
            self.inside += own[2] - own[1] * own[1] / own[0]
            self._own = [0.0, 0.0, 0.0]
            self._ends_ns += self._window_ns
