"""The performance, on a rack of which only the files are real: deeds, audiences, and its end."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import Daemon, answering

from rackgrid.cli.demo.rack import DemoNode, DemoRack
from rackgrid.cli.demo.script import Deed, deed
from rackgrid.cli.demo.stage import Stage
from rackgrid.cli.demo.tail import Line


class PlayedRack(DemoRack):
    """Writes down what is done to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trace = folder / "trace"
        self.nodes = [DemoNode(f"pi-{n}", folder / f"pi-{n}", 1) for n in (1, 2)]
        self.done: list[object] = []

    def set_sun(self, watts: float) -> None:
        self.done.append(("sun", watts))

    def set_load(self, node: str, output: str, watts: float) -> None:
        if output == "boiler":
            raise ValueError("node 'pi-1' has no output 'boiler'")
        self.done.append(("load", node, output, watts))

    def set_tariff(self, price: float) -> None:
        self.done.append(("tariff", price))

    def kill(self, node: DemoNode) -> None:
        node.dead = True
        self.done.append(("kill", node.name))

    def revive(self, node: DemoNode) -> None:
        node.dead = False
        self.done.append(("start", node.name))

    def write(self, node: str, line: Line) -> None:
        with self.trace.with_name(f"trace.{node}").open("a") as file:
            file.write(json.dumps({"t_ns": 1, "node": node, **line}) + "\n")


class Answered(Stage):
    """A stage whose nodes answer with a given state."""

    answer: Line | None = None

    def state(self) -> Line | None:
        return self.answer


@pytest.fixture
def rack(tmp_path: Path) -> PlayedRack:
    return PlayedRack(tmp_path)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The stage takes the signals over; the tests want them back."""
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def play(rack: PlayedRack, *deeds: Deed, audience: str = "lines", broker: str = "pi-2") -> Stage:
    stage = Answered(rack, deeds, 0.01, audience)
    stage.answer = {"broker": broker}
    assert stage.run() == 0
    return stage


def test_stage_deeds_that_are_due_are_done_in_their_order(rack: PlayedRack) -> None:
    play(
        rack,
        deed(0, "sun", "a cloud", watts=3.0),
        deed(0, "tariff", "evening", price=0.5),
        deed(0, "load", "more", node="pi-1", output="pump", watts=8.0),
        deed(0, "kill", "the broker dies", node="broker"),
        deed(0, "start", "it is back"),
        deed(0, "kill", "another", node="pi-1"),
        deed(99, "sun", "too late", watts=1.0),
    )
    assert rack.done == [
        ("sun", 3.0),
        ("tariff", 0.5),
        ("load", "pi-1", "pump", 8.0),
        ("kill", "pi-2"),
        ("start", "pi-2"),
        ("kill", "pi-1"),
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (deed(0, "kill", "x", node="pi-9"), "kill: there is no node 'pi-9'"),
        (deed(0, "kill", "x", node="broker"), "kill: there is no node 'broker'"),
        (deed(0, "start", "x"), "start: there is no node ''"),
        (deed(0, "load", "x", node="pi-9", output="pump"), "load: there is no node 'pi-9'"),
        (deed(0, "load", "x", node="pi-1", output="boiler"), "load: node 'pi-1' has no output"),
    ],
)
def test_stage_deed_that_cannot_be_done_is_said_and_the_play_goes_on(
    rack: PlayedRack, wrong: Deed, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    play(rack, wrong, deed(0, "sun", "on we go", watts=1.0), broker="gone")
    assert said in capsys.readouterr().out
    assert rack.done == [("sun", 1.0)]


def test_stage_script_waits_for_the_first_broker(rack: PlayedRack) -> None:
    play(rack, deed(0, "sun", "too early", watts=1.0), broker="")
    assert rack.done == []


def test_stage_in_lines_tells_deeds_brokers_and_switches(
    rack: PlayedRack, capsys: pytest.CaptureFixture[str]
) -> None:
    rack.write("pi-2", {"event": "role", "role": "broker", "term": 4})
    rack.write("pi-1", {"event": "role", "role": "member", "term": 4})
    rack.write("pi-1", {"event": "switch", "load": "lamp", "on": True, "why": "WORTH_IT"})
    rack.write("pi-1", {"event": "price", "term": 4, "round": 1, "value": 0.3})
    play(rack, deed(0, "kill", "it dies", node="pi-1"))
    caught = capsys.readouterr()
    said = [line.split(" s  ")[1] for line in caught.out.splitlines()]
    assert sorted(said) == [
        "it dies (pi-1)",
        "pi-1 lamp on: WORTH_IT",
        "pi-2 is the broker of term 4",
    ]
    assert caught.err.splitlines() == [f"{n.name}: {n.api}/api/state" for n in rack.nodes]


def test_stage_in_json_names_the_nodes_first_and_passes_every_event_on(
    rack: PlayedRack, capsys: pytest.CaptureFixture[str]
) -> None:
    rack.write("pi-1", {"event": "price", "term": 4, "round": 1, "value": 0.3})
    play(rack, deed(0, "kill", "it dies", node="broker"), deed(0, "start", "back"), audience="json")
    caught = capsys.readouterr()
    first, *events = [json.loads(line) for line in caught.out.splitlines()]
    assert [node["name"] for node in first["nodes"]] == ["pi-1", "pi-2"]
    assert first["nodes"][0]["trace"] == str(rack.folder / "trace.pi-1")
    assert [e["event"] for e in events] == ["demo", "demo", "price"]
    assert (events[0]["do"], events[0]["node"]) == ("kill", "pi-2")
    assert events[1]["controller_pid"] is None, "this rack has no processes"
    assert caught.err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stage_without_an_end_ends_by_a_signal(rack: PlayedRack, number: signal.Signals) -> None:
    stage = Answered(rack, [], 0, "json")
    ringing = threading.Timer(0.1, os.kill, (os.getpid(), number))
    ringing.start()
    assert stage.run() == 0
    ringing.join()
    os.kill(os.getpid(), number)  # a second one while the rack is cleared away changes nothing


def test_stage_on_a_screen_shows_the_state_and_what_happened(
    rack: PlayedRack, capsys: pytest.CaptureFixture[str]
) -> None:
    play(rack, deed(0, "sun", "a cloud", watts=3.0), audience="screen")
    shown = capsys.readouterr().out
    assert "broker pi-2" in shown
    assert "a cloud" in shown


def test_stage_asks_the_first_node_that_lives_and_answers(rack: PlayedRack) -> None:
    stage = Stage(rack, [], 1, "json")
    assert stage.state() is None, "nobody answers yet"
    with answering(Daemon()) as daemon:
        rack.nodes[0].api_port = rack.nodes[1].api_port = int(daemon.api.rpartition(":")[2])
        rack.nodes[0].dead = True
        state = stage.state()
        assert state is not None
        assert state["broker"] == "pi-2"
        assert daemon.asked == ["GET /api/state"]
        daemon.body = b"no json"
        assert stage.state() is None
