"""A plug of any maker, and a desk that speaks to it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.controller.adapters.plug.bench import Bench
from tests.unit.controller.adapters.plug.device import TopicDevice
from tests.unit.controller.adapters.plug.topic_desk import Desk


@pytest.fixture
def device() -> Iterator[TopicDevice]:
    made = TopicDevice()
    yield made
    made.close()


@pytest.fixture
def desk(device: TopicDevice) -> Desk:
    return Desk(device)


@pytest.fixture
def bench() -> Bench:
    return Bench()
