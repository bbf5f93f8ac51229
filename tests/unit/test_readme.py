"""What the READMEs tell a reader to type exists as written, and what they point at is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("*/README.md")])

FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)
WORD = re.compile(r"[a-z]+(?:-[a-z]+)*")


def commands(text: str) -> Iterator[list[str]]:
    """Find every command that a page tells the reader to type, as words, without sudo and paths."""
    blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
    lines = [*blocks.splitlines(), *INLINE.findall(FENCE.sub("", text))]
    for line in lines:
        for command in re.split(r"&&|;|\|", line):
            words = command.partition(" #")[0].split()
            if words[:1] == ["sudo"]:
                words = words[1:]
            if words:
                yield [words[0].rpartition("/")[2], *words[1:]]


def made(text: str) -> set[str]:
    """Find the make targets that a page uses."""
    return {
        word
        for command in commands(text)
        if command[0] == "make"
        for word in command[1:]
        if WORD.fullmatch(word)
    }


def verbs(text: str) -> set[tuple[str, ...]]:
    """Find the verbs of `rackgrid` that a page uses, with their second words."""
    found: set[tuple[str, ...]] = set()
    for command in commands(text):
        if command[0] == "rackgrid" and len(command) > 1 and WORD.fullmatch(command[1]):
            second = command[2:3] if command[1] in {"config", "key", "token"} else []
            found.add((command[1], *second))
    return found


@pytest.fixture(scope="module")
def targets() -> set[str]:
    """List the Makefile's targets."""
    return set(TARGET.findall((ROOT / "Makefile").read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_that_says_make_names_a_target(page: Path, targets: set[str]) -> None:
    assert made(page.read_text()) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_page_that_points_somewhere_points_at_what_is_there(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_tests_that_the_red_team_page_rests_on_exist() -> None:
    text = (ROOT / "controller/decisions/0015-red-team.md").read_text()
    named = re.findall(r"`((?:tests|controller)/[\w/.]+)(?:::(\w+))?`", text)
    assert len(named) > 30
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert f"def {test}(" in (ROOT / path).read_text() or not test, f"{path} has no {test}"


def test_commands_of_rackgrid_that_pages_name_exist() -> None:
    wanted = sorted(set().union(*(verbs(page.read_text()) for page in PAGES)))
    assert ("status",) in wanted
    for verb in wanted:
        asked = subprocess.run(
            [sys.executable, "-m", "rackgrid", *verb, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, f"rackgrid {shlex.join(verb)}: {asked.stderr}"


def test_readme_opens_with_two_commands_and_what_they_need() -> None:
    text = (ROOT / "README.md").read_text()
    first = FENCE.findall(text)[0]
    assert "sudo apt install git make python3-venv" in first
    assert {"demo", "test"} <= made(text)
    assert text.index("make demo") < text.index("## On a Pi")


def test_make_without_a_word_lists_every_target(targets: set[str]) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(
        ["make"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[1] for line in said.splitlines()} == targets


def test_command_finding_reads_fences_and_inline_code() -> None:
    text = (
        "Say `rackgrid config check X` or:\n```sh\nsudo make test && .venv/bin/rackgrid top\n```\n"
    )
    assert made(text) == {"test"}
    assert verbs(text) == {("config", "check"), ("top",)}
