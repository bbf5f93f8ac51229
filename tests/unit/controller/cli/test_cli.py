import subprocess
import sys
from pathlib import Path

import pytest

from rackgrid import __version__
from rackgrid.cli import VERBS, main
from rackgrid.cli.exit import Exit
from rackgrid.errors import StoreError


def test_version_is_data() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rackgrid", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"rackgrid {__version__}\n"


def test_help_names_every_verb_and_every_exit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == Exit.OK
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)
    assert all(code in shown for code in ("69", "75", "78"))


def test_no_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == Exit.USAGE
    assert "VERB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "guess"), [("statsu", "'status'"), ("confg", "'config'"), ("Leave", "'leave'")]
)
def test_unknown_verb_is_told_what_was_meant(
    verb: str, guess: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith(f"did you mean {guess}?\n")


def test_unknown_verb_unlike_any_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zzz"]) == Exit.USAGE
    assert f"allowed: {', '.join(sorted(VERBS))}\n" in capsys.readouterr().err


def test_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--jsn"]) == Exit.USAGE
    assert "--jsn" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["config", "key", "leave", "sim", "status"])
def test_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == Exit.OK
    assert f"rackgrid {verb}" in capsys.readouterr().out


def test_bad_config_ends_with_its_code_and_every_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[rack]\n")
    assert main(["config", "show", str(path)]) == Exit.BAD_CONFIG
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 4


def test_error_of_ours_is_one_line_and_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_args: object) -> int:
        raise StoreError("/var/lib/rackgrid: No space left on device; free some")

    monkeypatch.setattr("rackgrid.cli.config.run_check", fail)
    assert main(["config", "check", str(tmp_path)]) == Exit.FAILED
    assert capsys.readouterr().err == (
        "rackgrid: /var/lib/rackgrid: No space left on device; free some\n"
    )


def test_interrupt_ends_as_shells_expect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(_args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rackgrid.cli.config.run_check", interrupt)
    assert main(["config", "check", str(tmp_path)]) == Exit.INTERRUPTED


def test_reader_that_goes_away_gets_no_traceback(tmp_path: Path) -> None:
    """`rackgrid config check FILE | head -1`, with more findings than a pipe holds."""
    path = tmp_path / "r.toml"
    path.write_text("[rack]\n" + "".join(f"{'k' * 60}{n} = 1\n" for n in range(3000)))
    with subprocess.Popen(
        [sys.executable, "-m", "rackgrid", "config", "check", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == Exit.FAILED


def test_command_imports_nothing_heavy_before_it_knows_the_verb() -> None:
    program = (
        "import sys; from rackgrid.cli import main; main(['--help']); "
        "heavy = {'asyncio', 'rich', 'starlette', 'uvicorn', 'cryptography', 'paho', 'gpiozero', "
        "'smbus2', 'tomllib', 'difflib', 'http.client'}; "
        "print(*sorted(sys.modules.keys() & heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == ""
