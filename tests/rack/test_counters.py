"""Counters of energy as others read them: whatever of a node is killed, they never fall.

Fails if the API or the metrics show less than before after SIGKILL of the firmware, of the
controller, or of both at once, or if a counter stands still from then on. (A boot of the machine is
`tests/unit/controller/adapters/test_counter_shelf.py`'s: nobody can change the kernel's boot id.)
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator

import pytest
from tests.rack.rig import API_PORT, QUICK, Rig, RigNode, wait_until

pytestmark = pytest.mark.root

METRICS = f"http://127.0.0.1:{API_PORT}/metrics"
SAMPLE = re.compile(r'^rackgrid_meter_energy_joules_total\{meter="([^"]+)"\} (\S+)$', re.M)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig(1, rack=QUICK) as made:
        made.start()
        yield made


class Reader:
    """Reads a node's counters as dashboards do, and remembers the most that each showed.

    The API and the metrics are two readers' two views: the API gives one again for a tenth of a
    second, so it may be behind what the metrics have said since.
    """

    def __init__(self, node: RigNode) -> None:
        self.node = node
        self.most_j: dict[str, float] = {}

    def read(self) -> None:
        """Read each counter in both places; none while nobody answers."""
        meters = self.node.state().get("meters", [])
        shown = {m["name"]: m["energy_j"] for m in meters if m["energy_j"] is not None}
        for door, counters in (("API", shown), ("metrics", self._metrics())):
            for meter, energy_j in counters.items():
                name = f"{meter} in the {door}"
                most_j = self.most_j.get(name, 0.0)
                assert energy_j >= most_j, f"{name} fell from {most_j} to {energy_j} J"
                self.most_j[name] = energy_j

    def wait_for_more(self, what: str) -> None:
        """Read until every counter has gone on by a joule."""
        before_j = dict(self.most_j)

        def all_went_on() -> bool:
            self.read()
            most_j = self.most_j
            are_both = {name.split()[-1] for name in most_j} == {"API", "metrics"}
            return are_both and all(
                most_j[name] >= before_j.get(name, 0.0) + 1.0 for name in most_j
            )

        wait_until(f"the counters go on {what}", all_went_on)

    def _metrics(self) -> dict[str, float]:
        with self.node.host.entered():
            try:
                with urllib.request.urlopen(METRICS, timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                return {}
        return {name: float(value) for name, value in SAMPLE.findall(text)}


def test_counters_never_fall_whatever_is_killed(rig: Rig) -> None:
    node, reader = rig.node(1), Reader(rig.node(1))
    rig.wait_for_loads()
    reader.wait_for_more("at first")
    assert node.firmware is not None
    node.firmware.kill()
    node.firmware.wait()
    node.make_safe()
    node.start_firmware()
    reader.wait_for_more("after a crash of the firmware")
    node.kill()
    node.start()
    reader.wait_for_more("after a crash of the controller")
    node.kill_all()
    node.make_safe()
    rig.bring_back()
    reader.wait_for_more("after a crash of both")
