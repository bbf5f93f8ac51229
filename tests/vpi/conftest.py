"""The virtual Pi that these tests share: booted once, brought back before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.vpi.bench import Bench, Pi
from tests.vpi.node import Node


@pytest.fixture(scope="session")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pi]:
    with Bench(tmp_path_factory.mktemp("vpi"), pis=1) as bench:
        yield bench.boot(1)


@pytest.fixture
def node(pi: Pi) -> Node:
    if not pi.is_on:  # a test has pulled its plug
        pi.power_on()
        pi.wait_for_boot()
    node = Node(pi)
    node.reset()
    return node
