"""The thread of a record: what each line must have followed from.

A decision names the price that is in force and begins where the load's last one ended; a switch was
wanted, or the firmware says what else did it; a price follows from the round that its broker
recorded; and a price that turns a load's judgement is followed by that judgement.

What a record cannot show is not held against it: where it begins in the middle of a run, or says
that lines are lost, the thread is taken up anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rackgrid.audit.field import Fields
from rackgrid.audit.switching import is_adopted

REACH_NS = 10_000_000_000
"""A command and what it brings about may cross the next wish; not for longer than this, ns."""

Price = tuple[int | None, int, str]
"""Value, and whose it is: term and broker."""
NO_PRICE: Price = (None, 0, "")


@dataclass(slots=True)
class Load:
    """What is known of a load: its last line, and when it was last wanted on, and off."""

    line: Fields
    on_ns: int
    off_ns: int


@dataclass(slots=True)
class Thread:
    """What the lines of a run say so far. None: the record does not show it.

    Attributes:
        price, price_round: in force at this node, and since which round.
        cleared: the price of the last round here; due: the same, until it is seen to be in force.
        rounds: by broker, the last one; grants: what the last one gave to this node itself, mW.
        starts: whether the run's start was seen: before it there was nothing.
    """

    price: Price | None = None
    price_round: int = 0
    cleared: Price | None = None
    due: Price | None = None
    rounds: dict[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    grants: dict[tuple[int, str, int], int] = field(default_factory=dict[tuple[int, str, int], int])
    loads: dict[str, Load] = field(default_factory=dict[str, Load])
    t_ns: int = 0
    starts: bool = False

    def follow(self, kind: str, line: Fields) -> Iterator[str]:
        """Take the next line; say what it does not follow from.

        Raises:
            Malformed: a field is missing, or of another type.
        """
        t_ns = line.whole("t_ns")
        if t_ns < self.t_ns:
            yield f"time goes back by {self.t_ns - t_ns} ns"
        self.t_ns = t_ns
        match kind:
            case "price":
                yield from self._priced(line)
            case "round":
                yield from self._cleared(line)
            case "load":
                yield from self._applied()
                yield from self._decided(line)
            case _:
                pass

    def _priced(self, line: Fields) -> Iterator[str]:
        yield from self._unturned()
        self.due = None
        value = line.maybe("price_uc")
        if value is None:
            self.price, self.price_round = NO_PRICE, 0
            return
        price: Price = (value, line.whole("term"), line.text("broker"))
        if self.cleared is not None and self.cleared[1:] == price[1:] and self.cleared != price:
            yield f"price {value} applied, and its round has {self.cleared[0]}"
        self.price, self.price_round = price, line.whole("round")

    def _applied(self) -> Iterator[str]:
        """What a round gave is the price at once, at the broker itself."""
        due, self.due = self.due, None
        if due is not None and self.price is not None and self.price != due:
            yield f"the round's price is {due[0]}, and {self.price[0]} is in force"

    def _cleared(self, line: Fields) -> Iterator[str]:
        yield from self._applied()
        whose = (line.whole("term"), line.text("broker"))
        number, last = line.whole("round"), self.rounds.get(whose, 0)
        if number <= last:
            yield f"round {number} comes after round {last}"
        self.rounds[whose] = number
        self.cleared = self.due = (line.whole("price_uc"), *whose)
        self.grants = {
            (*whose, number): grant.whole("mw")
            for grant in line.parts("grants")
            if grant.text("node") == whose[1]
        }

    def _decided(self, line: Fields) -> Iterator[str]:
        name = line.text("load")
        yield from self._names_the_price(name, line)
        yield from self._names_the_grant(name, line)
        known = self.loads.get(name)
        if known is None and self.starts and line.flag("from"):
            yield f"{name}: was on before anything was known of it"
        if known is not None and line.flag("from") is not known.line.flag("to"):
            yield f"{name}: begins {_on(line.flag('from'))}, and was {_on(known.line.flag('to'))}"
        if known is not None and line.flag("from") is not line.flag("to"):
            yield from self._switched(name, line, known)
        self._remember(name, line)

    def _names_the_price(self, name: str, line: Fields) -> Iterator[str]:
        if self.price is None:
            return
        told: Price = (line.maybe("price_uc"), line.whole("term"), line.text("broker"))
        if told != self.price:
            yield f"{name}: decided at price {told[0]}, and {self.price[0]} is in force"
        elif told != NO_PRICE and line.whole("round") < self.price_round:
            yield f"{name}: decided in round {line.whole('round')}, before its price's"

    def _names_the_grant(self, name: str, line: Fields) -> Iterator[str]:
        grant = line.part("grant")
        if grant is None:
            return
        whose = (grant.whole("term"), grant.text("broker"), grant.whole("round"))
        given = self.grants.get(whose)
        if given is not None and given != grant.whole("mw"):
            yield f"{name}: has a grant of {grant.whole('mw')} mW, and was given {given} mW"

    def _switched(self, name: str, line: Fields, known: Load) -> Iterator[str]:
        """A load went on because it was wanted, off because it was not, or by its firmware."""
        went_on, is_wanted, cause = line.flag("to"), line.flag("wanted"), line.text("cause")
        if went_on and not is_wanted and cause == "held" and self._is_past(known.on_ns):
            yield f"{name}: went on, and nobody wanted it"
        if not went_on and is_wanted and cause == "released" and self._is_past(known.off_ns):
            yield f"{name}: went off, and was wanted on"

    def _is_past(self, when_ns: int) -> bool:
        return self.t_ns - when_ns > REACH_NS

    def _remember(self, name: str, line: Fields) -> None:
        """Note when it was wanted on and off: a wish lasts until the line that ends it.

        What was before the first line nobody knows: a predecessor's commands may still reach it.
        """
        known, wishes = self.loads.get(name), {line.flag("wanted")}
        if known is None:
            self.loads[name] = Load(line, self.t_ns, self.t_ns)
            return
        wishes.add(known.line.flag("wanted"))
        on_ns = self.t_ns if True in wishes else known.on_ns
        off_ns = self.t_ns if False in wishes else known.off_ns
        self.loads[name] = Load(line, on_ns, off_ns)

    def _unturned(self) -> Iterator[str]:
        """Whatever the price that now ends has turned was judged under it."""
        if self.price is None:
            return
        for name, load in self.loads.items():
            if _is_turned(load.line, self.price[0]):
                yield (
                    f"{name}: {load.line.text('why')}, and price {self.price[0]} says otherwise:"
                    " its decision is missing"
                )


def _is_turned(line: Fields, price: int | None) -> bool:
    """Whether a decision cannot stand at another price than its own."""
    worth, why = line.maybe("worth_uc"), line.text("why")
    if worth is None:
        return False
    priced = ("worth_it", "min_on", "price_above_worth", "no_grant", "does_not_fit")
    if price is None:
        return why in (*priced, "grant_expired", "starting", "min_off")
    match why:
        case "worth_it":
            return price > worth
        case "min_on" | "price_above_worth":
            return price <= worth
        case "starting" | "min_off" | "no_grant" | "does_not_fit" | "grant_expired":
            return price > worth and not line.flag("to")
        case "price_unknown":
            return not is_adopted(line)
        case _:
            return False


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"
