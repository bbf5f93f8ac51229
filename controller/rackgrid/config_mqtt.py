"""What must hold between the keys of `[mqtt]`: who we are there, and who the server is to us."""

from __future__ import annotations

from ipaddress import ip_address

from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile


def check_mqtt(file: TomlFile, mqtt: Section) -> None:
    """Check that what belongs together is there together."""
    for key, needed in (
        ("password_file", "username"),
        ("tls_cert_file", "tls_key_file"),
        ("tls_key_file", "tls_cert_file"),
        ("tls_cert_file", "tls_ca_file"),
    ):
        if key in mqtt.given and needed not in mqtt.given | mqtt.guessed:
            file.blame(mqtt, key, f"means nothing without {needed}")


def mqtt_notes(file: TomlFile, mqtt: Section) -> tuple[Finding, ...]:
    """Note a password that goes over the network in the clear, and who may command."""
    return (*_clear_password(file, mqtt), *_commands(file, mqtt))


def _commands(file: TomlFile, mqtt: Section) -> tuple[Finding, ...]:
    if not mqtt.present or not mqtt.sound("commands") or not mqtt.names("commands"):
        return ()
    text = (
        "whoever may publish under the loads' topics may do this, without the rack's key and "
        "without the API's token: bound that by the server's access list"
    )
    return (file.finding((*mqtt.place, "commands"), f"{mqtt.label} commands", text),)


def _clear_password(file: TomlFile, mqtt: Section) -> tuple[Finding, ...]:
    if not mqtt.present or "tls_ca_file" in mqtt.given or not mqtt.sound("host", "password_file"):
        return ()
    if "password_file" not in mqtt.given or _is_here(mqtt.text("host")):
        return ()
    text = (
        "is sent in the clear, and so is what is believed of prices and temperatures: name the "
        "authority that signed the server's certificate, tls_ca_file, and its port (often 8883)"
    )
    place = (*mqtt.place, "password_file")
    return (file.finding(place, f"{mqtt.label} password_file", text),)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
