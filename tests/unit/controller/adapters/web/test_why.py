"""Fails if the answer to "why" leaves out an input, a change, or the names that there are."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.types import Message
from tests.unit.controller.adapters.story import SECOND, STARTING, decided
from tests.unit.controller.cli.daemon import VIEW

from rackgrid.adapters.chronicle import Chronicle
from rackgrid.adapters.web import why
from rackgrid.adapters.web.doors import Doors
from rackgrid.core.reason import Decision
from rackgrid.core.view import View

NOW = 100 * SECOND
ON_SINCE = replace(STARTING, grounds=replace(STARTING.grounds, since_ns=40 * SECOND))


def ask(
    path: str, query: str = "", present: Decision | None = ON_SINCE, view: View = VIEW
) -> tuple[int, dict[str, object]]:
    """Ask for a load of pi-1, whose only own load is the lamp."""
    chronicle = Chronicle("pi-1", "0a", lambda: 1_772_366_400 * SECOND, lambda: NOW)
    for number in range(7):
        chronicle.publish(decided(), (90 + number) * SECOND)

    def known(load: str) -> Decision | None:
        return present if load == "lamp" else None

    doors = Doors(
        lambda: view,
        lambda: (True, ""),
        lambda: None,
        lambda _: None,
        lambda: NOW,
        present=known,
        chronicle=chronicle,
        prospect=lambda load: {"slack_s": 7} if load == "lamp" else None,
    )
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": [],
    }
    asyncio.run(Starlette(routes=why.routes(doors))(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body)


def test_why_an_own_load_has_its_inputs_its_ages_and_its_last_changes() -> None:
    status, told = ask("/api/why/lamp")
    assert (status, told["load"], told["node"]) == (200, "lamp", "pi-1")
    assert (told["on"], told["why"], told["wanted"]) == (False, "starting", True)
    assert (told["since_s"], told["since"]) == (60.0, "2026-03-01T11:59:00.000Z")
    assert told["reason_since_s"] == 4.0
    assert (told["price_uc"], told["worth_uc"], told["needs_mw"]) == (250_000, 400_000, 9000)
    assert (told["broker_name"], told["currency"]) == ("pi-2", "EUR")
    assert told["prospect"] == {"slack_s": 7}
    changes = told["changes"]
    assert isinstance(changes, list)
    assert len(changes) == why.CHANGES


@pytest.mark.parametrize(("last", "count"), [("0", 0), ("2", 2), ("7", 7), ("999", 7)])
def test_why_shows_as_many_changes_as_asked_for(last: str, count: int) -> None:
    changes = ask("/api/why/lamp", f"last={last}")[1]["changes"]
    assert isinstance(changes, list)
    assert len(changes) == count
    if count:
        assert changes[-1]["t_ns"] == 96 * SECOND, "the newest is there"


@pytest.mark.parametrize("last", ["-1", "x", "", "1e3", "9999", "²"])
def test_why_of_a_count_that_is_none_is_refused(last: str) -> None:
    status, told = ask("/api/why/lamp", f"last={last}")
    assert status == 400
    assert "0 to 50" in str(told["error"])


def test_why_a_load_of_another_node_is_what_that_one_says() -> None:
    status, told = ask("/api/why/pump")
    assert status == 200
    assert told == {
        "load": "pump",
        "node": "pi-2",
        "on": True,
        "reason": "worth it",
        "fault": "welded",
        "share": None,
        "elsewhere": True,
    }


def test_why_the_broker_says_that_a_loads_node_is_flagged() -> None:
    liars = tuple(replace(each, share=1.5, flagged=True) for each in VIEW.members)
    assert ask("/api/why/pump", view=replace(VIEW, members=liars))[1]["share"] == 1.5
    assert ask("/api/why/lamp", view=replace(VIEW, members=liars))[1]["share"] == 1.5
    known = tuple(replace(each, share=1.5) for each in VIEW.members)
    assert ask("/api/why/lamp", view=replace(VIEW, members=known))[1]["share"] is None


def test_why_an_unknown_load_names_those_that_there_are() -> None:
    status, told = ask("/api/why/lapm")
    assert status == 404
    assert "fan (pi-1), pump (pi-2)" in str(told["error"])
    assert "no load is known" in str(ask("/api/why/x", view=replace(VIEW, loads=()))[1]["error"])


def test_why_a_load_that_several_others_have_is_asked_for_there() -> None:
    pump = VIEW.loads[2]
    view = replace(VIEW, loads=(*VIEW.loads, replace(pump, node="pi-3")))
    status, told = ask("/api/why/pump", view=view)
    assert status == 409
    assert "pi-2, pi-3" in str(told["error"])


def test_why_many_loads_are_not_all_named() -> None:
    loads = tuple(replace(VIEW.loads[0], name=f"load-{n}") for n in range(30))
    error = str(ask("/api/why/x", view=replace(VIEW, loads=loads))[1]["error"])
    assert error.endswith("and 10 more")


def test_why_of_a_load_that_has_never_been_switched_has_no_date() -> None:
    told = ask("/api/why/lamp", present=STARTING)[1]
    assert (told["since"], told["since_s"]) == (None, None)
