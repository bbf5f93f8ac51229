"""A stand-in for lgpio that records what its calls would do at the pins, call by call."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

PI_4B = 0xA03111


class LgpioError(Exception):
    """What lgpio raises; its text is the library's error text."""


LgpioError.__module__ = "lgpio"


class RecordingLgpio(ModuleType):
    """The calls of lgpio, and what each would leave at the pin: its level, "input" if undriven,
    (hz, duty in %) while it pulses, "any" where it stopped pulsing.
    """

    BOTH_EDGES, RISING_EDGE, FALLING_EDGE = 3, 1, 2
    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 128, 32, 64
    error = LgpioError

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.calls: list[tuple[Any, ...]] = []
        self.levels: dict[int, list[int | str | tuple[float, float]]] = {}
        self.fault: str = ""
        self.open_fault: str = ""

    def gpiochip_open(self, chip: int) -> int:
        self.calls.append(("open", chip))
        if self.open_fault:
            raise LgpioError(self.open_fault)
        return 1

    def gpiochip_close(self, handle: int) -> None:
        self.calls.append(("close",))

    def gpio_claim_input(self, handle: int, gpio: int, flags: int = 0) -> None:
        self.calls.append(("claim_input", gpio))
        self.levels.setdefault(gpio, []).append("input")

    def gpio_claim_output(self, handle: int, gpio: int, level: int = 0, flags: int = 0) -> None:
        if self.fault:
            raise LgpioError(self.fault)
        self.calls.append(("claim_output", gpio, level))
        self.levels.setdefault(gpio, []).append(level)

    def gpio_write(self, handle: int, gpio: int, level: int) -> None:
        if self.fault:
            raise LgpioError(self.fault)
        self.calls.append(("write", gpio, int(level)))
        self.levels.setdefault(gpio, []).append(int(level))

    def tx_pwm(self, handle: int, gpio: int, hz: float, duty: float) -> int:
        """As lgGpio.c has it: to stop what does not pulse is an error, and so is a bad duty."""
        if self.fault:
            raise LgpioError(self.fault)
        pulses = isinstance(self.levels[gpio][-1], tuple)
        if hz == 0 and not pulses:
            raise LgpioError("bad PWM micros")
        if hz and not (0.1 <= hz <= 10_000 and 0 <= duty <= 100):
            raise LgpioError("bad PWM frequency or duty")
        self.calls.append(("tx_pwm", gpio, hz, duty))
        if hz:
            self.levels[gpio].append((hz, duty))
        else:
            self.levels[gpio].append("any")  # it stops wherever it is
        return 9

    def gpio_get_mode(self, handle: int, gpio: int) -> int:
        return 2 if self.levels.get(gpio, ["input"])[-1] != "input" else 0

    def gpio_read(self, handle: int, gpio: int) -> int:
        level = self.levels[gpio][-1]
        assert isinstance(level, int)
        return level


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Generator[RecordingLgpio]:
    """Put a recorder in the place of lgpio, on what passes for a Pi 4."""
    recorder = RecordingLgpio()
    local = importlib.import_module("gpiozero.pins.local")
    monkeypatch.setitem(sys.modules, "lgpio", recorder)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    monkeypatch.setattr(local, "get_pi_revision", lambda: PI_4B)
    yield recorder
    sys.modules.pop("gpiozero.pins.lgpio", None)
    local.LocalPiFactory.pins.clear()
    local.LocalPiFactory._reservations.clear()
