from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.controller.cli.daemon import VIEW, Daemon, answering, state_of
from tests.unit.controller.cli.test_run import BOARD, CONFIG

from rackgrid.adapters.key_file import add_random, change_keys, load_keys, new_group_key
from rackgrid.cli import expel, main
from rackgrid.cli.exit import Exit

ASKED = (202, b'{"expelling": "00000000000000aa", "name": "pi-1", "floor_w": 12.0}')
PI_1 = VIEW.roster[0]
MARKED = state_of(replace(VIEW, roster=(replace(PI_1, expelled=True),)))
OUT = replace(PI_1, expelled=True, votes=0)
DONE = state_of(replace(VIEW, roster=(OUT,)))


def others(*names: str) -> bytes:
    """What the broker answers once pi-1 is out and these are left, pi-2 as the broker."""
    lines = [replace(PI_1, id=f"{n:016x}", name=name) for n, name in enumerate(names, 0xBB)]
    node = replace(VIEW.node, id=f"{0xBB:016x}", name=names[0])
    return state_of(replace(VIEW, node=node, roster=(OUT, *lines)))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "rack.key"
    new_group_key(path)
    return path


def rotates(daemon: Daemon, key_file: Path) -> int:
    words = ["expel", "pi-1", "--rotate", "--key-file", str(key_file), "--json"]
    return main([*words, "--api", daemon.api])


def lines_of(text: str, command: str) -> list[str]:
    """The commands of that name in what was said, without what stands before them."""
    return [line[line.index(command) :] for line in text.splitlines() if f"{command} " in line]


def test_expel_waits_until_the_node_has_no_vote_and_says_what_is_left_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = [ASKED, (200, state_of(VIEW)), (200, MARKED)]
    with answering(Daemon(first=first, body=DONE)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api, "--json"]) == Exit.OK
    assert daemon.asked[0] == "POST /api/expel/pi-1"
    assert len(daemon.asked) == 4
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": PI_1.id, "name": "pi-1", "expelled": True}
    assert "rackgrid key rotate" in err
    assert "floor of 12 W" in err
    assert "rackgrid forget pi-1" in err


def test_expel_of_a_node_whose_line_is_gone_already_is_done() -> None:
    gone = state_of(replace(VIEW, roster=(replace(PI_1, id="00000000000000bb"),)))
    with answering(Daemon(first=[ASKED], body=gone)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.OK


def test_expel_is_not_done_where_no_roster_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expel, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED], body=state_of(replace(VIEW, roster=())))) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.FAILED


def test_expel_asked_elsewhere_fails_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"error": "only the broker changes a node\'s line, and pi-2 is: ask there"}'
    with answering(Daemon(status=409, body=body)) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api]) == Exit.FAILED
    assert "pi-2 is: ask there" in capsys.readouterr().err


