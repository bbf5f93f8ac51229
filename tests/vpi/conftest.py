"""The virtual Pi that these tests share: booted once, brought back before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.vpi.bench import Bench, Pi
from tests.vpi.node import Node

TIMEOUT_S = 900
"""Three Pis that boot on a busy machine take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder more time than the suite's others have."""
    for item in items:
        if item.get_closest_marker("vpi") is not None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


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
