import subprocess
import sys
from pathlib import Path

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit
from rackgrid_firmware import safe


def test_safe_passes_its_words_on_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[str]] = []

    def record(words: list[str]) -> int:
        heard.append(words)
        return 0

    monkeypatch.setattr(safe, "main", record)
    assert main(["relays", "safe"]) == Exit.OK
    words = ["b.toml", "--table", "pins", "--plant", "sock", "--node", "n1"]
    assert main(["relays", "safe", *words]) == Exit.OK
    assert heard == [[], words]


def test_safe_that_fails_says_so_by_its_exit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = str(tmp_path / "none")
    assert main(["relays", "safe", absent, "--table", absent]) == Exit.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("NOT SAFE: ")


def test_safe_imports_nothing_of_the_controller_but_its_command(tmp_path: Path) -> None:
    absent = str(tmp_path / "none")
    program = (
        "import sys; from rackgrid.cli import main; "
        f"main(['relays', 'safe', {absent!r}, '--table', {absent!r}]); "
        "print(*sorted(each for each in sys.modules if each.startswith('rackgrid.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        *("rackgrid.cli", "rackgrid.cli.exit", "rackgrid.cli.relays", "rackgrid.errors")
    ]
