"""The vigil: which lines about trust a record needs, so that each verdict in it can be made again.

A node that is not above suspicion is judged every ten seconds, mostly with nothing new. Its windows
wait here, and are told together: before the next round that is told, with the next news of the
node, or when there are many of them. Whatever is told of trust, the round that follows is told,
too. So is the round in which a node is first seen to draw too much: what it was judged by, or that
nobody judged it, is then in the record before the judgement is.
"""

from __future__ import annotations

from typing import Final

from rackgrid.core.action import NodeJudged, RoundCleared
from rackgrid.identity import NO_PAIR, NodeId
from rackgrid.market.honesty import is_beyond

WINDOWS_MAX: Final = 60
"""Windows in one line: ten minutes of one node."""
SUSPECT_NS: Final = 600_000_000_000
"""The same node's draw makes news no more often than that."""


class Vigil:
    """What has not been told yet of the nodes that one broker does not trust."""

    def __init__(self) -> None:
        self._pair = NO_PAIR
        self._waiting: dict[NodeId, list[NodeJudged]] = {}
        self._suspected_ns: dict[NodeId, int] = {}
        self._is_owed = False

    def judged(self, action: NodeJudged) -> list[NodeJudged]:
        """Take a window; give all of its node that are to be told now, or none."""
        if action.pair != self._pair:
            self._begin(action)
        windows = self._waiting.setdefault(action.node, [])
        windows.append(action)
        if not action.is_news and len(windows) < WINDOWS_MAX:
            return []
        self._is_owed = True
        return self._waiting.pop(action.node)

    def is_owed(self, cleared: RoundCleared) -> bool:
        """Whether this round has to be told on behalf of trust; it is asked once a round."""
        if cleared.pair != self._pair:
            self._begin(cleared)
        owed, self._is_owed = self._is_owed, False
        for node, look in cleared.looks.items():
            if not is_beyond(look.allowed_mw, look.drawn_mw):
                continue
            known_ns = self._suspected_ns.get(node)
            if known_ns is None or look.at_ns - known_ns >= SUSPECT_NS:
                self._suspected_ns[node] = look.at_ns
                owed = True
        return owed

    def rest(self) -> list[list[NodeJudged]]:
        """Give all that waits, node by node."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())

    def _begin(self, of: NodeJudged | RoundCleared) -> None:
        """Another office: nobody asks any more what the one before it thought."""
        self._pair = of.pair
        self._waiting.clear()
        self._suspected_ns.clear()
        self._is_owed = False
