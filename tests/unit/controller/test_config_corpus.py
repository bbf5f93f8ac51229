"""Mistakes that people make in `rackgrid.toml`, and what they are told.

Each file of `config_corpus` is one of them. The findings that are due stand behind `# ! ` on the
very lines that they must name; `board.toml` is the profile that all of them point to.
"""

from pathlib import Path

import pytest

from rackgrid.config_file import load_config
from rackgrid.errors import ConfigError

CORPUS = Path(__file__).parent / "config_corpus"
MISTAKES = sorted(path for path in CORPUS.glob("*.toml") if path.name != "board.toml")


def due(path: Path) -> list[str]:
    """The findings that the file itself asks for, with their lines."""
    return [
        f"{path}:{number}: {line.split('# ! ')[1]}"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "# ! " in line
    ]


def test_corpus_is_large_and_each_file_of_it_asks_for_something() -> None:
    assert len(MISTAKES) >= 40
    assert all(map(due, MISTAKES))


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_mistake_is_named_on_its_line_with_what_was_meant(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert list(caught.value.findings) == due(path)
    assert "hunter2" not in str(caught.value)
