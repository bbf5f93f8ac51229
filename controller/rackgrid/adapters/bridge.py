"""From the node's published actions and its view to MQTT: the price, this node, and its loads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rackgrid.adapters import view_json
from rackgrid.adapters.mqtt import MqttBridge
from rackgrid.core.action import Action, PriceSent, RoleChanged
from rackgrid.core.reason import UC
from rackgrid.core.settings import SECOND_NS
from rackgrid.core.view import View
from rackgrid.wire.vocabulary import Role


class Bridge:
    """Decides what the MQTT server is told, and when."""

    def __init__(self, mqtt: MqttBridge, currency: str, view: Callable[[], View]) -> None:
        """Join a bridge to the node's view."""
        self._mqtt = mqtt
        self._currency = currency
        self._view = view

    def publish(self, action: Action) -> None:
        """Pass on a price that this node has sent as broker; take it back with the office."""
        match action:
            case PriceSent():
                start = datetime.now(UTC)
                end = start + timedelta(seconds=action.valid_for_ns / SECOND_NS)
                value = action.price_uc / UC
                term = action.pair.term
                self._mqtt.publish_price(value, self._currency, term, action.round, start, end)
            case RoleChanged() if action.role is not Role.BROKER:
                self._mqtt.withdraw_price()
            case _:
                pass

    def tell(self) -> None:
        """Publish this node's state and its loads."""
        view = self._view()
        self._mqtt.publish_state(view_json.node_state(view))
        for load in view_json.own_loads(view):
            self._mqtt.publish_load(load.name, view_json.load_state(load))

    def start(self) -> None:
        """Start the bridge's thread; it connects when it can."""
        self._mqtt.start()

    def alive(self) -> bool:
        """Whether the bridge's thread does its work."""
        return self._mqtt.alive()

    def close(self) -> None:
        """Say offline, and stop."""
        self._mqtt.stop()
