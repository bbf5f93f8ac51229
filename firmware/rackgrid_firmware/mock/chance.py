"""Chance without a state: a number from a seed and the place where it is used.

A random generator with a state gives other numbers as soon as somebody asks once more than before;
then a chip that is read twice as often would see other noise, and a run could not be compared with
another. Here the n-th number of a seed is what it is, whoever asked before.

Source: the finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
"""

from __future__ import annotations

import zlib

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_TOP = float(1 << 64)


def seeded(seed: int, *names: str | int) -> int:
    """Derive a seed of its own for the thing that `names` name."""
    for name in names:
        word = zlib.crc32(name.encode()) if isinstance(name, str) else name
        seed = bits(seed, word)
    return seed


def bits(seed: int, index: int) -> int:
    """Give the index-th 64 bits of a seed."""
    z = (seed + (index + 1) * _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def uniform(seed: int, index: int) -> float:
    """Give the index-th number of a seed, evenly spread over [-1, 1)."""
    return bits(seed, index) / _TOP * 2.0 - 1.0


def normal(seed: int, index: int) -> float:
    """Give the index-th number of a seed, nearly normal: mean 0, deviation 1, never beyond 3.47.

    The sum of four even 16-bit numbers: bounded, as a converter's noise is, and cheap.
    """
    z = bits(seed, index)
    total = (z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)
    return (total - 131070.0) / 37837.2
