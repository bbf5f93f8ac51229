"""What a node is made of, before it runs: files, keys, sockets and links, each made once.

Nothing here needs a running loop; whatever cannot be made says so before anything is sent.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rackgrid.adapters.chronicle import Chronicle
from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.counter_shelf import CounterShelf
from rackgrid.adapters.firmware import FirmwareLink
from rackgrid.adapters.group import Group
from rackgrid.adapters.key_file import KeyWatch
from rackgrid.adapters.keys import Identity, load_identity
from rackgrid.adapters.multicast import Place
from rackgrid.adapters.nameplate_shelf import NameplateShelf
from rackgrid.adapters.notary import Notary
from rackgrid.adapters.outputs import Outputs
from rackgrid.adapters.plans import hears
from rackgrid.adapters.record import FOLDER, Record
from rackgrid.adapters.roster_shelf import RosterShelf
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.sources import Sources
from rackgrid.adapters.store import Store
from rackgrid.adapters.supply import Supply
from rackgrid.adapters.systemd import Notifier, secret_file
from rackgrid.adapters.wall import WallClock
from rackgrid.config import Config
from rackgrid.core.view import View
from rackgrid.identity import BootId
from rackgrid_firmware.boot_record import kernel_boot_id

if TYPE_CHECKING:
    from rackgrid.adapters.bridge import Bridge
    from rackgrid.adapters.ears import Ears


@dataclass(slots=True)
class Parts:
    """What the daemon is made of.

    Attributes:
        is_new: it has never run on this disk.
    """

    config: Config
    identity: Identity
    boot: BootId
    signer: Signer
    is_new: bool
    store: Store
    shelf: RosterShelf
    plates: NameplateShelf
    counters: CounterShelf
    group: Group
    keys: KeyWatch
    link: Outputs
    sources: Sources
    notifier: Notifier
    wall: WallClock
    chronicle: Chronicle
    record: Record | None
    ears: Ears | None
    supply: Supply


def assemble(config: Config) -> Parts:
    """Make every part that needs no running loop.

    Raises:
        ConfigError: a key or identity file cannot be used.
        StoreError: the folders cannot be used, or another daemon uses them.
    """
    store = Store(config.node.state_dir, config.node.runtime_dir)
    is_new = not store.terms_until
    identity = load_identity(config.node.state_dir)
    keys = KeyWatch(secret_file(config.rack.key_file))
    boot, wall = BootId(secrets.randbits(64)), WallClock(trusted=config.node.trust_clock)
    record = _record(config)
    keep = record.add if record else None
    chronicle = Chronicle(config.node.name, f"{boot:016x}", wall, keep=keep)
    sources = Sources(config.sources, config.feed.capacity_w, wall, config.node.state_dir)
    ears = _ears(config)
    if ears is not None:
        sources.listen(ears)
    signer = Signer(config.node.state_dir)
    notary = Notary(signer, identity, boot)
    place = Place(config.rack.interface, config.rack.group, config.rack.port, config.rack.ttl)
    return Parts(
        config=config,
        identity=identity,
        boot=boot,
        is_new=is_new,
        signer=signer,
        store=store,
        shelf=RosterShelf(config.node.state_dir),
        plates=NameplateShelf(config.node.state_dir, kernel_boot_id()),
        counters=CounterShelf(config.node.state_dir, config.node.runtime_dir, kernel_boot_id()),
        group=Group(place, keys.keys.ring(), identity.node_id, boot, notary),
        keys=keys,
        link=_link(config),
        sources=sources,
        notifier=Notifier.from_environment(),
        wall=wall,
        chronicle=chronicle,
        record=record,
        ears=ears,
        supply=Supply(),
    )


def _record(config: Config) -> Record | None:
    """Make the record, if one is kept."""
    node = config.node
    if not node.record_days:
        return None
    day_bytes = int(node.record_mb * 1_000_000)
    return Record(node.state_dir / FOLDER, node.name, node.record_days, day_bytes)


def _ears(config: Config) -> Ears | None:
    """Make what hears prices and the like; paho is not loaded where nothing is heard."""
    if config.mqtt is None or not hears(config):
        return None
    from rackgrid.adapters.ears import Ears

    return Ears(config.mqtt)


def bridge_of(config: Config, source: Callable[[], View]) -> Bridge | None:
    """Make what tells an MQTT server, if there is one; paho is not loaded without.

    Args:
        config: of the node.
        source: draws what is told.
    """
    if config.mqtt is None:
        return None
    from rackgrid.adapters.bridge import Bridge
    from rackgrid.adapters.mqtt import MqttBridge

    mqtt = MqttBridge(config.mqtt, config.rack.name, config.node.name)
    return Bridge(mqtt, config.feed.currency, source)


def _link(config: Config) -> Outputs:
    """Make the link to the outputs; what speaks to plugs is not loaded where there are none."""
    bank = None
    if any(load.plug for load in config.loads):
        from rackgrid.adapters.plug.assembly import bank_of

        bank = bank_of(config, monotonic_ns)
    link = FirmwareLink(config.node.runtime_dir / "firmware.sock", monotonic_ns())
    return Outputs(link, bank, monotonic_ns)
