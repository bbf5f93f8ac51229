"""The MQTT server, if there is one: whether it lets us in, and keeps what it should keep."""

from __future__ import annotations

from collections.abc import Iterator

from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown

SERVER = Check(
    "mqtt-server",
    "Does the MQTT server let this node in?",
    "The daemon goes on without it and tries again; nobody sees prices and states meanwhile.",
)
RETAINED = Check(
    "mqtt-retained",
    "Does the MQTT server keep retained messages of ours?",
    "Price and states are retained, so that who subscribes later sees them at once. A server whose "
    "rules allow this node no retained message, or no topic, drops them without a word.",
)
CHECKS = (SERVER, RETAINED)


def look(case: Case) -> tuple[str, str] | Unknown:
    """Visit the server.

    Returns:
        What is wrong with the connection, or ""; what is wrong with a retained message, or "".
    """
    config = case.config
    if isinstance(config, Unknown):
        return config
    if config.mqtt is None:
        return Unknown("there is no [mqtt]")
    if not case.host.is_this:
        return Unknown("another machine's server is not visited")
    from rackgrid.adapters.mqtt_visit import visit

    return visit(config.mqtt, config.rack.name, config.node.name)


def judge(facts: tuple[str, str] | Unknown) -> Iterator[Finding]:
    """Judge it."""
    if isinstance(facts, Unknown):
        yield from (check.skip(facts) for check in CHECKS)
        return
    refused, forgotten = facts
    if refused:
        yield SERVER.fail(refused, "correct [mqtt]: host, port, username, password_file")
        yield RETAINED.skip("the server does not let us in")
        return
    yield SERVER.ok("connected")
    if forgotten:
        yield RETAINED.warn(
            forgotten, "allow this user to read and write below the topic of [mqtt], retained too"
        )
    else:
        yield RETAINED.ok("a retained message came back")


FAMILY = Family("mqtt", CHECKS, lambda case: judge(look(case)))
