"""Props of the agent's tests: an agent with a price, a grant and outputs at will."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.controller.core.stage import TIMING, board, output, pair, settings

from rackgrid.core.agent import Agent, PriceInForce
from rackgrid.core.grant import Grant
from rackgrid.identity import Pair, Round
from rackgrid.wire.message import Price
from rackgrid_firmware.link import OutputState

NOW = 10**12
G = TIMING.grant_ns
END = NOW + G
LATER = NOW + 10**9
TOLD = settings()
LAMP_ON = output("lamp", on=True, since_ns=NOW - 10**9, deadline_ns=LATER)
PUMP_ON = output("pump", on=True, since_ns=NOW - 10**9, deadline_ns=LATER)


def agent(*changed: OutputState) -> Agent:
    return Agent(board=board(*changed))


def priced(held: Agent, price_uc: int) -> Agent:
    return replace(held, price=PriceInForce(pair(1), 1, price_uc, END, scarce=False))


def granted(held: Agent, *loads: str, power_mw: int = 20_000, until_ns: int = END) -> Agent:
    return replace(held, grant=Grant(pair(1), 1, 1, power_mw, frozenset(loads), until_ns))


def price(
    round_: int = 1, price_uc: int = 250_000, valid_ms: int = 2000, of: Pair | None = None
) -> Price:
    return Price(of or pair(1), Round(round_), price_uc, valid_ms, 0, 0, 0, 0, False, ())
