import json
import stat
from pathlib import Path

import pytest

from rackgrid.adapters.key_file import load_keys
from rackgrid.cli import main
from rackgrid.cli.api import Record
from rackgrid.cli.exit import Exit


def test_new_key_is_for_its_owner_alone_and_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rack.key"
    assert main(["key", "new", str(path)]) == Exit.OK
    out, err = capsys.readouterr()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keys(path).used.secret.hex() not in out + err
    assert str(path) in err


def test_two_new_keys_differ(tmp_path: Path) -> None:
    first, second = tmp_path / "1.key", tmp_path / "2.key"
    assert main(["key", "new", str(first)]) == main(["key", "new", str(second)]) == Exit.OK
    assert first.read_bytes() != second.read_bytes()


def test_new_key_never_overwrites_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rack.key"
    path.write_text("the old one")
    assert main(["key", "new", str(path)]) == Exit.FAILED
    assert path.read_text() == "the old one"
    assert "exists" in capsys.readouterr().err


def test_new_key_in_a_folder_that_is_not_there_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "new", str(tmp_path / "none" / "rack.key")]) == Exit.FAILED
    assert "No such file or directory" in capsys.readouterr().err


def test_rotation_goes_step_by_step_and_says_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rack.key"
    main(["key", "new", str(path)])
    steps = [
        (["rotate"], Exit.OK, "rackgrid key rotate --everywhere"),
        (["rotate"], Exit.FAILED, "is not used yet"),
        (["drop", "1", "--force"], Exit.FAILED, "is used"),
        (["rotate", "--everywhere"], Exit.OK, "rackgrid key drop 1"),
        (["rotate", "--everywhere"], Exit.FAILED, "no key waits"),
        (["drop", "1", "--force"], Exit.OK, "key 1 is gone"),
        (["drop", "7", "--force"], Exit.FAILED, "no key 7"),
    ]
    for words, code, says in steps:
        assert main(["key", *words, "--file", str(path)]) == code, words
        out, err = capsys.readouterr()
        assert says in err, words
        assert not any(key.secret.hex() in out + err for key in load_keys(path).keys)
    keys = load_keys(path)
    assert (keys.use, [key.number for key in keys.keys]) == (2, [2])


def test_key_that_a_node_still_uses_is_not_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could open what that node seals: its word is heard before the key goes."""
    path = tmp_path / "rack.key"
    main(["key", "new", str(path)])
    main(["key", "rotate", "--file", str(path)])
    main(["key", "rotate", "--everywhere", "--file", str(path)])
    before = path.read_bytes()
    sealed: dict[str, object] = {"0a": 2, "0b": 1, "0c": 1}

    def ask(url: str) -> Record:
        if url.endswith("/api/keys"):
            return Record({"sealed_with": sealed})
        return Record({"roster": [{"id": "0a", "name": "pi-1"}, {"id": "0b", "name": "pi-2"}]})

    monkeypatch.setattr("rackgrid.cli.key.ask", ask)
    drop = ["key", "drop", "1", "--file", str(path), "--api", "127.0.0.1:1"]
    assert main(drop) == Exit.FAILED
    assert "still used by 0c, pi-2: copy the key file there first" in capsys.readouterr().err
    assert path.read_bytes() == before
    sealed |= {"0b": 2, "0c": 2}
    assert main(drop) == Exit.OK


def test_key_is_not_dropped_blindly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rack.key"
    main(["key", "new", str(path)])
    before = path.read_bytes()
    assert main(["key", "drop", "1", "--file", str(path), "--api", "127.0.0.1:1"]) == Exit.FAILED
    assert "--force drops it" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_list_shows_numbers_and_ages_and_no_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rack.key"
    path.write_text(bytes(range(32)).hex())
    path.chmod(0o600)
    main(["key", "rotate", "--file", str(path)])
    capsys.readouterr()
    assert main(["key", "list", "--file", str(path)]) == Exit.OK
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()] == ["1", "2"]
    assert "not known" in shown
    assert "0 h old" in shown
    assert main(["key", "list", "--file", str(path), "--json"]) == Exit.OK
    first, second = json.loads(capsys.readouterr().out)
    assert (first["used"], first["age_s"]) == (True, None)
    assert (second["used"], second["number"]) == (False, 2)
    keys = load_keys(path)
    assert not any(key.secret.hex() in shown for key in keys.keys)


def test_rotation_in_a_folder_that_may_not_be_written_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rack.key"
    main(["key", "new", str(path)])
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rackgrid.adapters.key_file.replace_whole", refuse)
    assert main(["key", "rotate", "--file", str(path)]) == Exit.FAILED
    assert "nothing was changed" in capsys.readouterr().err
    assert path.read_bytes() == before
