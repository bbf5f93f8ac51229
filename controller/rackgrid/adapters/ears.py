"""What a node hears over MQTT: tariffs, the temperatures of its thermal loads, and commands.

One connection for all, in the loop of the control thread (`plug.line`). A price goes into an offer,
a temperature into a bid, and the market decides; commands are off by default (`orders`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rackgrid.adapters.plug.line import Line, Listener
from rackgrid.config import MqttConfig


class Ears:
    """Listens to topics, from `start` to `close`.

    Args:
        config: where the server is and how to get in.

    Raises:
        ConfigError: a file that the configuration names cannot be read.
    """

    def __init__(self, config: MqttConfig) -> None:
        self._line = Line(config, "prices, temperatures and commands")
        self._task: asyncio.Task[None] | None = None

    def listen(self, topic: str, listener: Listener, *, retained: bool) -> None:
        """Hear what is published under a topic.

        Args:
            retained: whether what the server has kept from earlier counts, too.
        """
        self._line.listen(topic, listener, retained=retained)

    @property
    def rejected(self) -> Mapping[str, int]:
        """What was heard and not taken, by reason."""
        return self._line.rejected

    def start(self) -> None:
        """Connect, now and whenever the connection is lost."""
        self._task = asyncio.get_running_loop().create_task(self._line.run())

    def close(self) -> None:
        """Hear no more."""
        if self._task is not None:
            self._task.cancel()
