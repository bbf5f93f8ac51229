"""A converter that visits its inputs in turn, several rounds, and hands out the means of a block.

That is how INA226 and INA260 work: shunt, bus, shunt, bus ..., as often as their AVG field says,
and only then do the registers change, all at once. Each mean is that of the time in which the
converter really looked at the input, so a load that switches within a block shows as it would.

Pure: time is an argument, ns. However many rounds a block has, a step costs the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence


class Averager:
    """The converter of one chip, switched off.

    Args:
        done: told the means by input, and how many blocks there have been, at the end of a block.
    """

    def __init__(self, done: Callable[[Mapping[int, float], int], None]) -> None:
        self._done = done
        self._levels: dict[int, float] = {}
        self._windows: tuple[tuple[int, int], ...] = ()
        self.blocks = 0
        """Finished since the start."""
        self._t_ns = 0
        self.stop()

    def feel(self, now_ns: int, levels: Mapping[int, float]) -> None:
        """Put these levels at the inputs, from now on."""
        self.advance(now_ns)
        self._levels = dict(levels)

    def start(
        self, at_ns: int, windows: Sequence[tuple[int, int]], rounds: int, *, continuous: bool
    ) -> None:
        """Begin a block.

        Args:
            at_ns: when.
            windows: of one round: an input, and how long the converter looks at it, ns.
            rounds: of a block.
            continuous: whether the next block follows, or the converter rests.
        """
        self._windows = tuple(windows)
        self._rounds = rounds
        self._round_ns = sum(length for _, length in windows)
        self._continuous = continuous
        self._begin(at_ns)

    def stop(self) -> None:
        """Switch the converter off."""
        self._windows = ()

    def advance(self, now_ns: int) -> None:
        """Let time pass."""
        assert now_ns >= self._t_ns, "time does not go back"
        while self._windows:
            block_ns = self._rounds * self._round_ns
            if self._continuous and self._t_ns <= self._begin_ns:
                # The inputs are constant, and the next blocks overwrite the ones between.
                skipped = max(0, (now_ns - self._begin_ns) // block_ns - 1)
                self._begin_ns += skipped * block_ns
                self.blocks += skipped
            end_ns = self._begin_ns + block_ns
            self._integrate(min(now_ns, end_ns))
            if now_ns < end_ns:
                break
            self._finish(end_ns)
        self._t_ns = now_ns

    def _begin(self, at_ns: int) -> None:
        self._begin_ns = at_ns
        self._integrals = dict.fromkeys((each for each, _ in self._windows), 0.0)

    def _integrate(self, until_ns: int) -> None:
        since = max(self._t_ns, self._begin_ns) - self._begin_ns
        until = until_ns - self._begin_ns
        if until <= since:
            return
        offset = 0
        for each, length in self._windows:
            seen = self._looked(until, offset, length) - self._looked(since, offset, length)
            self._integrals[each] += self._levels.get(each, 0.0) * seen
            offset += length
        self._t_ns = until_ns

    def _looked(self, t_ns: int, offset: int, length: int) -> int:
        """Say how long, of a block's first `t_ns`, the converter looked through a window."""
        rounds, into = divmod(t_ns, self._round_ns)
        return rounds * length + min(max(into - offset, 0), length)

    def _finish(self, end_ns: int) -> None:
        means = {
            each: self._integrals[each] / (self._rounds * length) for each, length in self._windows
        }
        self.blocks += 1
        if self._continuous:
            self._begin(end_ns)
        else:
            self.stop()
        self._done(means, self.blocks)
