"""A real MQTT server for tests, on a loopback port of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from tests.rack.patience import DEADLINE_S, until


class Mosquitto:
    """A server that can be killed and come back on its port, without its memory."""

    def __init__(self, folder: Path, settings: str = "allow_anonymous true\n") -> None:
        """Prepare one; `settings` are further lines of its configuration."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\npersistence false\n{settings}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["mosquitto", "-c", str(self._config)], stderr=subprocess.DEVNULL
        )
        until("Mosquitto listens", self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "Mosquitto ended by itself"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_S)
            self._process = None
