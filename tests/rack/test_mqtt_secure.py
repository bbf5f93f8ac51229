"""A real Mosquitto that asks for TLS, a password and, where it says so, our certificate.

Fails if a node speaks to a server that cannot prove its name, if a password or a certificate that
is wrong gets in, or if what is retained, too long or no value is taken or goes uncounted.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from tests.certificates import Authority
from tests.rack.mosquitto import Mosquitto
from tests.rack.patience import DEADLINE_S, until

from rackgrid.adapters.ears import Ears
from rackgrid.adapters.mqtt import MqttBridge
from rackgrid.adapters.mqtt_visit import visit
from rackgrid.adapters.private_file import write_new
from rackgrid.adapters.thermometer import Thermometer
from rackgrid.config import MqttConfig

pytestmark = [
    pytest.mark.mosquitto,
    # Where a handshake fails, paho leaves the closing of its socket to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

WORD = "correct horse battery staple"


@dataclass
class Site:
    """A server behind TLS, and a configuration that gets in."""

    folder: Path
    server: Mosquitto
    authority: Authority
    config: MqttConfig


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("secure")
    authority = Authority(folder)
    certificate, key = authority.issue("server", "127.0.0.1")
    ours, our_key = authority.issue("node")
    users = folder / "users"
    make = ["mosquitto_passwd", "-b", "-c", str(users), "rack", WORD]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    for each in (folder, key, users):
        each.chmod(0o755)  # Debian's Mosquitto gives up root before it reads them
    for parent in (folder.parent, folder.parent.parent):
        parent.chmod(parent.stat().st_mode | 0o011)
    settings = (
        f"allow_anonymous false\npassword_file {users}\ncafile {authority.certificate}\n"
        f"certfile {certificate}\nkeyfile {key}\nrequire_certificate true\n"
    )
    write_new(folder / "mqtt.password", WORD + "\n")
    server = Mosquitto(folder, settings)
    server.start()
    config = MqttConfig(
        "127.0.0.1",
        server.port,
        "rack",
        folder / "mqtt.password",
        authority.certificate,
        "rackgrid",
        ours,
        our_key,
    )
    yield Site(folder, server, authority, config)
    server.kill()


def stranger(folder: Path) -> Authority:
    apart = folder / "stranger"
    apart.mkdir(exist_ok=True)
    return Authority(apart)


def test_node_with_everything_gets_in_and_says_its_price(site: Site) -> None:
    bridge = MqttBridge(site.config, "shed", "alfa", retry_s=(0.05, 0.2), keepalive_s=1)
    bridge.start()
    bridge.publish_state({"role": "member"})
    until("everything is acknowledged", lambda: bridge.connected and bridge.waiting == 0)
    bridge.stop(DEADLINE_S)
    assert visit(site.config, "shed", "alfa") == ("", "")


def test_server_that_strangers_have_signed_is_not_spoken_to(site: Site) -> None:
    config = replace(site.config, tls_ca_file=stranger(site.folder).certificate)
    assert "certificate verify failed" in visit(config, "shed", "alfa")[0]


def test_server_under_another_name_is_not_spoken_to(site: Site) -> None:
    refused, _ = visit(replace(site.config, host="localhost"), "shed", "alfa")
    assert "certificate is not valid for 'localhost'" in refused


def test_password_that_is_wrong_does_not_get_in(site: Site) -> None:
    wrong = site.folder / "wrong.password"
    if not wrong.exists():
        write_new(wrong, "incorrect")
    assert "refuses us" in visit(replace(site.config, password_file=wrong), "shed", "alfa")[0]


def test_certificate_that_is_missing_or_a_strangers_does_not_get_in(site: Site) -> None:
    bare = replace(site.config, tls_cert_file=None, tls_key_file=None)
    assert visit(bare, "shed", "alfa")[0]
    certificate, key = stranger(site.folder).issue("node")
    theirs = replace(site.config, tls_cert_file=certificate, tls_key_file=key)
    assert visit(theirs, "shed", "alfa")[0]


def test_node_without_tls_does_not_get_in(site: Site) -> None:
    plain = replace(site.config, tls_ca_file=None, tls_cert_file=None, tls_key_file=None)
    assert visit(plain, "shed", "alfa")[0]


def publish(site: Site, topic: str, payload: bytes, *, retain: bool = False) -> None:
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("rack", WORD)
    context = ssl.create_default_context(cafile=site.authority.certificate)
    assert site.config.tls_cert_file is not None
    context.load_cert_chain(site.config.tls_cert_file, site.config.tls_key_file)
    client.tls_set_context(context)
    client.connect("127.0.0.1", site.server.port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)
    client.disconnect()
    client.loop_stop()


async def turns(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def test_what_is_retained_too_long_or_no_value_is_counted_and_changes_nothing(site: Site) -> None:
    publish(site, "kitchen/fridge", b"9.5", retain=True)

    async def run() -> None:
        ears, fridge = Ears(site.config), Thermometer("fridge")
        ears.listen("kitchen/fridge", fridge.hear, retained=False)
        ears.start()
        await turns(lambda: ears.rejected.get("mqtt_retained") == 1)
        bad = (b"", b"warm", b"null", b"[" * 4000, b"1e999", b"9" * 4000, b"\xff", b"1" * 5000)
        for payload in bad:
            await asyncio.to_thread(publish, site, "kitchen/fridge", payload)
        await turns(lambda: ears.rejected.get("mqtt_payload") == len(bad))
        await asyncio.to_thread(publish, site, "kitchen/fridge", b" " * (1024 * 1024 + 1))
        await turns(lambda: ears.rejected.get("mqtt_too_long") == 1)
        assert fridge.mc is None
        await asyncio.to_thread(publish, site, "kitchen/fridge", b"4.5")
        await turns(lambda: fridge.mc == 4500)
        ears.close()

    asyncio.run(run())
    publish(site, "kitchen/fridge", b"", retain=True)
