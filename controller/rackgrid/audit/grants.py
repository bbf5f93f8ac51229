"""What the recorded rounds of an office granted, and what a look may say of that."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from rackgrid.audit.field import Fields
from rackgrid.audit.look import Look

MS_NS = 1_000_000
KEPT_MAX = 4000
"""Rounds remembered; what a look says of an earlier one is not checked."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a round gave to a node, and until when that counts, ns: it may be 1 ms less."""

    mw: int
    until_ns: int


@dataclass(slots=True)
class Grants:
    """Of one office, as far as its rounds are recorded."""

    rounds: list[int] = field(default_factory=list[int])
    given: list[dict[str, Grant]] = field(default_factory=list[dict[str, Grant]])

    def take(self, round_: int, t_ns: int, line: Fields) -> None:
        """Remember what a round gave; later rounds come later.

        Raises:
            Malformed: a field is missing, or of another type.
        """
        self.rounds.append(round_)
        self.given.append(
            {
                grant.text("node"): Grant(grant.whole("mw"), t_ns + grant.whole("ms") * MS_NS)
                for grant in line.parts("grants")
            }
        )
        if len(self.rounds) > 2 * KEPT_MAX:
            del self.rounds[:KEPT_MAX], self.given[:KEPT_MAX]

    def findings(self, node: str, look: Look) -> Iterator[str]:
        """Say where a look contradicts what was granted before it."""
        before = bisect_right(self.rounds, look.round - 1)
        if look.grant_mw and look.grant_round >= look.round:
            yield f"grants of round {look.grant_round} are not given before round {look.round}"
        elif look.grant_mw:
            yield from self._cited(node, look)
        for at in reversed(range(before)):
            given = self.given[at].get(node)
            if given is None:
                continue
            if given.until_ns - MS_NS <= look.t_ns:
                break
            if given.mw > look.grant_mw:
                yield (
                    f"{look.grant_mw} mW are said to be granted at most, and round"
                    f" {self.rounds[at]} gave {given.mw} mW, which are in force"
                )
                break

    def _cited(self, node: str, look: Look) -> Iterator[str]:
        """The grant that a look names is the one of its round.

        A round that is not recorded served the same steps as the last one before it that is.
        """
        at = bisect_right(self.rounds, look.grant_round) - 1
        if at < 0:
            return
        number, given = self.rounds[at], self.given[at].get(node, Grant(0, 0))
        if number != look.grant_round:
            if not given.mw:
                yield (
                    f"{look.grant_mw} mW of round {look.grant_round}, and none are given from round"
                    f" {number} on"
                )
        elif given.mw != look.grant_mw:
            yield f"{look.grant_mw} mW of round {number}, and that gave {given.mw} mW"
        elif look.t_ns + (look.grant_ms + 1) * MS_NS < given.until_ns:
            yield f"the grant of round {number} is said to end before it does"
