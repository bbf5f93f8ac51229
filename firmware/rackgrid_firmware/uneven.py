"""Times that are in step with nothing.

What is measured now and then, or begun anew after a fixed time, keeps step with a load that pulses
by a round number of a second, and then sees the same part of each pulse.
"""

from __future__ import annotations


def uneven(count: int) -> tuple[float, float]:
    """Give the next point in the unit square; all together fill it evenly, in step with nothing.

    Source: the additive recurrence by the plastic number (M. Roberts, "The unreasonable
    effectiveness of quasirandom sequences", 2018).
    """
    return count * 0.7548776662466927 % 1.0, count * 0.5698402909980532 % 1.0
