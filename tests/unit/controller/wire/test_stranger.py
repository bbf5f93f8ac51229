from __future__ import annotations

from rackgrid.identity import BootId, NodeId
from rackgrid.wire.stranger import (
    ANSWER_SPACING_NS,
    ASK_SPACING_NS,
    STRANGERS_MAX,
    Stranger,
    Strangers,
)

A, BOOT = NodeId(1), BootId(2)


def test_stranger_is_asked_and_answered_seldom_and_apart() -> None:
    stranger = Stranger()
    assert stranger.may_be_asked(ASK_SPACING_NS, 0)
    assert stranger.may_be_answered(0)
    assert not stranger.may_be_asked(ASK_SPACING_NS, ASK_SPACING_NS - 1)
    assert not stranger.may_be_answered(ANSWER_SPACING_NS - 1)
    assert stranger.may_be_asked(ASK_SPACING_NS, ASK_SPACING_NS), "a refusal does not count"
    assert stranger.may_be_answered(ANSWER_SPACING_NS)


def test_stranger_newest_word_makes_every_recording_old() -> None:
    stranger = Stranger()
    assert [stranger.is_newer(False, n) for n in (5, 5, 4, 6)] == [True, False, False, True]
    assert stranger.is_newer(True, 1), "unicasts count apart"
    assert not stranger.is_newer(True, 1)


def test_strangers_are_remembered_in_a_bounded_number_and_the_quietest_forgotten() -> None:
    strangers = Strangers()
    first = strangers.heard(A, BOOT)
    second = strangers.heard(A, BootId(3))
    for number in range(STRANGERS_MAX - 1):
        assert strangers.heard(A, BOOT) is first
        strangers.heard(A, BootId(1000 + number))
    assert len(strangers) == STRANGERS_MAX
    assert strangers.heard(A, BOOT) is first
    assert strangers.heard(A, BootId(3)) is not second


def test_strangers_forget_who_has_proved_itself() -> None:
    strangers = Strangers()
    first = strangers.heard(A, BOOT)
    strangers.forget(A, BOOT)
    strangers.forget(A, BOOT)
    assert strangers.heard(A, BOOT) is not first
