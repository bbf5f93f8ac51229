"""What must hold between the keys of `rackgrid.toml`, and between it and the board profile.

Each check asks first whether the keys that it compares are sound: one mistake, one finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from rackgrid.config_plug import is_plug
from rackgrid.market.curve import BID_STEPS_MAX
from rackgrid_firmware.boot_level import closes_at_boot, what_pulls
from rackgrid_firmware.key import complaint, shown
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.section import Finding, Section
from rackgrid_firmware.settings import TomlFile

RHO = 0.01
"""Bound on the error of a clock's rate, either way."""
ABSENT_S_MIN = 1.0
"""No node counts as absent sooner: it is for people, and for votes, and frees nothing."""
ELECTION_S = 0.2
"""Longest from the suspicion to a new broker's first price, s: skew by rank, answers, one retry."""
AUTHORITY_HEARTBEATS = 3
"""Authority outlives this many heartbeats, so that two lost acks do not end an office."""

_TIMERS = ("heartbeat_s", "round_s", "suspect", "authority_s", "grant_s")


def grant_s_min(heartbeat_s: float, round_s: float, suspect: int, authority_s: float) -> float:
    """Return the shortest grant that outlives a failover, s.

    A grant is renewed a round after its bid was sent. If the broker dies in between, the bid is a
    heartbeat old, a round passes, the silence is noticed and a new broker elected; that one grants
    nothing new before the old authority has ended on every clock; and its word takes a heartbeat.
    """
    failover_s = suspect * heartbeat_s + ELECTION_S
    old_authority_s = authority_s * (1 + RHO) / (1 - RHO)
    return heartbeat_s + round_s + failover_s + old_authority_s + heartbeat_s


def absent_s(heartbeat_s: float, suspect: int) -> float:
    """Return how long a node is silent until it counts as absent, s."""
    return max(ABSENT_S_MIN, 10 * heartbeat_s, (suspect + 1) * heartbeat_s)


def check_rack(file: TomlFile, rack: Section, feed: Section) -> None:
    """Check the timers against each other, and the feed's reserve against its capacity."""
    heartbeat_s, authority_s = rack.number("heartbeat_s"), rack.number("authority_s")
    if rack.sound("heartbeat_s", "authority_s"):
        least_s = AUTHORITY_HEARTBEATS * heartbeat_s
        if authority_s < least_s * (1 - 1e-9):
            text = "too short: two lost acks would end the broker's office"
            allowed = f"{AUTHORITY_HEARTBEATS} * heartbeat_s, {least_s:g} s, or more"
            file.blame(rack, "authority_s", complaint(text, f"{authority_s:g}", allowed))
    if rack.sound(*_TIMERS):
        _check_grant(file, rack)
    _check_votes(file, rack)
    if feed.sound("capacity_w", "reserve_w"):
        capacity_w, reserve_w = feed.number("capacity_w"), feed.number("reserve_w")
        if reserve_w >= capacity_w:
            text = "the reserve leaves nothing of the feed"
            allowed = f"less than capacity_w, {capacity_w:g} W"
            file.blame(feed, "reserve_w", complaint(text, f"{reserve_w:g}", allowed))


def _check_grant(file: TomlFile, rack: Section) -> None:
    heartbeat_s, round_s = rack.number("heartbeat_s"), rack.number("round_s")
    suspect, authority_s = rack.integer("suspect"), rack.number("authority_s")
    least_s = grant_s_min(heartbeat_s, round_s, suspect, authority_s)
    if rack.number("grant_s") >= least_s * (1 - 1e-9):
        return
    failover_s = suspect * heartbeat_s + ELECTION_S
    stretched_s = authority_s * (1 + RHO) / (1 - RHO)
    allowed = (
        f"{least_s:.4g} s or more = heartbeat_s {heartbeat_s:g} + round_s {round_s:g} "
        f"+ failover {failover_s:g} (suspect {suspect} * heartbeat_s + {ELECTION_S:g}) "
        f"+ authority_s * 1.01/0.99 {stretched_s:.4g} + heartbeat_s {heartbeat_s:g}"
    )
    text = complaint(
        "too short: a failover would drop grants", f"{rack.number('grant_s'):g}", allowed
    )
    file.blame(rack, "grant_s" if "grant_s" in rack.given else _longest(rack), text)


