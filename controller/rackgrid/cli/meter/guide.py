"""Who sets the current: a person who is asked, or a rig that is told.

A rig reads JSON lines from us and answers with JSON lines, one for one, when the current stands:

    > {"step": "zero"}                   < {"reference_a": 0}
    > {"step": "point", "amps": 0.5}     < {"reference_a": 0.5012}
"""

from __future__ import annotations

import json
import sys
from typing import Protocol, TextIO

from rackgrid.cli import say
from rackgrid.cli.api import is_object
from rackgrid.errors import RackgridError


class Guide(Protocol):
    """Sets currents."""

    def zero(self) -> None:
        """Switch the load off; returns when it is."""
        ...

    def point(self, amps: float) -> float:
        """Set about this current, A; returns when it stands, with what the reference says."""
        ...


class Person:
    """Somebody at the bench."""

    def __init__(self, answers: TextIO | None = None) -> None:
        self._answers = answers or sys.stdin

    def zero(self) -> None:
        """Ask for the load to be switched off."""
        say("Switch the load off (nothing connected behind the meter), then press Enter.")
        self._answer()

    def point(self, amps: float) -> float:
        """Ask for a current, and for what the reference says; Enter alone means: just that."""
        say(
            f"Set about {amps:g} A and let it settle. Then type what the reference reads, in A "
            f"(Enter alone: {amps:g}):"
        )
        while True:
            text = self._answer()
            try:
                return amps if not text else _amps(float(text.replace(",", ".")))
            except ValueError:
                say(
                    f"{text[:40]!r} is no current: type it as a number of amperes, such as {amps:g}"
                )

    def _answer(self) -> str:
        line = self._answers.readline()
        if not line:
            raise RackgridError("the input ended: nothing written; --script is for programs")
        return line.strip()


class Rig:
    """A program that sets loads."""

    def __init__(self, answers: TextIO | None = None, orders: TextIO | None = None) -> None:
        self._answers = answers or sys.stdin
        self._orders = orders or sys.stdout

    def zero(self) -> None:
        """Order the load off."""
        if self._ask({"step": "zero"}) != 0.0:
            raise RackgridError('the rig answers a zero with {"reference_a": 0}: nothing written')

    def point(self, amps: float) -> float:
        """Order a current."""
        try:
            return _amps(self._ask({"step": "point", "amps": amps}))
        except ValueError as fault:
            raise RackgridError(
                f"the rig's answer to {amps:g} A: {fault}: nothing written"
            ) from fault

    def _ask(self, order: dict[str, object]) -> float:
        print(json.dumps(order), file=self._orders, flush=True)
        line = self._answers.readline()
        if not line:
            raise RackgridError(f"the rig gave no answer to {json.dumps(order)}: nothing written")
        try:
            answer: object = json.loads(line)
        except ValueError:
            answer = None
        value = answer.get("reference_a") if is_object(answer) else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RackgridError(
                f"the rig answered {line.strip()[:60]!r} to {json.dumps(order)}; it answers with "
                '{"reference_a": A}: nothing written'
            )
        return float(value)


def _amps(value: float) -> float:
    """Refuse what is no current to calibrate at.

    Raises:
        ValueError: it is nothing, or no number.
    """
    if not 0 < abs(value) <= 1000:
        raise ValueError(f"{value} is no current")
    return value
