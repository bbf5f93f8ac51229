"""The way from a node's firmware, or from a script, to the plant's process.

One connection for one purpose, introduced by a JSON packet: a *bus* connection speaks words in
binary (it is the hot path), a *pins* connection drives a node's pins, a *control* connection is for
the script of a demo or a test. Every request has an answer, so a call returns when the plant has
followed.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any, cast

from rackgrid_firmware.errors import DeviceError, DeviceUnavailable
from rackgrid_firmware.mock.wiring import NodeWiring, to_json

PACKET_MAX = 65536
"""Longest packet, bytes."""
WORD = struct.Struct("<BBBxH")
"""A bus request: 0 to read or 1 to write, address, register, value."""
ANSWER = struct.Struct("<HH")
"""A bus answer: errno or 0, value."""
READ, WRITE = 0, 1
TIMEOUT_S = 5.0
"""The plant answers in microseconds; one that is silent for so long is gone."""


class PlantLine:
    """A connection to the plant; safe to use from several threads."""

    def __init__(self, path: str | Path, role: str, **introduction: Any) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
        self._socket.settimeout(TIMEOUT_S)
        try:
            self._socket.connect(self._path)
            self.ask({"role": role, **introduction})
        except OSError as fault:
            self._socket.close()
            if isinstance(fault, DeviceError):
                raise
            raise self._gone(fault) from fault
        except BaseException:
            self._socket.close()
            raise

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a JSON request and wait for its answer.

        Raises:
            DeviceUnavailable: the plant is gone.
            ValueError: the plant says no; the message says why.
        """
        answer = self.exchange(json.dumps(request).encode())
        reply = cast("dict[str, Any]", json.loads(answer))
        if "error" in reply:
            raise ValueError(str(reply["error"]))
        return reply

    def exchange(self, packet: bytes) -> bytes:
        """Send a packet and wait for the one that answers it.

        Raises:
            DeviceUnavailable: the plant is gone.
        """
        with self._lock:
            try:
                self._socket.send(packet)
                answer = self._socket.recv(PACKET_MAX)
            except OSError as fault:
                self._socket.close()  # a late answer must not pass for the next one's
                raise self._gone(fault) from fault
        if not answer:
            raise self._gone("it closed the connection")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _gone(self, why: object) -> DeviceUnavailable:
        return DeviceUnavailable(
            f"no answer from the plant at {self._path} ({why}): start it with "
            f"`python -m rackgrid_firmware.mock.process --socket {self._path}`"
        )


class RemotePort:
    """The registers of one bus of one node, in the plant's process."""

    def __init__(self, path: str | Path, node: str, bus: int) -> None:
        self._line = PlantLine(path, "bus", node=node, bus=bus)

    def read_word(self, address: int, register: int) -> int:
        """Read a register, high byte first."""
        return self._word(READ, address, register, 0)

    def write_word(self, address: int, register: int, value: int) -> None:
        """Write a register, high byte first."""
        self._word(WRITE, address, register, value)

    def close(self) -> None:
        """Hang up."""
        self._line.close()

    def _word(self, operation: int, address: int, register: int, value: int) -> int:
        packet = self._line.exchange(WORD.pack(operation, address, register, value))
        code, word = ANSWER.unpack(packet)
        if code:
            raise OSError(code, os.strerror(code))
        return int(word)


class RemotePins:
    """The pins of one node; to connect is to plug the node in.

    While the connection lives the plant takes the node's firmware for running; when it ends, the
    pins stay as they are, or (a plant with `strict_gpiod`) become inputs.
    """

    def __init__(self, path: str | Path, wiring: NodeWiring) -> None:
        self._line = PlantLine(path, "pins", wiring=to_json(wiring))

    def drive(self, gpio: int, level: bool) -> None:
        """Drive a pin; when this returns the contact has followed."""
        self._line.ask({"gpio": gpio, "level": level})

    def modulate(self, gpio: int, duty: float, hz: float) -> None:
        """Drive a pin high for `duty` of the time, 0 to 1, `hz` times a second."""
        self._line.ask({"gpio": gpio, "duty": duty, "hz": hz})

    def close(self) -> None:
        """Hang up."""
        self._line.close()


class PlantControl:
    """What the script of a demo or a test does to the world."""

    def __init__(self, path: str | Path) -> None:
        self._line = PlantLine(path, "control")

    def do(self, deed: str, **given: Any) -> None:
        """Do any deed, by its name (see `deed.DEEDS`).

        Raises:
            ValueError: it cannot be done; the message says why.
        """
        self._line.ask({"do": deed, **given})

    def celsius(self, node: str) -> dict[str, float]:
        """Give the temperature of what each thermal load heats or cools, degrees Celsius."""
        found = self._line.ask({"do": "temperatures", "node": node})["celsius"]
        return cast("dict[str, float]", found)

    def set_source(self, node: str, meter: str, watts: float) -> None:
        """Let the source behind a meter give so much, W."""
        self._line.ask({"do": "set-source", "node": node, "meter": meter, "watts": watts})

    def set_load(self, node: str, output: str, draw_w: float) -> None:
        """Let a load draw so much once it runs, W."""
        self._line.ask({"do": "set-load", "node": node, "output": output, "watts": draw_w})

    def weld(self, node: str, output: str, welded: bool) -> None:
        """Weld a contact, or repair it."""
        self._line.ask({"do": "weld", "node": node, "output": output, "welded": welded})

    def brown_out(self, node: str) -> None:
        """Dip the supply of a node's chips."""
        self._line.ask({"do": "brown-out", "node": node})

    def fault(
        self, node: str, bus: int, kind: str, *, address: int | None = None, count: int = 1
    ) -> None:
        """Let the next transfers on a bus fail ("nack", "timeout", "garbage"); -1 is for good."""
        self._line.ask(
            {
                "do": "fault",
                "node": node,
                "bus": bus,
                "kind": kind,
                "address": address,
                "count": count,
            }
        )

    def repair(self, node: str, bus: int) -> None:
        """Take back every fault of a bus."""
        self._line.ask({"do": "repair", "node": node, "bus": bus})

    def draws(self) -> dict[str, Any]:
        """Give the truth: `{"t_ns", "feed": {"volts", "watts"}, "nodes": {name: {...}}}`."""
        return self._line.ask({"do": "draws"})

    def levels(self, node: str) -> dict[int, bool | None]:
        """Say how a node's pins are driven: high, low, or None for an input."""
        levels = cast(
            "dict[str, bool | None]", self._line.ask({"do": "levels", "node": node})["levels"]
        )
        return {int(gpio): level for gpio, level in levels.items()}

    def close(self) -> None:
        """Hang up."""
        self._line.close()
