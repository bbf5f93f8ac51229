"""What hears over MQTT ends when it is told to, server or none; the rest is in `tests/rack`."""

from __future__ import annotations

import asyncio
import socket

from rackgrid.adapters.ears import Ears
from rackgrid.config import MqttConfig


def test_without_a_server_nothing_is_heard_and_nothing_is_raised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])  # and nobody listens there any more

    async def run() -> list[bytes]:
        heard = list[bytes]()
        ears = Ears(MqttConfig("127.0.0.1", port, "", None, None, "rackgrid"))

        def hear(_topic: str, payload: bytes) -> bool:
            heard.append(payload)
            return True

        ears.listen("prices", hear, retained=True)
        ears.start()
        await asyncio.sleep(0)
        ears.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*left, return_exceptions=True)
        assert ears.rejected == {}
        return heard

    assert asyncio.run(run()) == []
