"""Makes the planner of a configuration, and the thermometers that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.planner import Planner, World
from rackgrid.adapters.prospect import prospect_json
from rackgrid.adapters.thermometer import Reader, Thermometer
from rackgrid.adapters.view_json import Json
from rackgrid.adapters.yesterday import YESTERDAY, Yesterday
from rackgrid.config import Config, DeadlineConfig, ThermalConfig
from rackgrid.config_units import microcurrency, milliwatts
from rackgrid.core.board import Board
from rackgrid.core.view import View

if TYPE_CHECKING:
    from rackgrid.adapters.ears import Ears

DAYS = "deadlines.json"
"""The file below the node's `state_dir`."""


class Plans:
    """The planner with its thermometers, from `start` to `close`.

    Attributes:
        reader: reads the thermometers that are files.
    """

    def __init__(self, planner: Planner, reader: Reader) -> None:
        self._planner = planner
        self.reader = reader

    def start(self) -> None:
        """Begin to read what is warm."""
        self.reader.start()

    def close(self) -> None:
        """Read no more, and see to it that what was done today is kept."""
        self.reader.stop()
        self._planner.close()

    def poll(self, board: Board | None, now_ns: int) -> Mapping[str, int | None] | None:
        """As `Planner.poll`."""
        return self._planner.poll(board, now_ns)

    def prospect(self, load: str) -> Json | None:
        """As `ahead_of`."""
        ahead = self._planner.prospects.get(load)
        return None if ahead is None else prospect_json(ahead)


def open_plans(
    config: Config, world: World, ears: Ears | None, rack: Callable[[], View]
) -> Plans | None:
    """Make the planner; None where every load is simply worth what the configuration says.

    Args:
        rack: how this node sees the rack.
        ears: where temperatures over MQTT are heard; None without an MQTT server.
    """
    if is_plain(config):
        return None
    thermometers: dict[str, Thermometer] = {}
    reader = Reader([])
    for load in config.loads:
        if isinstance(load.plan, ThermalConfig):
            thermometer = thermometers[load.name] = Thermometer(load.name)
            if load.plan.file is not None:
                reader.places.append((load.plan.file, thermometer))
            if load.plan.topic and ears is not None:
                ears.listen(load.plan.topic, thermometer.hear, retained=False)
    burn_w = config.node.max_burn_w
    state_dir, cap_uc = config.node.state_dir, microcurrency(config.feed.price_cap)
    yesterday = None
    if any(isinstance(load.plan, DeadlineConfig) for load in config.loads):
        yesterday = Yesterday(rack, cap_uc, state_dir / YESTERDAY)
    planner = Planner(
        config.loads,
        cap_uc,
        None if burn_w is None else milliwatts(burn_w),
        world,
        thermometers,
        state_dir / DAYS,
        monotonic_ns(),
        yesterday,
    )
    return Plans(planner, reader)


def ahead_of(plans: Plans | None, load: str) -> Json | None:
    """Say what a load with a deadline has ahead of it; None of any other."""
    return None if plans is None else plans.prospect(load)


def is_plain(config: Config) -> bool:
    """Whether nothing has to be planned."""
    shaped = any(
        load.plan or load.guards.one_of or load.guards.beside or load.guards.after
        for load in config.loads
    )
    return not shaped and config.node.max_burn_w is None


def hears(config: Config) -> bool:
    """Whether anything is heard over MQTT."""
    warm = any(isinstance(load.plan, ThermalConfig) and load.plan.topic for load in config.loads)
    ordered = config.mqtt is not None and bool(config.mqtt.commands)
    return warm or ordered or any(source.tariff_topic for source in config.sources)
