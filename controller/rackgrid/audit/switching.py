"""One decision about a load, made again from its inputs (DESIGN sections 4, 6 and 7).

A flexible load is on only if its worth is at least the price *and* a live grant covers it. Before
that come what nobody decides by price: a firmware that does not answer, a fault or a lockout, what
is required, a node that leaves, a load that wants nothing now. Guards delay: inside its min-on a
load bids the price cap, inside its min-off it waits.
"""

from __future__ import annotations

from collections.abc import Iterator

from rackgrid.audit.field import Fields

WELDED = "welded"
DEADLINE = "deadline"


def findings(line: Fields) -> Iterator[str]:
    """Check a decision against its inputs; say each deviation.

    Raises:
        Malformed: a field is missing, or of another type.
    """
    wanted, why = judged(line)
    told = (line.flag("wanted"), line.text("why"))
    if told != (wanted, why):
        yield (
            f"{line.text('load')}: {_words(*told)}, and by its inputs it should be"
            f" {_words(wanted, why)}"
        )
    if line.flag("to") and not line.flag("known"):
        yield f"{line.text('load')}: on, and nobody knows its output"
    if why == "required" and not line.flag("to"):
        yield f"{line.text('load')}: required, and off"
    yield from _bid(line)
    yield from _grant(line)


def judged(line: Fields) -> tuple[bool, str]:
    """Say whether the load should be on, and by which rule."""
    is_on = line.flag("to")
    if not line.flag("known"):
        return False, "firmware_lost"
    if line.flag("barred"):
        return False, "fault"
    if line.flag("required"):
        return True, "required"
    if line.flag("leaving") or (line.flag("stopping") and not is_on):
        return False, "leaving"
    if line.text("fault") == WELDED:
        return False, "fault"
    if line.maybe("worth_uc") is None and not line.flag("planned"):
        return False, "no_grant"
    return _by_price(line, is_on=is_on)


def is_covered(line: Fields) -> bool:
    """Whether a live grant names the load, and has the watts for its start if it is off."""
    grant = line.part("grant")
    if grant is None or not grant.flag("serves") or grant.whole("ms") <= 0:
        return False
    return line.flag("to") or line.whole("needs_mw") <= grant.whole("mw")


def is_adopted(line: Fields) -> bool:
    """Whether what it holds was granted to the boot before this one: no clearing has seen it."""
    grant = line.part("grant")
    return grant is not None and grant.whole("term") == 0 and not grant.text("broker")


def _by_price(line: Fields, *, is_on: bool) -> tuple[bool, str]:
    price, is_granted = line.maybe("price_uc"), is_covered(line)
    if price is None or (is_on and is_granted and is_adopted(line)):
        return is_on and is_granted, "price_unknown"
    worth, bid = line.maybe("worth_uc"), line.maybe("bid_uc")
    if bid is None:
        return False, "idle"
    is_worth_it = price <= bid
    # The last clearing took it for one that must run: its price is not about the load's own worth.
    is_bound = is_on and is_granted and line.flag("held")
    if not (is_worth_it or is_bound):
        return False, "price_above_worth"
    if not is_granted:
        if line.text("cause") == DEADLINE:
            return False, "grant_expired"
        return False, "does_not_fit" if line.flag("refused") else "no_grant"
    if is_on:
        return True, "worth_it" if worth is not None and price <= worth else "min_on"
    return True, "min_off" if line.whole("guard_ms") > 0 else "starting"


def _bid(line: Fields) -> Iterator[str]:
    """A load bids its worth, but for one that its min-on holds on."""
    worth, bid = line.maybe("worth_uc"), line.maybe("bid_uc")
    is_held_on = line.flag("to") and line.whole("guard_ms") > 0
    if bid != worth and not is_held_on:
        yield f"{line.text('load')}: bids {bid}, is worth {worth}, and no min-on holds it"


def _grant(line: Fields) -> Iterator[str]:
    """A grant that serves a load has at least its nameplate."""
    grant = line.part("grant")
    if grant is None:
        return
    if grant.whole("ms") <= 0:
        yield f"{line.text('load')}: a grant without time is none"
    if grant.flag("serves") and grant.whole("mw") < line.whole("nominal_mw"):
        yield (
            f"{line.text('load')}: served by a grant of {grant.whole('mw')} mW, and its nameplate"
            f" is {line.whole('nominal_mw')} mW"
        )


def _words(wanted: bool, why: str) -> str:
    return f"{'on' if wanted else 'off'} ({why})"
