"""Fails if a deed is not to be found, or a word that is none passes for one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rackgrid.cli import main
from rackgrid.cli.exit import Exit


@pytest.mark.parametrize("deed", ["read", "watch", "calibrate", "verify"])
def test_every_deed_has_its_help(deed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["meter", deed, "--help"]) == Exit.OK
    assert "--profile" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["meter"],
        ["meter", "calibrat"],
        ["meter", "watch", "--count", "0"],
        ["meter", "calibrate", "m", "--point", "0", "--reference-accuracy", "1%"],
        ["meter", "verify", "m", "--reference", "nan"],
        ["meter", "verify", "m", "--reference", "1e9"],
        ["meter", "verify", "m"],
    ],
)
def test_words_that_mean_nothing_are_a_usage_error(words: list[str]) -> None:
    assert main(words) == Exit.USAGE


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["calibrate", "m", "--point", "x"], "'x' is no current: a number of amperes such as 0.5"),
        (["calibrate", "m", "--point", "0"], "the zero is measured first"),
        (["verify", "m", "--reference", "abc"], "'abc' is no current: a number of amperes"),
        (["verify", "m", "--reference", "1", "--samples", "many"], "'many' is no count"),
    ],
)
def test_word_that_is_no_number_is_told_what_would_be_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["meter", *words]) == Exit.USAGE
    err = capsys.readouterr().err
    assert said in err
    assert "_amps" not in err
    assert "_whole" not in err


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from rackgrid.cli import main; main(['meter', '--help']); "
        "print(sorted({'rich', 'gpiozero', 'smbus2', 'tomllib'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
