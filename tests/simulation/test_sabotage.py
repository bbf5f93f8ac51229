"""Each rule taken away in turn: the swarm must notice, or the rule is useless, or unchecked.

A weakening changes one rule of the core and nothing of the checkers. One of the scripts
beside it must catch it, and none of them may accuse the whole core.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rackgrid.core import book as books
from rackgrid.core import broker, incumbent
from rackgrid.core.authority import NEVER
from rackgrid.core.book import Book
from rackgrid.core.broker import Office
from rackgrid.core.grant import Account
from rackgrid.core.roster import majority
from rackgrid.core.settings import SECOND_NS, Timing
from rackgrid.core.state import State
from rackgrid.identity import NodeId
from rackgrid.simulation.fault import BROKER, Kill, Partition
from rackgrid.simulation.recipe import seconds
from rackgrid.simulation.run import run
from rackgrid.simulation.script import Script, Timed, scripted

Patch = pytest.MonkeyPatch


def silence_frees(patch: Patch) -> None:
    """P3: who has not been heard for a second holds nothing."""
    count = Account.counted_mw

    def counted_mw(self: Account, now_ns: int) -> int:
        return count(self, now_ns) if now_ns - self.bid_received_ns <= SECOND_NS else 0

    patch.setattr(Account, "counted_mw", counted_mw)


def issued_is_not_counted(patch: Patch) -> None:
    """P3: only what nodes report is counted, not what is on its way to them."""

    def issued(account: Account, _round: int, _power_mw: int, _timing: Timing) -> Account:
        return account

    patch.setattr(broker, "issued", issued)


def book_opens_at_once(patch: Patch) -> None:
    """P6: a new broker takes what it has heard so far for all that there is."""

    def settled(
        book: Book, _nodes: frozenset[NodeId], _now_ns: int, _timing: Timing, *, is_formed: bool
    ) -> Book:
        assert isinstance(is_formed, bool), "the same words as the rule that it stands for"
        return replace(book, opened=True)

    patch.setattr(books, "settled", settled)


def majority_of_the_heard(patch: Patch) -> None:
    """P4: half a rack may lead itself."""

    def of_the_heard(self: State, now_ns: int) -> int | None:
        return majority(1 + len(self.live(now_ns)))

    def until_ns(node: State, office: Office, now_ns: int, *, own_vote: bool = True) -> int:
        need = majority(1 + len(node.live(now_ns)))
        mine = now_ns if own_vote else now_ns + node.timing.authority_ns
        vote_ns = mine if node.may_vote(now_ns) else NEVER
        return broker.authority_until_ns(office, node.roster, need, node.me, vote_ns, node.timing)

    patch.setattr(State, "majority", of_the_heard)
    patch.setattr(incumbent, "_authority_until_ns", until_ns)


def authority_never_lapses(patch: Patch) -> None:
    """P4: once a broker, always a broker, until somebody says otherwise."""

    def until_ns(_node: State, office: Office, now_ns: int, *, own_vote: bool = True) -> int:
        return now_ns + SECOND_NS * (1 if own_vote else 2)

    patch.setattr(incumbent, "_authority_until_ns", until_ns)


def anything_is_inherited(patch: Patch) -> None:
    """P6: before its waits are over a broker raises like any other."""

    def limit_mw(_book: Book, _node: NodeId, _timing: Timing) -> int | None:
        return None

    patch.setattr(books, "limit_mw", limit_mw)


def cut_off(node: int) -> list[Script]:
    """A member falls silent with its loads on."""
    return [script(Timed(seconds(8), Partition((node,))))]


def halves(*side: int) -> list[Script]:
    """Two sides are apart for long enough to lead themselves and to open their books."""
    return [script(Timed(seconds(8), Partition(side)))]


def broker_dies() -> list[Script]:
    """The broker dies while one member hears nobody."""
    return [
        script(Timed(seconds(8), Partition((1,))), Timed(seconds(8.1), Kill(BROKER))),
        script(Timed(seconds(8), Partition((1, 5)))),
    ]


def swarm(seed: int) -> list[Script]:
    """Random faults that happen to do it: the first seed of the swarm that does."""
    return [scripted(seed, 5, 24)]


def script(*timed: Timed) -> Script:
    return Script(1, 5, 30, 50_000, 0, 0, timed)


WEAKENINGS: tuple[tuple[Callable[[Patch], None], list[Script]], ...] = (
    (silence_frees, cut_off(4)),
    (issued_is_not_counted, swarm(39)),
    (book_opens_at_once, swarm(0)),
    (majority_of_the_heard, halves(1, 2)),
    (authority_never_lapses, halves(4, 5)),
    (anything_is_inherited, broker_dies()),
)


@pytest.mark.parametrize(
    ("weaken", "scripts"), WEAKENINGS, ids=[weaken.__name__ for weaken, _ in WEAKENINGS]
)
def test_weakening_is_caught(
    weaken: Callable[[Patch], None], scripts: list[Script], monkeypatch: Patch
) -> None:
    weaken(monkeypatch)
    assert any(is_unsafe(one) for one in scripts), f"{weaken.__doc__} Nothing notices."


@pytest.mark.parametrize(
    "scripts",
    [scripts for _, scripts in WEAKENINGS],
    ids=[weaken.__name__ for weaken, _ in WEAKENINGS],
)
def test_whole_core_passes_what_catches_the_weakened(scripts: list[Script]) -> None:
    """Fails if a script accuses the innocent: then it proves nothing about a weakening."""
    assert not any(run(one).violations for one in scripts)


def is_unsafe(one: Script) -> bool:
    """Whether a promise is broken; a rack that does not agree again is no breach."""
    return any(" I7 " not in violation for violation in run(one).violations)
