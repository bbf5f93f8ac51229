"""Following a file that grows: whole lines, each once, and none before it is whole."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rackgrid.cli.demo.tail import Tail


def test_tail_of_a_file_that_is_not_there_yet_has_no_lines(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "trace")
    assert tail.lines() == []
    (tmp_path / "trace").write_text('{"a": 1}\n')
    assert tail.lines() == [{"a": 1}]
    assert tail.lines() == []


def test_tail_line_that_is_not_whole_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    tail = Tail(path)
    path.write_text('{"a": 1}\n{"b": ')
    assert tail.lines() == [{"a": 1}]
    with path.open("a") as file:
        file.write('"ä"}\n\n{"c": 3}\n')
    assert tail.lines() == [{"b": "ä"}, {"c": 3}]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=3), max_size=6),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_tail_takes_each_line_once_however_the_file_grows(
    lines: list[dict[str, object]], cuts: list[int]
) -> None:
    """Also when a write ends inside a character."""
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        tail, seen, at = Tail(path), [], 0
        for cut in [*sorted(cuts), len(data)]:
            with path.open("ab") as file:
                file.write(data[at : max(at, cut)])
            at = max(at, min(cut, len(data)))
            seen += tail.lines()
        assert seen == lines
