"""Lines, and a digest of them."""

from __future__ import annotations

import pytest

from rackgrid.simulation import transcript
from rackgrid.simulation.transcript import Transcript


def test_say_line_has_the_time_in_ms_who_and_what() -> None:
    said = Transcript()
    said.say(1_234_567, "anna", "boots")
    assert said.lines == ["       1.235 anna     boots"]


def test_digest_same_lines_same_digest_other_lines_another() -> None:
    one, same, other, order = (Transcript() for _ in range(4))
    for said in (one, same):
        said.say(1, "a", "x")
        said.say(2, "b", "y")
    other.say(1, "a", "x")
    order.say(2, "b", "y")
    order.say(1, "a", "x")
    assert one.digest == same.digest
    assert len({one.digest, other.digest, order.digest}) == 3


def test_say_beyond_the_limit_goes_into_the_digest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "LINES_MAX", 2)
    said = Transcript()
    digests: list[str] = []
    for number in range(4):
        said.say(number, "a", "x")
        digests.append(said.digest)
    assert len(said.lines) == 2
    assert len(set(digests)) == 4
