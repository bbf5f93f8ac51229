"""The node's books: its bookkeeper, as soon as its ledger can be had, and what it is told of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from pathlib import Path

from rackgrid.adapters.clerk import Clerk
from rackgrid.adapters.clock import monotonic_ns
from rackgrid.adapters.copyist import Circle
from rackgrid.adapters.ledger import Hand, Ledger
from rackgrid.adapters.ledger_file import LEDGER
from rackgrid.adapters.ledger_opening import is_lost
from rackgrid.adapters.signer import Signer
from rackgrid.adapters.signing import Purpose
from rackgrid.config import Config, TaskConfig
from rackgrid.config_units import UC, microcurrency
from rackgrid.core.bookkeeper import Bookkeeper, Chart
from rackgrid.core.state import State
from rackgrid.errors import SigningError, StoreError
from rackgrid.identity import NO_PAIR, NodeId
from rackgrid.market.row import Totals
from rackgrid_firmware.boot_record import kernel_boot_id

LOOK_NS = 1_000_000_000
"""Between two looks at who may keep copies, ns, while the same node leads."""
RETRY_NS = 60_000_000_000
"""A ledger that could not be opened is tried again after so long, ns."""
_log = logging.getLogger("rackgrid.ledger")


class Books:
    """The node's bookkeeper, as soon as its ledger can be had.

    A ledger that cannot be opened (the disk is full, or read-only) stops nothing: it is said once,
    and tried again once a minute. The meters count meanwhile, so that no energy is lost.

    Args:
        config: of the node.
        wall_ns: Unix time, ns; None while the clock is not set.
        signer: signs what is booked.
        public_key: of this node.
        clerk: deals with copies; None if nobody keeps any.
    """

    def __init__(
        self,
        config: Config,
        wall_ns: Callable[[], int | None],
        signer: Signer,
        public_key: bytes,
        clerk: Clerk | None = None,
    ) -> None:
        self._config = config
        self._signer = signer
        self._public_key = public_key
        self._unsigned = ""
        self._clerk = clerk
        self._looked_ns = 0
        self._followed: NodeId = NO_PAIR.node
        self._sought: Clerk | None = None
        """Who looks for the ledger of this node, which it has lost."""
        self._wall_ns = wall_ns
        self._keeper: Bookkeeper | None = None
        self._tried_ns: int | None = None
        self._complaint = ""
        self._open()

    def look(self, state: State, now_ns: int) -> None:
        """Book what was drawn since the last look; `now_ns` is CLOCK_MONOTONIC, ns."""
        if self._clerk is not None and (
            now_ns - self._looked_ns >= LOOK_NS or state.followed.node != self._followed
        ):
            self._looked_ns, self._followed = now_ns, state.followed.node
            self._clerk.look(circle_of(state, now_ns))
        if self._keeper is None and self._is_due(now_ns):
            self._open()
        if self._keeper is not None:
            self._keeper.look(state.agent, state.settings.loads, now_ns)

    def totals(self) -> dict[str, Totals]:
        """Sum up the rows of each load; nothing while there is no ledger."""
        return {} if self._keeper is None else self._keeper.totals()

    def close(self) -> None:
        """End every open row, and have all of them written."""
        if self._keeper is not None:
            self._keeper.close()

    def _is_due(self, now_ns: int) -> bool:
        if self._sought is not None:
            return not self._sought.seeking
        if self._tried_ns is None:
            self._tried_ns = now_ns  # It was tried at the start.
        if now_ns - self._tried_ns < RETRY_NS:
            return False
        self._tried_ns = now_ns
        return True

    def _open(self) -> None:
        folder, keep_days = self._config.node.state_dir, self._config.node.keep_days
        try:
            kernel = kernel_boot_id()
            if self._seeks(folder / LEDGER):
                return
            closed = (lambda: None) if self._clerk is None else self._clerk.wrote
            hand = Hand(self._public_key, self._sign, closed, self._config.node.copy_s)
            ledger = Ledger(
                folder / LEDGER, kernel, self._offset_ns, keep_days=keep_days, hand=hand
            )
        except (OSError, StoreError) as fault:
            if str(fault) != self._complaint:
                _log.error("%s: nothing is booked until it can be opened", fault)
            self._complaint = str(fault)
            return
        if self._complaint:
            _log.info("the ledger could be opened; all is booked again")
        self._keeper = Bookkeeper(ledger, chart_of(self._config), self._offset_ns)

    def _seeks(self, path: Path) -> bool:
        """Have a ledger looked for that is lost; once, and nothing is booked meanwhile.

        The meters count on, so that what is drawn meanwhile is only without a price.
        """
        if (
            self._clerk is None
            or self._clerk.is_new
            or self._sought is not None
            or not is_lost(path)
        ):
            self._sought = None
            return False
        _log.warning("this node has no ledger: it asks whether others keep a copy")
        self._sought = self._clerk
        self._clerk.seek()
        return True

    def _sign(self, told: bytes) -> bytes | None:
        """Sign a batch, in the thread that writes it; the next signature covers one that is not."""
        try:
            signature = self._signer.sign(Purpose.LEDGER, told).result()
        except (SigningError, CancelledError, RuntimeError) as fault:
            if str(fault) != self._unsigned:
                _log.warning("the ledger is not signed: %s", fault or "the node ends")
            self._unsigned = str(fault)
            return None
        self._unsigned = ""
        return signature

    def _offset_ns(self) -> int | None:
        now_ns = self._wall_ns()
        return None if now_ns is None else now_ns - monotonic_ns()


def circle_of(state: State, now_ns: int) -> Circle:
    """Say who may keep copies, and whose copies are kept here."""
    members = frozenset(line.node for line in state.roster.lines) - {state.me}
    live = members & {peer.node for peer in state.live(now_ns)}
    roster = state.roster
    is_there = roster.line(state.me) is not None and not roster.has_expelled(state.me)
    is_settled = is_there and not roster.founding
    return Circle(state.followed.node or None, members, live, is_settled)


def chart_of(config: Config) -> Chart:
    """Read the accounts of a node out of its configuration."""
    price = config.feed.reference_price
    return Chart(
        reference_uc=None if price is None else microcurrency(price),
        revenues_uc={
            load.name: microcurrency(load.plan.revenue_per_hour)
            for load in config.loads
            if isinstance(load.plan, TaskConfig)
        },
        feed_meter=config.feed.meter,
        source_meters={source.name: source.meter for source in config.sources if source.meter},
        exported=frozenset(source.name for source in config.sources if source.export),
    )


def account_lines(totals: Mapping[str, Totals], currency: str) -> list[dict[str, object]]:
    """Put accounts into the fields of the API and of `rackgrid ledger show --json`."""
    return [
        {
            "load": name,
            "energy_wh": total.energy_mj / 3_600_000,
            "estimated_wh": total.estimated_mj / 3_600_000,
            "unpriced_wh": (total.energy_mj - total.priced_mj) / 3_600_000,
            "granted_wh": total.granted_mj / 3_600_000,
            "taken_wh": total.taken_mj / 3_600_000,
            "cost": total.cost_nc / (UC * 1000),
            "reference_cost": total.reference_nc / (UC * 1000),
            "saving": total.saving_nc / (UC * 1000),
            "revenue": total.revenue_nc / (UC * 1000),
            "profit": total.profit_nc / (UC * 1000),
            "currency": currency,
        }
        for name, total in sorted(totals.items())
    ]
