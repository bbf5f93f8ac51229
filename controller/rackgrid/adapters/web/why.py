"""`GET /api/why/LOAD`: why a load is as it is, since when, by what inputs, and what was before.

A node knows all about its own loads. Of another node's it knows what that one's beacon says;
whoever wants more asks there.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rackgrid.adapters.chronicle import CHANGES_MAX, Chronicle
from rackgrid.adapters.event_json import decision
from rackgrid.adapters.view_json import Json
from rackgrid.adapters.web.answer import answer, refuse
from rackgrid.adapters.web.doors import Doors
from rackgrid.core.reason import Decision
from rackgrid.core.view import LoadView, View

CHANGES = 5
"""Changes that are shown where nobody says how many."""
NAMES_MAX = 20
"""Names in a refusal."""


def routes(doors: Doors) -> list[Route]:
    """Make the route."""

    async def why(request: Request) -> Response:
        last = _last(request.query_params.get("last", str(CHANGES)))
        if last is None:
            return refuse(400, f"last: a number of changes, 0 to {CHANGES_MAX}")
        return _why(doors, str(request.path_params["load"]), last)

    return [Route("/api/why/{load}", why)]


def _last(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        return None
    return min(int(text), CHANGES_MAX)


def _why(doors: Doors, load: str, last: int) -> Response:
    view, own = doors.source(), doors.present(load)
    if own is not None and doors.chronicle is not None:
        told = _own(view, own, doors.chronicle, doors.clock(), last)
        return answer({**told, "prospect": doors.prospect(load)})
    others = [each for each in view.loads if each.name == load and each.node != view.node.name]
    if not others:
        return refuse(404, f"no load {load[:40]!r}: {_known(view)}")
    if len(others) > 1:
        nodes = ", ".join(sorted(each.node for each in others))
        return refuse(409, f"several nodes have a load {load!r}: ask on one of {nodes}")
    return answer(_other(view, others[0]))


def _own(view: View, made: Decision, chronicle: Chronicle, now_ns: int, last: int) -> Json:
    since_ns = made.grounds.since_ns
    changes = chronicle.changes(made.load, CHANGES_MAX)
    reasoned_ns = changes[-1]["t_ns"] if changes else None
    assert reasoned_ns is None or isinstance(reasoned_ns, int), "a time is a number"
    return {
        "load": made.load,
        "node": view.node.name,
        "on": made.on,
        **_since("since", since_ns if 0 < since_ns <= now_ns else None, chronicle, now_ns),
        **_since("reason_since", reasoned_ns, chronicle, now_ns),
        "broker_name": view.broker,
        "currency": view.price.currency,
        **{key: value for key, value in decision(made).items() if key not in ("from", "to")},
        "share": _share(view, view.node.name),
        "changes": changes[len(changes) - min(last, len(changes)) :],
    }


def _since(key: str, since_ns: int | None, chronicle: Chronicle, now_ns: int) -> Json:
    """Give a moment as a date, if the time of day is known, and as an age."""
    if since_ns is None:
        return {key: None, f"{key}_s": None}
    return {key: chronicle.date(since_ns), f"{key}_s": round((now_ns - since_ns) / 1e9, 3)}


def _share(view: View, node: str) -> float | None:
    """With which share a node's bids count, if this one is the broker that counts them so."""
    flagged = (each.share for each in view.members if each.name == node and each.flagged)
    return next(flagged, None)


def _other(view: View, load: LoadView) -> Json:
    return {
        "load": load.name,
        "node": load.node,
        "on": load.on,
        "reason": load.reason,
        "fault": load.fault or "",
        "share": _share(view, load.node),
        "elsewhere": True,
    }


def _known(view: View) -> str:
    names = [f"{each.name} ({each.node})" for each in view.loads]
    if not names:
        return "no load is known yet"
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return f"there are {', '.join(names[:NAMES_MAX])}{more}"