def _check_votes(file: TomlFile, rack: Section) -> None:
    voters_max = rack.integer("voters_max")
    if rack.sound("voters_max") and voters_max % 2 == 0:
        text = "even: votes are given in odd numbers, so that no half of a rack equals the other"
        allowed, guess = "an odd number, 1 to 15", f"'{voters_max - 1}'"
        file.blame(rack, "voters_max", complaint(text, f"{voters_max}", allowed, guess))
    if not rack.sound("heartbeat_s", "suspect", "demote_after_s"):
        return
    demote_s = rack.number("demote_after_s")
    least_s = absent_s(rack.number("heartbeat_s"), rack.integer("suspect"))
    if demote_s < least_s * (1 - 1e-9):
        text = "too short: a node would lose its vote before it counts as absent"
        allowed = f"{least_s:g} s or more"
        file.blame(rack, "demote_after_s", complaint(text, f"{demote_s:g}", allowed))


def rack_notes(file: TomlFile, rack: Section) -> tuple[Finding, ...]:
    """Note what is allowed in `[rack]` and probably not meant."""
    if not rack.present or not rack.sound("expect") or rack.integer("expect") > 1:
        return ()
    text = (
        "1: this node founds a rack of its own as soon as it hears no other, and two such nodes "
        "would be two racks that each give out the whole feed; write how many nodes the rack has"
    )
    return (file.finding((*rack.place, "expect"), f"{rack.label} expect", text),)


def _longest(rack: Section) -> str:
    """Return the key to point at when `grant_s` itself is not in the file."""
    names = ("round_s", "authority_s", "heartbeat_s", "suspect")
    return next((name for name in names if name in rack.given), "grant_s")


def check_loads(file: TomlFile, loads: list[Section], feed: Section) -> None:
    """Check names, one load per output, no worth above the cap, and that a bid holds all."""
    file.unique(loads, "name")
    dimmed = [load for load in loads if load.text("kind") == "modulating" and load.sound("stages")]
    steps = sum(load.integer("stages") for load in dimmed) + len(loads) - len(dimmed)
    if dimmed and steps > BID_STEPS_MAX:
        text = complaint(
            "too many levels: a bid has a step for each, and one for each other load",
            f"{steps} steps",
            f"at most {BID_STEPS_MAX} for all loads of a node",
        )
        file.blame(dimmed[-1], "stages" if "stages" in dimmed[-1].given else "kind", text)
    outputs: dict[str, Section] = {}
    for load in loads:
        if load.sound("worth") and "worth" in load.given:
            check_cap(file, load, "worth", feed)
        output = load.text("output") or load.text("name")
        if not load.sound("output", "name") or not output:
            continue
        earlier = outputs.setdefault(output, load)
        if earlier is not load and load.text("name") != earlier.text("name"):
            text = f"{earlier.label} has this output already"
            file.blame(load, _output_key(load), complaint(text, shown(output)))


def _output_key(load: Section) -> str:
    return "output" if "output" in load.given else "name"


def check_cap(file: TomlFile, section: Section, key: str, feed: Section) -> None:
    """Check that a worth or a price is not above what may be bid at all."""
    cap = feed.number("price_cap")
    if feed.sound("price_cap") and section.number(key) > cap:
        text = complaint(
            "above the highest bid that the rack allows",
            f"{section.number(key):g}",
            f"at most price_cap, {cap:g}",
        )
        file.blame(section, key, text)


# --- against the board profile --------------------------------------------------------------------


