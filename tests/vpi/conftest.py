"""The virtual Pi that these tests share: booted once, brought back before each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.vpi.bench import Bench, Pi
from tests.vpi.node import Node
from tests.vpi.rack import CHEAP, Rack, set_tariff

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
def node(pi: Pi) -> Iterator[Node]:
    if not pi.is_on:  # a test has pulled its plug
        pi.power_on()
        pi.wait_for_boot()
    node = Node(pi)
    node.reset()
    yield node
    if pi.is_on:  # shown when the test has failed
        print(pi.run("journalctl -b -o short-monotonic --no-pager -u 'rackgrid*' -n 60 || true"))


@pytest.fixture(scope="session")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    with Bench(tmp_path_factory.mktemp("rack"), pis=3) as bench:
        bench.boot(1, 2, 3)
        rack = Rack(bench)
        rack.start()
        yield rack


@pytest.fixture
def settled(rack: Rack) -> Rack:
    """All three up, one broker, and every load that fits on."""
    for node in rack.nodes:
        if not node.pi.is_on:
            node.pi.power_on()
            node.pi.wait_for_boot()
    for node in rack.nodes:
        set_tariff(node, CHEAP)
    rack.broker(rack.nodes)
    rack.wait_for_loads(rack.nodes, lamps=3, pumps=1)
    return rack
