"""What the plant's process answers to its clients: packets in, packets out, no sockets.

Bus connections speak binary words (see `client`); pins and control speak JSON. A packet that is
none of this is answered with an error and changes nothing.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any, cast

from rackgrid_firmware.mock.client import ANSWER, WORD, WRITE
from rackgrid_firmware.mock.deed import perform
from rackgrid_firmware.mock.plant import Plant
from rackgrid_firmware.mock.wiring import from_json

Packet = dict[str, Any]
Clerk = Callable[[int, bytes], bytes]
"""Answers a packet that came at a moment (ns)."""


class Desk:
    """Serves the plant to connections; each gets a clerk of its own by its first packet."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant

    def introduce(self, now_ns: int, packet: bytes) -> tuple[bytes, Clerk | None, str]:
        """Take a connection's first packet.

        Args:
            now_ns: the moment, ns.
            packet: what came.

        Returns:
            The answer; the clerk (None: hang up); the node whose firmware this is, or "".
        """
        try:
            hello = _parse(packet)
            match hello.get("role"):
                case "bus":
                    return _DONE, self._bus(str(hello["node"]), int(hello["bus"])), ""
                case "pins":
                    wiring = from_json(cast("Packet", hello["wiring"]))
                    self._plant.plug(now_ns, wiring)
                    return _DONE, self._json(self._pins(wiring.node)), wiring.node
                case "control":
                    return _DONE, self._json(self._control), ""
                case role:
                    raise ValueError(f"unknown role {role!r}: bus, pins or control")
        except (KeyError, TypeError, ValueError) as fault:
            return _error(fault), None, ""

    def _bus(self, node: str, bus: int) -> Clerk:
        plant = self._plant

        def answer(now_ns: int, packet: bytes) -> bytes:
            if len(packet) != WORD.size:
                return _error(ValueError(f"a bus request has {WORD.size} bytes"))
            operation, address, register, value = WORD.unpack(packet)
            try:
                if operation == WRITE:
                    plant.write_word(now_ns, node, bus, address, register, value)
                    return ANSWER.pack(0, 0)
                return ANSWER.pack(0, plant.read_word(now_ns, node, bus, address, register))
            except OSError as fault:
                return ANSWER.pack(fault.errno, 0)
            except ValueError:  # a node that nobody plugged in has no bus
                return ANSWER.pack(errno.ENODEV, 0)

        return answer

    def _pins(self, node: str) -> Callable[[int, Packet], Packet]:
        def answer(now_ns: int, request: Packet) -> Packet:
            gpio = int(request["gpio"])
            if "duty" in request:
                duty, hz = float(request["duty"]), float(request["hz"])
                self._plant.modulate(now_ns, node, gpio, duty, hz)
            else:
                self._plant.drive(now_ns, node, gpio, bool(request["level"]))
            return {}

        return answer

    def _control(self, now_ns: int, request: Packet) -> Packet:
        plant = self._plant
        match request.get("do"):
            case "draws":
                return self._draws(now_ns)
            case "levels":
                return {"levels": plant.levels(request["node"])}
            case "temperatures":
                return self._temperatures(now_ns, request["node"])
            case _:
                perform(plant, now_ns, request)
        return {}

    def _temperatures(self, now_ns: int, name: str) -> Packet:
        loads = self._plant.state(now_ns, name).loads
        found = {output: load.celsius(now_ns) for output, load in loads.items()}
        return {"celsius": {name: value for name, value in found.items() if value is not None}}

    def _draws(self, now_ns: int) -> Packet:
        draws = self._plant.draws(now_ns)
        feed = self._plant.feed
        return {
            "t_ns": now_ns,
            "feed": {"volts": feed.volts, "watts": feed.watts},
            "nodes": {
                name: {
                    "watts": draw.watts,
                    "required_w": draw.required_w,
                    "flexible_w": draw.flexible_w,
                    "loads": dict(draw.loads),
                }
                for name, draw in draws.items()
            },
        }

    def _json(self, serve: Callable[[int, Packet], Packet]) -> Clerk:
        def answer(now_ns: int, packet: bytes) -> bytes:
            try:
                return json.dumps(serve(now_ns, _parse(packet))).encode()
            except (KeyError, TypeError, ValueError) as fault:
                return _error(fault)

        return answer


_DONE = b"{}"


def _parse(packet: bytes) -> Packet:
    request: object = json.loads(packet)
    if not isinstance(request, dict):
        raise TypeError("a packet is one JSON object")
    return cast("Packet", request)


def _error(fault: Exception) -> bytes:
    text = f"missing key {fault}" if isinstance(fault, KeyError) else str(fault)
    return json.dumps({"error": text}).encode()