def check_profile(
    file: TomlFile, sections: dict[str, list[Section]], profile: Profile
) -> tuple[Finding, ...]:
    """Compare with the board profile.

    Returns:
        Notes: what is allowed and probably not meant. Findings go to `file`.
    """
    rack, node = sections["rack"][0], sections["node"][0]
    for key in ("grant_s", *rack.given & {"restart_s"}):
        if rack.sound(key) and rack.number(key) > profile.hold_max_s:
            text = complaint(
                "longer than the firmware holds an output",
                f"{rack.number(key):g}",
                f"at most hold_max_s of {node.text('board')}, {profile.hold_max_s:g} s",
            )
            file.blame(rack, key, text)
    meters = {meter.name for meter in profile.meters}
    for metered in (*sections["source"], *sections["feed"]):
        file.refer(metered, "meter", meters, f"meter in {node.text('board')}")
    for load in sections["load"]:
        _check_output(file, load, node, profile)
    return tuple(_notes(file, sections, profile))


def _check_output(file: TomlFile, load: Section, node: Section, profile: Profile) -> None:
    outputs = {output.name: output for output in profile.outputs}
    key = _output_key(load)
    if is_plug(load):
        if load.text("name") in outputs:
            text = f"{node.text('board')} has an output of this name; call the plug otherwise"
            file.blame(load, "name", complaint(text, shown(load.text("name"))))
        return
    if not file.refer(load, key, outputs.keys(), f"output in {node.text('board')}"):
        return
    output = outputs[load.text(key)]
    if load.sound("kind") and load.text("kind") == "modulating" and not output.pwm_hz:
        text = f'the output "{output.name}" of {node.text("board")} is a relay: it has no `pwm`'
        file.blame(load, "kind", complaint(text, shown(load.text("kind")), '"flexible"'))
        return
    if not load.sound("kind") or output.required == (load.text("kind") == "required"):
        return
    there = f'the output "{output.name}" of {node.text("board")}'
    if output.required:
        text = f"{there} is required = true; so is this load"
        file.blame(load, "kind", complaint(text, shown(load.text("kind")), '"required"'))
    else:
        text = f"{there} is not required: the firmware would not keep it on by itself"
        allowed = "another kind, or required = true in the board profile"
        file.blame(load, "kind", complaint(text, shown(load.text("kind")), allowed))


def _notes(
    file: TomlFile, sections: dict[str, list[Section]], profile: Profile
) -> Iterator[Finding]:
    feed, node, mock = sections["feed"][0], sections["node"][0], sections["mock"][0]
    loads = [load for load in sections["load"] if not is_plug(load)]
    used = {load.text("output") or load.text("name") for load in loads}
    for output in profile.outputs:
        if not output.required and output.name not in used:
            text = f'no [[load]] uses the output "{output.name}", so it is never switched on'
            yield file.finding(node.place, node.label, text)
        if profile.driver == "pi" and closes_at_boot(output):
            level = "high" if output.is_high_on else "low"
            text = (
                f'the output "{output.name}" switches on at a {level} pin, and GPIO {output.gpio} '
                f"is {what_pulls(output)} until the firmware starts: its relay closes at every "
                f"boot; take another pin (active_high: 9 and above), a relay board of the other "
                f"kind, or a resistor of 10 kOhm the other way (and say so: `pulled`)"
            )
            yield file.finding((*node.place, "board"), f"{node.label} board", text)
    floor_w = profile.base_w + sum(out.nominal_w for out in profile.outputs if out.required)
    free_w = feed.number("capacity_w") - feed.number("reserve_w")
    if feed.sound("capacity_w", "reserve_w") and floor_w > free_w:
        text = (
            f"this node alone needs {floor_w:g} W (electronics and required outputs), and the feed "
            f"has {free_w:g} W beside its reserve: the rack will not admit it"
        )
        yield file.finding((*feed.place, "capacity_w"), f"{feed.label} capacity_w", text)
    if mock.present and profile.driver != "mock":
        text = f"has no effect: the board {profile.name} is a real one"
        yield file.finding(mock.place, mock.label, text)
