"""Which level of which pin is safe, in a file that the fail-safe helper reads in a millisecond.

The firmware leaves it in its runtime directory when it starts. It is a copy of what the board
profile came to: the helper (`safe`) needs no TOML and no checks while that profile is unchanged,
and has something to go by when it was damaged after the firmware had read it. It lies on tmpfs, so
it never speaks of another boot, in which the pins may have been wired to something else.

    rackgrid-pins 1
    board pi-relay4 pi
    profile 4031 2774094135
    17 1 server
    22 0 fan
    end 2

The third line is length and CRC-32 of the profile; a pin's line is BCM number, safe level, name.

No dataclass, path or regular expression: their imports alone would cost more than the rest of the
helper.
"""

from __future__ import annotations

import os
import zlib

MAGIC = "rackgrid-pins 1"
TABLE_MAX = 65536
"""Longest table, bytes."""
GPIO_MAX = 27
"""The header's highest pin."""

Pins = dict[str, tuple[int, bool]]
"""By output: BCM number of its pin, and the level that is safe."""


class PinTable:
    """What one profile came to.

    Attributes:
        board, driver: of the profile.
        stamp: of the profile's text, see `stamp_of`.
        pins: in the profile's order.
    """

    __slots__ = ("board", "driver", "pins", "stamp")

    def __init__(self, board: str, driver: str, stamp: str, pins: Pins) -> None:
        self.board = board
        self.driver = driver
        self.stamp = stamp
        self.pins = pins

    def __str__(self) -> str:
        """Write it as the file has it."""
        lines = [MAGIC, f"board {self.board} {self.driver}", f"profile {self.stamp}"]
        lines += [f"{gpio} {int(level)} {name}" for name, (gpio, level) in self.pins.items()]
        return "\n".join([*lines, f"end {len(self.pins)}\n"])


def stamp_of(profile: bytes) -> str:
    """Tell one text of a profile from another; against accidents, not against malice."""
    return f"{len(profile)} {zlib.crc32(profile)}"


def write_table(path: str, table: PinTable) -> None:
    """Leave a table for the helper; whoever reads it sees all of it or the one before.

    Raises:
        OSError: it cannot be written there.
    """
    fresh = f"{path}.new"
    with open(fresh, "w", encoding="ascii") as file:
        file.write(str(table))
    os.replace(fresh, path)


def read_table(path: str) -> PinTable:
    """Read a table.

    Raises:
        OSError: it is not there, or not for this user.
        ValueError: it is not a whole table.
    """
    with open(path, encoding="ascii") as file:
        try:
            return _parsed(file.read(TABLE_MAX).split("\n"))
        except (ValueError, IndexError) as fault:
            raise ValueError(
                f"{path} is no whole pin table; a start of the firmware mends it"
            ) from fault


def _parsed(lines: list[str]) -> PinTable:
    magic, board_line, stamp_line, *rest = lines
    # What follows the pins is the end with their number, and the empty line after the last break.
    count = len(rest) - 2
    kind, board, driver = board_line.split(" ")
    mark, _, stamp = stamp_line.partition(" ")
    frame = (magic, kind, mark, rest[count:])
    if count < 0 or frame != (MAGIC, "board", "profile", [f"end {count}", ""]):
        raise ValueError(frame)
    pins: Pins = {}
    for line in rest[:count]:
        gpio, level, name = line.split(" ")
        pins[name] = (_within(int(gpio), GPIO_MAX), bool(_within(int(level), 1)))
    return PinTable(board, driver, stamp, pins)


def _within(number: int, most: int) -> int:
    if not 0 <= number <= most:
        raise ValueError(number)
    return number
