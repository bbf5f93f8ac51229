"""`GET /metrics`: the node's numbers for Prometheus, in its text format, version 0.0.4.

Base units (watts, joules, volts, amperes, seconds), and `_total` only on what never falls while the
process lives. What is unknown is left out, never 0: an absent sample raises an alert, a wrong one
does not. Each node tells of its own meters and of what it knows of the rack; loads of the others
are told by the others, so that a sum over all nodes counts each load once.

The format is written here and not by a library: the usual client takes a Pi a second to import and
3 MB to keep, for these few lines.

Sources: Prometheus, "Exposition formats", "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rackgrid import __version__
from rackgrid.adapters.web.doors import Doors
from rackgrid.core.view import LoadView, MeterView, View
from rackgrid.wire.vocabulary import Role
from rackgrid_firmware.device import Quality

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH = Quality.FRESH.value

Labels = dict[str, str]


@dataclass(slots=True)
class Family:
    """One metric: its name, its kind, what it means, and its samples."""

    name: str
    kind: str
    meaning: str
    samples: list[tuple[Labels, float]] = field(default_factory=list[tuple[Labels, float]])

    def add(self, value: float | None, **labels: str) -> Family:
        """Add a sample; none for what is unknown."""
        if value is not None and isfinite(value):
            self.samples.append((labels, float(value)))
        return self

    def lines(self) -> Iterator[str]:
        """Write it; nothing if nothing is known."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {_escaped(self.meaning)}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            inside = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
            yield f"{self.name}{{{inside}}} {value!r}" if inside else f"{self.name} {value!r}"


def routes(doors: Doors) -> list[Route]:
    """Make the route."""

    async def metrics(_request: Request) -> Response:
        return Response(exposition(doors), media_type=MEDIA_TYPE)

    return [Route("/metrics", metrics)]


def exposition(doors: Doors) -> str:
    """Write all that this node knows now."""
    view = doors.source()
    families = (*_node(view, doors), *_rack(view), *_loads(view), *_meters(view), *_market(doors))
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _node(view: View, doors: Doors) -> Iterable[Family]:
    about = {"node": view.node.name, "node_id": view.node.id, "rack": view.rack}
    yield _gauge("rackgrid_info", "Which node this is, and its version.").add(
        1, **about, version=__version__
    )
    healthy, _ = doors.health()
    yield _gauge("rackgrid_healthy", "1 while this node does its work.").add(healthy)
    yield _gauge("rackgrid_firmware_up", "1 while its firmware answers.").add(view.firmware)
    role = _gauge("rackgrid_role", "1 for what this node is now, 0 for what it is not.")
    for each in Role:
        word = each.name.lower()
        role.add(word == view.role, role=word)
    yield role
    yield _gauge("rackgrid_authority", "1 while it may grant power.").add(view.authority)
    yield _gauge("rackgrid_term", "Term of the broker that it follows.").add(view.term)
    if view.supply is not None:
        yield _gauge("rackgrid_under_voltage", "1 while its Pi has less than 4.63 V.").add(
            view.supply.now.under_voltage
        )
    rejected = _counter(
        "rackgrid_datagrams_rejected_total", "Datagrams that were dropped, by the reason."
    )
    for reason, count in view.rejected.items():
        rejected.add(count, reason=reason)
    yield rejected


def _rack(view: View) -> Iterable[Family]:
    yield _gauge("rackgrid_roster_nodes", "Admitted nodes.").add(len(view.roster))
    yield _gauge("rackgrid_absent_nodes", "Admitted nodes that are not heard.").add(
        sum(line.absent for line in view.roster)
    )
    draw = _gauge("rackgrid_member_draw_watts", "What each node that is heard says it draws.")
    floor = _gauge("rackgrid_member_floor_watts", "What each may always draw.")
    for member in view.members:
        draw.add(member.draw_w, member=member.name)
        floor.add(member.floor_w, member=member.name)
    yield from (draw, floor)
    feed = view.feed
    told = view.price.value is not None
    for name, meaning, watts in (
        ("capacity", "What the feed gives, as the broker says.", feed.capacity_w),
        ("drawn", "What all nodes draw.", feed.drawn_w),
        ("granted", "What is granted above the floors.", feed.granted_w),
        ("floors", "What may always be drawn.", feed.floors_w),
    ):
        yield _gauge(f"rackgrid_feed_{name}_watts", meaning).add(watts if told else None)
    yield _gauge("rackgrid_feed_limit_watts", "What an operator allows.").add(feed.limit_w)
    currency = view.price.currency
    yield _gauge("rackgrid_price_per_kwh", "The price in force; absent while unknown.").add(
        view.price.value, currency=currency
    )
    yield _gauge("rackgrid_price_scarce", "1 while the price is one of scarcity.").add(
        view.price.scarce if told else None
    )


