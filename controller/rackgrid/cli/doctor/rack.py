"""The rack, as this node's daemon sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from rackgrid.cli.api import Record
from rackgrid.cli.doctor.case import Case
from rackgrid.cli.doctor.finding import Check, Family, Finding
from rackgrid.cli.doctor.unknown import Unknown
from rackgrid.core.view import WORN_PERCENT

STRANGE = {
    "unknown_key": "datagrams under another group key: a node with an old key, or another rack",
    "bad_mac": "datagrams with a wrong seal: another key under the same number, or a forger",
    "unknown_version": "datagrams of another protocol version: a node that was not upgraded",
    "foreign_magic": "datagrams that are not rackgrid's: another program on the group and port",
}
"""Rejections that mean something is set up wrong; the others are the daily life of a LAN."""

DAEMON = Check(
    "daemon",
    "Does this node's daemon answer?",
    "Most of what is known of a running rack its daemon knows: without it, it cannot be looked at.",
)
NAMES = Check(
    "node-names",
    "Has each node of the rack a name of its own?",
    "Names become MQTT topics and lines of the ledger: two nodes of one name are one line there, "
    "and write over each other. A cloned SD card also clones the identity: see clones.",
)
CLONES = Check(
    "clones",
    "Has each node of the rack an identity of its own?",
    "A cloned SD card makes a second node with the same id. The rack believes neither of the two "
    "while both run: what the one holds, the other's word would free.",
)
FORGERY = Check(
    "forgery",
    "Has every node signed what was said in its name?",
    "A JOIN and a LEAVE carry their node's own signature. One without it was sealed with the "
    "rack's key all the same: whoever sent it holds that key and pretends to be another node. It "
    "has changed nothing, but little else that such a one may say is signed. JOINs go to the "
    "broker alone, so its count tells the most; each begins at 0 when its daemon starts.",
)
FLOODS = Check(
    "floods",
    "Does no node send more than a node may?",
    "One node is heard 250 times a second in the long run, ten times what the busiest broker says; "
    "what it says beyond that is dropped. A node that says more is broken, or not to be trusted.",
)
VERSIONS = Check(
    "rejected-datagrams",
    "Do all nodes on this LAN speak the same version under the same key?",
    "A datagram that is not taken is counted by its reason. A few malformed ones are noise; wrong "
    "keys and versions mean that a node cannot take part, or that somebody tries to.",
)
COMPLETE = Check(
    "rack-complete",
    "Are as many nodes there as the rack expects?",
    "An absent node keeps its floor reserved, and its vote is missed. `expect` in [rack] says how "
    "many there should be.",
)
BROKER = Check(
    "broker",
    "Has the rack a broker?",
    "Without one the price is unknown, and flexible loads go off as their grants end.",
)
FAULTS = Check(
    "load-faults",
    "Is no load faulty, and does no node draw more than it may?",
    "A welded contact draws while it is off; a load that draws more than its nameplate breaks the "
    "rack's arithmetic. One that draws nothing though it is on bids for watts that others could "
    "use: it is tried all the same, and the notice stays until it draws or somebody clears it.",
)
WEAR = Check(
    "contact-life",
    "Has every contact of this node enough of its life left?",
    "A relay's data sheet says how often it can close under load (`contact_life` of its output). "
    "Beyond that it fails, often welded: the load then draws for ever. Its closings are counted "
    "over restarts and power cuts.",
)
CHECKS = (DAEMON, NAMES, CLONES, FORGERY, FLOODS, VERSIONS, COMPLETE, BROKER, FAULTS, WEAR)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged: the daemon's answer, and whether there should be one."""

    state: Record | Unknown
    is_expected: bool
    expect: int | Unknown


def look(case: Case) -> Facts:
    """Gather the facts."""
    expect = case.config if isinstance(case.config, Unknown) else case.config.rack.expect
    return Facts(case.state, case.firmware_runs is True, expect)


def judge(facts: Facts) -> Iterator[Finding]:
    """Judge them."""
    state = facts.state
    if isinstance(state, Unknown):
        if facts.is_expected:
            yield DAEMON.warn(
                state.reason, "systemctl status rackgrid; journalctl -u rackgrid -n 30"
            )
        else:
            yield DAEMON.skip(state)
        yield from (check.skip("the daemon does not answer") for check in CHECKS[1:])
        return
    own = state.record("node").text("name")
    yield DAEMON.ok(f"{own} answers ({state.text('role')})")
    yield from _names(state)
    yield _clones(state)
    yield _forgery(state)
    yield from _floods(state)
    yield from _versions(state)
    yield _complete(state, facts.expect)
    yield _broker(state)
    yield from _faults(state)
    yield from _wear(state)


def _everybody(state: Record) -> dict[str, str]:
    """List the nodes of the rack, heard or not: name by id."""
    lines = [*state.records("roster"), *state.records("members")]
    return {line.text("id"): line.text("name") for line in lines if line.text("name")}


