"""Fails if a look may say of grants what the rounds before it do not."""

from __future__ import annotations

import pytest

from rackgrid.audit import grants as module
from rackgrid.audit.field import Fields
from rackgrid.audit.grants import MS_NS, Grants
from rackgrid.audit.look import Look, look_row

SECOND = 1_000_000_000
ANNA, BERT = "0a", "0b"


def rounds(*given: tuple[int, float, dict[str, tuple[int, int]]]) -> Grants:
    """Rounds by number, second, and node → mW and ms."""
    made = Grants()
    for number, at_s, told in given:
        rows = [{"node": node, "mw": mw, "ms": ms} for node, (mw, ms) in told.items()]
        made.take(number, int(at_s * SECOND), Fields({"grants": rows}))
    return made


def look(at_s: float, number: int, grant: tuple[int, int, int]) -> Look:
    """A look before that round which names a grant by round, mW and ms."""
    return look_row([0, 0, 0, 0, 0, *grant], int(at_s * SECOND), number)


THREE = rounds(
    (3, 1, {ANNA: (9000, 5000), BERT: (4000, 5000)}),
    (4, 2, {BERT: (4000, 5000)}),
    (7, 4, {ANNA: (2000, 5000), BERT: (0, 5000)}),
)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (look(4.5, 8, (3, 9000, 1500)), ""),
        (look(4.5, 8, (3, 9000, 1600)), ""),  # two grants were remembered as one
        (look(6.1, 11, (7, 2000, 2900)), ""),
        (look(6.1, 11, (0, 0, 0)), "0 mW are said to be granted at most, and round 7 gave 2000"),
        (look(4.5, 8, (7, 2000, 4500)), "2000 mW are said to be granted at most, and round 3 gave"),
        (look(4.5, 8, (3, 9001, 1500)), "9001 mW of round 3, and that gave 9000 mW"),
        (look(4.5, 8, (3, 8999, 1500)), "8999 mW of round 3, and that gave 9000 mW"),
        (look(4.5, 8, (3, 9000, 1400)), "the grant of round 3 is said to end before it does"),
        (look(4.5, 8, (8, 9000, 1500)), "grants of round 8 are not given before round 8"),
        (look(4.5, 8, (5, 9000, 1500)), "9000 mW of round 5, and none are given from round 4 on"),
        (look(9.5, 20, (15, 2000, 3000)), ""),  # not recorded: as before, or it would be
        (look(1.5, 2, (1, 9000, 3000)), ""),  # of before the first one that is
        (look(2.5, 5, (3, 9000, 3500)), ""),
    ],
)
def test_look_is_held_against_the_rounds_before_it(seen: Look, said: str) -> None:
    found = list(THREE.findings(ANNA, seen))
    assert bool(found) is bool(said), found
    assert not said or any(said in each for each in found), found


def test_grant_whose_last_millisecond_runs_may_have_ended() -> None:
    """The rest is rounded up: what ends within it is in force for nobody for sure."""
    at_ns = SECOND + 5000 * MS_NS
    for early_ns, is_found in ((MS_NS, False), (MS_NS + 1, True)):
        seen = look_row([0] * 8, at_ns - early_ns, 4)
        only = rounds((3, 1, {ANNA: (9000, 5000)}))
        assert bool(list(only.findings(ANNA, seen))) is is_found


def test_grants_of_a_long_day_are_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 4)
    made = rounds(*((number, number, {ANNA: (9000, 5000)}) for number in range(1, 30)))
    assert len(made.rounds) == len(made.given) <= 8
    assert list(made.findings(ANNA, look(3, 3, (2, 77, 4000)))) == []
