"""The broker at its rounds: what it tells of a member that takes more than it was granted."""

from __future__ import annotations

from tests.unit.controller.core.ballot import H
from tests.unit.controller.core.chair import ANNA, BERT, WANTS, acks, office, with_room
from tests.unit.controller.core.stage import Player, report

from rackgrid.core.action import NodeJudged, RoundCleared
from rackgrid.core.settings import SECOND_NS
from rackgrid.identity import NodeId

LIAR = NodeId(ANNA)


def lies(player: Player, span_ns: int) -> None:
    """Let Anna draw far more than she is granted, and Bert nothing."""
    end_ns = player.now_ns + span_ns
    while player.now_ns < end_ns:
        player.passes(H)
        seq = 100 + player.now_ns // H
        acks(player, ANNA, report(seq, steps=WANTS.steps, draw_mw=30_000))
        acks(player, BERT, report(seq, steps=WANTS.steps))


def test_judgement_is_told_right_before_the_round_that_it_counts_from() -> None:
    """Fails if a record could not say by what somebody was judged, or whose word it was."""
    player = with_room()
    lies(player, 18 * SECOND_NS)
    told = [a for a in player.said if isinstance(a, NodeJudged | RoundCleared)]
    (at,) = (at for at, action in enumerate(told) if isinstance(action, NodeJudged))
    judged, cleared = told[at], told[at + 1]
    assert isinstance(judged, NodeJudged)
    assert isinstance(cleared, RoundCleared)
    assert (judged.pair, judged.node, judged.name) == (office(player).pair, LIAR, f"n{ANNA}")
    assert (judged.lies, judged.is_flagged, judged.is_news) == (1, False, True)
    window = judged.window
    assert (window.number, window.round, window.ended_ns) == (1, cleared.round, cleared.at_ns)
    assert window.proof == (9000, 30_000)
    seen = cleared.looks[LIAR]
    assert (seen.round, seen.draw_mw, seen.grant.power_mw) == (cleared.round, 30_000, 9000)
    assert set(cleared.lasts_ms) >= {LIAR, NodeId(BERT)}