def _names(state: Record) -> Iterator[Finding]:
    counted = Counter(_everybody(state).values())
    twice = sorted(name for name, count in counted.items() if count > 1)
    for name in twice:
        yield NAMES.fail(
            f"{counted[name]} nodes are called {name}",
            "give each a name of its own in [node]; rackgrid forget ID for one that is gone",
        )
    if not twice:
        yield NAMES.ok(f"{len(counted)} nodes, {len(counted)} names")


def _clones(state: Record) -> Finding:
    names = _everybody(state)
    for suspect in state.records("suspects"):
        if suspect.text("fault") == "cloned":
            who = suspect.text("id")
            return CLONES.fail(
                f"node {names.get(who, who)} ({who}): two machines run with its identity, "
                "and neither is believed",
                "on the copied card: stop rackgrid, delete identity and terms.* in state_dir",
            )
    return CLONES.ok("no sign of two nodes with one identity")


def _forgery(state: Record) -> Finding:
    count = state.record("rejected").number("forged") or 0
    if count:
        return FORGERY.fail(
            f"{count:g} times since the daemon started, a JOIN or LEAVE came that the node it "
            "names has not signed: somebody who holds the group key speaks in another's name",
            "find who has a copy of the key: rackgrid expel NODE if it is a node's, rackgrid key "
            "rotate in any case, and a look at the count once the daemon was restarted",
        )
    return FORGERY.ok("nobody speaks in another's name where a signature is asked for")


def _floods(state: Record) -> Iterator[Finding]:
    names = _everybody(state)
    loud = [one.text("id") for one in state.records("suspects") if one.text("fault") == "throttled"]
    for who in loud:
        yield FLOODS.warn(
            f"node {names.get(who, who)} sends more than a node may, and is heard in part",
            "look at its log and its version (restart it if it is only broken); rackgrid expel "
            "NODE and rackgrid key rotate if it is not to be trusted",
        )
    if not loud:
        yield FLOODS.ok("no node sends more than it may")


def _versions(state: Record) -> Iterator[Finding]:
    rejected = state.record("rejected")
    seen = {reason: rejected.number(reason) or 0 for reason in STRANGE}
    for reason, count in seen.items():
        if count:
            yield VERSIONS.warn(
                f"{count:g} {STRANGE[reason]}",
                "compare key file and version on every node (rackgrid --version)",
            )
    if not any(seen.values()):
        yield VERSIONS.ok("no datagram under another key or version")


def _complete(state: Record, expect: int | Unknown) -> Finding:
    absent = [line.text("name") for line in state.records("roster") if line.flag("absent")]
    if absent:
        return COMPLETE.warn(
            f"absent: {', '.join(absent)}",
            "look at those nodes; rackgrid forget NODE for one that is off for good",
        )
    count = len(state.records("members"))
    if not isinstance(expect, Unknown) and count < expect:
        return COMPLETE.warn(
            f"{count} of {expect} nodes are heard", "start the others, or correct expect in [rack]"
        )
    return COMPLETE.ok(f"{count} nodes are heard, none is absent")


def _broker(state: Record) -> Finding:
    name = state.text("broker") or state.text("broker_id")
    if not name:
        return BROKER.warn("there is no broker", "rackgrid status says how many votes are heard")
    return BROKER.ok(f"{name} is the broker")


def _faults(state: Record) -> Iterator[Finding]:
    found = False
    for load in state.records("loads"):
        if load.text("fault"):
            found = True
            yield FAULTS.fail(
                f"load {load.text('name')} of {load.text('node')}: {load.text('fault')}",
                "look at its relay and its wires before you clear it",
            )
        if load.text("notice"):
            found = True
            yield FAULTS.warn(
                f"load {load.text('name')} of {load.text('node')}: {load.text('notice')}",
                "is it plugged in and whole? rackgrid load clear forgets this; it is back if the "
                "load draws nothing again",
            )
    for member in state.records("members"):
        excess_w = member.number("excess_w") or 0
        if excess_w > 0:
            found = True
            yield FAULTS.warn(
                f"{member.text('name')} draws {excess_w:.1f} W more than it may",
                "is something switched by hand, or a nameplate (nominal_w) too small?",
            )
    if not found:
        yield FAULTS.ok("no load is faulty, and no node draws more than it may")


def _wear(state: Record) -> Iterator[Finding]:
    own = state.record("node").text("name")
    loads = [each for each in state.records("loads") if each.text("node") == own]
    known = [each for each in loads if each.number("life_percent") is not None]
    worn = [each for each in known if (each.number("life_percent") or 0) > WORN_PERCENT]
    for load in worn:
        yield WEAR.warn(
            f"the contact of load {load.text('name')} has closed {load.number('switches'):g} "
            f"times, {load.number('life_percent'):.0f} % of its life",
            "replace the relay before it fails; a new name of the output, in the board profile "
            "and in rackgrid.toml, begins its count anew",
        )
    if not worn:
        yield WEAR.ok(
            f"{len(known)} of {len(loads)} loads say how long their contacts live, and none is "
            f"beyond {WORN_PERCENT:g} % of it"
        )


FAMILY = Family("rack", CHECKS, lambda case: judge(look(case)))
