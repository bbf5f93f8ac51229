"""The other nodes' clocks, beside this one's: by what their daemons say of themselves.

No clock value crosses the rack's own wire, and nothing that switches or protects compares clocks;
but prices by time and the ledger's dates do. So each daemon tells its time of day in `/api/state`,
and here it is asked: at `http://NAME.local:PORT` (a node is called after its host, unless somebody
said otherwise), or where `--peer` says. An answer took its time on the way: what lies within that
is no skew. A peer whose API is bound to loopback, as it is by default, cannot be asked, and that is
said.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from rackgrid.cli.api import Record, ask
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.errors import RackgridError

PEERS_MAX = 16
"""More are not asked: skew is nothing that only the seventeenth would show."""
PATIENCE_S = 12.0
RENDERED_MS = 50.0
"""An answer may be so old when it is sent (`web.app`)."""
WARN_MS, FAIL_MS = 1_000.0, 60_000.0

SKEW = Check(
    "clock-skew",
    "Do this node's clock and its peers' agree?",
    "Nothing that switches or protects compares clocks. Prices by the hour do: a node whose clock "
    "is a minute off pays for another quarter of an hour, and its ledger has other dates. Peers "
    "are asked at http://NAME.local:PORT/api/state, or at each `--peer URL`; one whose [web] host "
    "is loopback cannot be. More than a second apart is a warning, more than a minute a fault.",
)
CHECKS = (SKEW,)

Ask = Callable[[str], Record]


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer said.

    Attributes:
        name: of the node, or its URL.
        ahead_ms: its clock less ours; Unknown if it could not be asked.
        bound_ms: within this the answer's way may have made it.
        vouched: whether it says that its clock is synchronised.
    """

    name: str
    ahead_ms: float | Unknown
    bound_ms: float = 0.0
    vouched: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged."""

    peers: tuple[Peer, ...] | Unknown


def look(case: Case, get: Ask = ask) -> Facts:
    """Gather the facts.

    Args:
        case: of this node.
        get: asks a daemon.
    """
    if not case.host.is_this:
        return Facts(Unknown("another machine's peers are not asked"))
    if case.peers:
        return Facts(
            at_once(
                {
                    url: partial(asked, url, f"{url.rstrip('/')}/api/state", "", get)
                    for url in case.peers[:PEERS_MAX]
                }
            )
        )
    if isinstance(case.state, Unknown):
        return Facts(Unknown(f"the peers are not known: {case.state.reason}; name one with --peer"))
    own = case.state.record("node").text("id")
    others = [member for member in case.state.records("members") if member.text("id") != own]
    jobs = {each.text("name"): partial(_member, each, get) for each in others[:PEERS_MAX]}
    return Facts(at_once(jobs))


def at_once(
    jobs: Mapping[str, Callable[[], Peer]], patience_s: float = PATIENCE_S
) -> tuple[Peer, ...]:
    """Ask all peers beside each other: a name that nobody resolves takes its time to fail.

    Args:
        jobs: by the peers' names.
        patience_s: who has not answered by then is left behind, s.
    """
    told: dict[str, Peer] = {}

    def run(name: str, job: Callable[[], Peer]) -> None:
        told[name] = job()

    threads = [
        threading.Thread(target=run, args=(name, job), daemon=True) for name, job in jobs.items()
    ]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    late = Unknown(f"no answer in {patience_s:g} s")
    return tuple(told.get(name, Peer(name, late)) for name in jobs)


def _member(member: Record, get: Ask) -> Peer:
    name, port = member.text("name"), member.number("api_port")
    if not port:
        return Peer(name, Unknown("it serves no API ([web] enabled = false)"))
    return asked(name, f"http://{name}.local:{port:.0f}/api/state", member.text("id"), get)


def asked(name: str, url: str, node: str, get: Ask) -> Peer:
    """Ask a daemon for its time.

    Args:
        name: what it is called in findings.
        url: of its state.
        node: the id that it must have; "" for any.
        get: asks.
    """
    sent_ms = time.time() * 1000
    try:
        state = get(url)
    except RackgridError as fault:
        hint = "[web] host there may be loopback: --peer URL asks elsewhere"
        return Peer(name, Unknown(f"{fault}; {hint}"))
    took_ms = time.time() * 1000 - sent_ms
    unix_ms = state.record("clock").number("unix_ms")
    if node and state.record("node").text("id") != node:
        return Peer(name, Unknown(f"another node answers at {url}: --peer URL asks elsewhere"))
    if unix_ms is None:
        return Peer(name, Unknown(f"{url} tells no time: its rackgrid is older than this one"))
    ahead_ms = unix_ms - (sent_ms + took_ms / 2)
    vouched = state.record("clock").flag("vouched")
    return Peer(name, ahead_ms, took_ms / 2 + RENDERED_MS, vouched)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    if isinstance(facts.peers, Unknown):
        yield SKEW.skip(facts.peers)
        return
    for peer in facts.peers:
        yield _judge(peer)
    if not facts.peers:
        yield SKEW.skip("no other node is heard")


def _judge(peer: Peer) -> Finding:
    if isinstance(peer.ahead_ms, Unknown):
        return SKEW.skip(f"{peer.name}: {peer.ahead_ms.reason}")
    apart_ms = abs(peer.ahead_ms)
    way = "ahead of" if peer.ahead_ms > 0 else "behind"
    doubt = "" if peer.vouched else ", and it follows no time server"
    said = (
        f"{peer.name}'s clock is {apart_ms / 1000:.2f} s {way} this node's "
        f"(± {peer.bound_ms / 1000:.2f} s){doubt}"
    )
    fix = "timedatectl set-ntp true on both nodes; is a time server reachable from each?"
    if apart_ms - peer.bound_ms > FAIL_MS:
        return SKEW.fail(said, fix)
    if apart_ms - peer.bound_ms > WARN_MS:
        return SKEW.warn(said, fix)
    return SKEW.ok(said)


FAMILY = Family("peers", CHECKS, lambda case: judge(look(case)))