def _loads(view: View) -> Iterable[Family]:
    own = [load for load in view.loads if load.node == view.node.name]
    columns: tuple[tuple[str, str, Callable[[LoadView], float | None]], ...] = (
        ("on", "1 while the load is on.", lambda load: load.on),
        ("draw_watts", "What it draws.", lambda load: load.watts),
        ("grant_watts", "What it is granted.", lambda load: load.grant_w),
        ("worth_per_kwh", "What it is worth running.", lambda load: load.worth),
        ("fault", "1 while it has a fault that must be cleared.", lambda load: bool(load.fault)),
        ("notice", "1 while somebody should look at it.", lambda load: bool(load.notice)),
        ("contact_closings", "How often its contact has closed.", lambda load: load.switches),
        ("contact_life_ratio", "How much of its contact's life that is.", _life),
    )
    for name, meaning, value in columns:
        family = _gauge(f"rackgrid_load_{name}", meaning)
        for load in own:
            family.add(value(load), load=load.name)
        yield family
    verdict = _gauge("rackgrid_load_verdict", "1 for what its meter made of its last switches.")
    for load in own:
        if load.verdict is not None:
            verdict.add(1, load=load.name, verdict=load.verdict)
    yield verdict
    sources = _gauge("rackgrid_source_watts", "What each source of this node offers.")
    charge = _gauge("rackgrid_battery_charge_ratio", "How full a battery is at least, 0 to 1.")
    for source in view.sources:
        if source.node == view.node.name:
            sources.add(source.power_w, source=source.name)
            charge.add(source.charge, source=source.name)
    yield from (sources, charge)


def _meters(view: View) -> Iterable[Family]:
    columns: tuple[tuple[str, str, Callable[[MeterView], float | None]], ...] = (
        ("volts", "Voltage at the meter.", lambda meter: meter.volts),
        ("amperes", "Current through it.", lambda meter: meter.amps),
        ("watts", "Power through it.", lambda meter: meter.watts),
        ("uncertainty_watts", "The truth is within this of the power.", _uncertainty),
        ("fresh", "1 while its readings are new and sound.", lambda m: m.quality == FRESH),
    )
    for name, meaning, value in columns:
        family = _gauge(f"rackgrid_meter_{name}", meaning)
        for meter in view.meters:
            family.add(value(meter), meter=meter.name)
        yield family
    energy = _counter(
        "rackgrid_meter_energy_joules_total",
        "Energy through it in all, over restarts and reboots; absent until that is known.",
    )
    for meter in view.meters:
        energy.add(meter.energy_j, meter=meter.name)
    yield energy


def _life(load: LoadView) -> float | None:
    return None if load.life_percent is None else load.life_percent / 100


def _uncertainty(meter: MeterView) -> float | None:
    return meter.uncertainty_w


def _market(doors: Doors) -> Iterable[Family]:
    chronicle = doors.chronicle
    if chronicle is None:
        return
    rounds = _counter(
        "rackgrid_rounds_total",
        "Rounds cleared by this node as the broker; exact: no lawful choice had more welfare.",
    )
    for exact, count in sorted(chronicle.rounds.items()):
        rounds.add(count, exact="yes" if exact else "no")
    yield rounds
    last = chronicle.cleared
    ratio = _gauge(
        "rackgrid_welfare_ratio",
        "Welfare of the last round by the best that there is; absent where that is not known.",
    )
    if last is not None and last.granting and last.clearing.exact:
        ratio.add(1)
    yield ratio


def _gauge(name: str, meaning: str) -> Family:
    return Family(name, "gauge", meaning)


def _counter(name: str, meaning: str) -> Family:
    return Family(name, "counter", meaning)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