def test_expel_that_nobody_agrees_on_ends_when_patience_does(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expel, "PATIENCE_S", 0.0)
    with answering(Daemon(first=[ASKED], body=state_of(VIEW))) as daemon:
        assert main(["expel", "pi-1", "--api", daemon.api, "--json"]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert json.loads(out)["expelled"] is False
    assert "pi-1 is not expelled" in err


def test_expel_rotate_adds_a_key_and_says_how_all_others_get_it(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expelled_before = replace(OUT, id="00000000000000ee", name="pi-9")
    answer = json.loads(others("pi-2", "pi-3", "pi-4"))
    answer["roster"] += json.loads(state_of(replace(VIEW, roster=(expelled_before,))))["roster"]
    with answering(Daemon(first=[ASKED], body=json.dumps(answer).encode())) as daemon:
        assert rotates(daemon, key_file) == Exit.OK
    keys = load_keys(key_file)
    assert (keys.use, [key.number for key in keys.keys]) == (1, [1, 2]), "added, and not used yet"
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": PI_1.id, "name": "pi-1", "expelled": True, "key": 2}
    assert lines_of(err, "scp") == [
        f"scp -p -- {key_file} {name}:{key_file}" for name in ("pi-2", "pi-3", "pi-4")
    ], "to all but those that are out; the broker may be another machine than this"
    assert f"2 ({keys.newest.fingerprint})" in err, "what each node's log says then"
    assert "rackgrid forget pi-1" in err
    assert not any(key.secret.hex() in out + err for key in keys.keys)
    (step,) = lines_of(err, "rackgrid key rotate")
    assert main(shlex.split(step)[1:]) == Exit.OK
    assert load_keys(key_file).use == 2
    (step,) = lines_of(err, "rackgrid key drop")
    assert main([*shlex.split(step)[1:], "--force"]) == Exit.OK
    assert [key.number for key in load_keys(key_file).keys] == [2]


def test_expel_rotate_of_the_node_whose_configuration_this_is_needs_no_copy_to_itself(
    tmp_path: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "rackgrid.toml"
    with answering(Daemon(first=[ASKED], body=others("pi-2", "pi-3"))) as daemon:
        port = daemon.api.rpartition(":")[2]
        (tmp_path / "board.toml").write_text(BOARD)
        config.write_text(CONFIG.replace("PORT", "8437").replace("API", port))
        assert main(["expel", "pi-1", "--rotate", "--config", str(config)]) == Exit.OK
    (copy,) = lines_of(capsys.readouterr().err, "scp")
    assert copy == f"scp -p -- {key_file} pi-3:{key_file}"
    assert load_keys(key_file).newest.number == 2


def test_expel_rotate_takes_no_key_that_the_expelled_node_may_have(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = change_keys(key_file, add_random).newest
    with answering(Daemon(first=[ASKED], body=others("pi-2"))) as daemon:
        assert rotates(daemon, key_file) == Exit.OK
    keys = load_keys(key_file)
    assert keys.newest.number == 3
    assert keys.newest.secret != waiting.secret
    (drops,) = lines_of(capsys.readouterr().err, "rackgrid key drop")
    assert drops.count("rackgrid key drop") == 2
    assert "drop 1 --file" in drops
    assert "drop 2 --file" in drops


def test_expel_rotate_with_a_full_ring_expels_and_says_that_no_key_was_made(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        change_keys(key_file, add_random)
    with answering(Daemon(first=[ASKED], body=others("pi-2"))) as daemon:
        assert rotates(daemon, key_file) == Exit.FAILED
    out, err = capsys.readouterr()
    assert json.loads(out) == {"id": PI_1.id, "name": "pi-1", "expelled": True, "key": None}
    assert "the ring holds 4 keys" in err
    assert "make a new one without it (rackgrid key rotate)" in err


def test_expel_rotate_where_the_file_cannot_be_written_says_so(
    key_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rackgrid.adapters.key_file.replace_whole", refuse)
    before = key_file.read_bytes()
    with answering(Daemon(first=[ASKED], body=others("pi-2"))) as daemon:
        assert rotates(daemon, key_file) == Exit.FAILED
    err = capsys.readouterr().err
    assert "nothing was changed" in err
    assert "pi-1 is expelled" in err
    assert key_file.read_bytes() == before


def test_expel_rotate_without_a_key_file_expels_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with answering(Daemon(first=[ASKED], body=DONE)) as daemon:
        assert rotates(daemon, tmp_path / "none.key") == Exit.BAD_CONFIG
    assert daemon.asked == []
    assert "there is no group key" in capsys.readouterr().err


def test_expel_rotate_makes_no_key_while_the_node_is_not_out(
    key_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(expel, "PATIENCE_S", 0.0)
    before = key_file.read_bytes()
    with answering(Daemon(first=[ASKED], body=state_of(VIEW))) as daemon:
        assert rotates(daemon, key_file) == Exit.FAILED
    assert key_file.read_bytes() == before
    assert json.loads(capsys.readouterr().out)["key"] is None


def test_expel_rotate_says_a_name_that_means_something_to_a_shell_as_one_word(
    key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "-oProxyCommand=id;reboot"
    with answering(Daemon(first=[ASKED], body=others("pi-2", evil))) as daemon:
        assert rotates(daemon, key_file) == Exit.OK
    _, copy = lines_of(capsys.readouterr().err, "scp")
    assert shlex.split(copy) == ["scp", "-p", "--", str(key_file), f"{evil}:{key_file}"]
