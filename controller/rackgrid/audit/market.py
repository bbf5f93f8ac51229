"""One round of the market, made again from its book (DESIGN section 7).

The rules, as they are checked here:

- floors take the cheapest supply; what is served fits into the room, and into the supply;
- price = max(the marginal offer's price, the highest refused worth that is not above the lowest
  served worth), at most the price cap; the cap where there is no further unit to be had;
- no served step is worth less than the price, nor than the dearest unit that is used;
- a refused step is worth less than the price, or is marked as one that does not fit, and does not;
- no lawful set of steps has more welfare, tried one by one where there are at most `STEPS_MAX`;
  of larger books, and where the search gave up, none less than plain merit order.

**Tolerance.** The clearing does not shed running steps for a gain of at most one eighth of their
worth, and never trades away what bids the price cap. So a better set is no finding if it sheds
running steps, and gains at most an eighth of what those are worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rackgrid.audit.field import Fields, Malformed, offer_row, step_row

STEPS_MAX = 12
"""Of so many steps every set is tried: 4096 sets."""
SHED_SHARE = 8


@dataclass(frozen=True, slots=True)
class Step:
    """A step of somebody's bid.

    Attributes:
        order: its place in merit: worth, running, who got least, who, and their own order.
    """

    node: str
    bit: int
    worth_uc: int
    power_mw: int
    reserve_mw: int
    running: bool
    order: tuple[int, bool, int, int, int]


@dataclass(frozen=True, slots=True)
class Book:
    """What was cleared.

    Attributes:
        tiers: (price, source, power) of what the floors leave over, cheapest first.
        room_mw: the most that served steps may reserve.
    """

    steps: tuple[Step, ...]
    tiers: tuple[tuple[int, str, int], ...]
    room_mw: int
    cap_uc: int
    overcommitted: bool

    @property
    def supply_mw(self) -> int:
        """All that is left above the floors."""
        return sum(power for _, _, power in self.tiers)

    def marginal(self, power_mw: int) -> tuple[int, str] | None:
        """Price and source of the last unit used; of the first, while none is."""
        passed = 0
        for price, source, power in self.tiers:
            passed += power
            if max(power_mw, 1) <= passed:
                return price, source
        return None

    def welfare(self, steps: Iterable[Step]) -> int:
        """Worth of the steps less the cost of their energy."""
        worth = left = 0
        for step in steps:
            worth += step.worth_uc * step.power_mw
            left += step.power_mw
        for price, _, power in self.tiers:
            used = min(left, power)
            worth -= price * used
            left -= used
        return worth

    def admits(self, power_mw: int, reserve_mw: int, lowest_uc: int) -> bool:
        """Whether steps of these sums fit, and the least worth of them pays the dearest unit."""
        dearest = self.marginal(power_mw)
        return (
            power_mw <= self.supply_mw
            and reserve_mw <= self.room_mw
            and dearest is not None
            and lowest_uc >= dearest[0]
        )

    def is_lawful(self, steps: Sequence[Step]) -> bool:
        """Whether these steps fit together, and none is worth less than a unit that is used."""
        return not steps or self.admits(
            sum(step.power_mw for step in steps),
            sum(step.reserve_mw for step in steps),
            min(step.worth_uc for step in steps),
        )


def findings(line: Fields) -> Iterator[str]:
    """Check a round against its book; say each deviation.

    Raises:
        Malformed: a field is missing, or of another type.
    """
    book, served = _book(line), line.numbers("served")
    yield from _strangers(book, line)
    chosen = [s for s in book.steps if served.get(s.node, 0) >> s.bit & 1]
    refused = [s for s in book.steps if not served.get(s.node, 0) >> s.bit & 1]
    yield from _sums(book, chosen, line)
    yield from _price(book, chosen, refused, line)
    yield from _refused(book, chosen, refused, line)
    yield from _welfare(book, chosen, line)
    yield from _grants(book, line)


def is_proven(line: Fields) -> bool:
    """Whether no better set is possible: by its price, or because every set was tried."""
    return not line.flag("scarce") or _is_tried_out(line)


def _is_tried_out(line: Fields) -> bool:
    steps = sum(len(bid.rows("steps")) for bid in line.parts("bids"))
    return line.flag("exact") and steps <= STEPS_MAX


def _book(line: Fields) -> Book:
    cap_uc = line.whole("price_cap_uc")
    floors, capacity = line.whole("floors_mw"), line.whole("capacity_mw")
    steps: list[Step] = []
    for bid in line.parts("bids"):
        node, received = bid.text("node"), bid.whole("received_mj")
        try:
            number = int(node, 16)
        except ValueError as fault:
            raise Malformed(f"node: {node!r} is no id") from fault
        for bit, row in enumerate(bid.rows("steps")):
            worth, power, reserve, running = step_row(row)
            worth = min(worth, cap_uc)
            order = (-worth, not running, received, number, bit)
            steps.append(Step(node, bit, worth, power, reserve, running, order))
    return Book(
        steps=tuple(sorted(steps, key=lambda step: step.order)),
        tiers=_tiers([offer_row(row) for row in line.rows("offers")], floors, capacity),
        room_mw=max(0, min(capacity - floors, line.whole("room_mw"))),
        cap_uc=cap_uc,
        overcommitted=floors > capacity,
    )


def _tiers(
    offers: list[tuple[int, str, int]], floors_mw: int, capacity_mw: int
) -> tuple[tuple[int, str, int], ...]:
    """Cut the offers at the capacity, and take the floors off the cheapest."""
    tiers: list[tuple[int, str, int]] = []
    carried, owed = max(0, capacity_mw), floors_mw
    for price, source, power in sorted(offers):
        given = min(power, carried)
        carried -= given
        to_floors = min(given, owed)
        owed -= to_floors
        if given > to_floors:
            tiers.append((price, source, given - to_floors))
    return tuple(tiers)


def _strangers(book: Book, line: Fields) -> Iterator[str]:
    """Nobody is served, refused or given anything who has not asked for it."""
    asked: dict[str, int] = {}
    for step in book.steps:
        asked[step.node] = asked.get(step.node, 0) | 1 << step.bit
    for key in ("served", "unfit"):
        for node, mask in line.numbers(key).items():
            if mask < 0 or mask & ~asked.get(node, 0):
                yield f"{key}: {node} has no such steps: {mask:#b}"
    for node in line.numbers("allotted_mw"):
        if node not in asked:
            yield f"allotted_mw: {node} has bid nothing"


def _sums(book: Book, chosen: Sequence[Step], line: Fields) -> Iterator[str]:
    power = sum(step.power_mw for step in chosen)
    reserve = sum(step.reserve_mw for step in chosen)
    yield from _differs(line, "served_mw", power)
    yield from _differs(line, "reserved_mw", reserve)
    if reserve > book.room_mw:
        yield f"served steps reserve {reserve} mW, and there is room for {book.room_mw} mW"
    if power > book.supply_mw:
        yield f"served steps take {power} mW, and the sources give {book.supply_mw} mW"
    allotted: dict[str, int] = {}
    for step in chosen:
        allotted[step.node] = allotted.get(step.node, 0) + step.reserve_mw
    told = line.numbers("allotted_mw")
    for node in sorted(told.keys() | allotted.keys()):
        if told.get(node, 0) != allotted.get(node, 0):
            yield (
                f"allotted_mw: {node} has {told.get(node, 0)} mW, and its served steps reserve"
                f" {allotted.get(node, 0)} mW"
            )


def _price(
    book: Book, chosen: Sequence[Step], refused: Sequence[Step], line: Fields
) -> Iterator[str]:
    marginal = None if book.overcommitted else book.marginal(sum(s.power_mw for s in chosen))
    marginal_uc = book.cap_uc if marginal is None else marginal[0]
    lowest = min((step.worth_uc for step in chosen), default=book.cap_uc)
    outbid = [step.worth_uc for step in refused if step.worth_uc <= lowest]
    price = min(book.cap_uc, max([marginal_uc, *outbid]))
    yield from _differs(line, "price_uc", price)
    told = line.whole("price_uc")
    for step in chosen:
        if step.worth_uc < told:
            yield f"step {step.bit} of {step.node} pays {told}, and is worth {step.worth_uc}"
    source = "" if marginal is None else marginal[1]
    if line.text("marginal") != source:
        yield f"marginal: {line.text('marginal')!r}, and the last unit is {source!r}'s"
    if line.flag("overcommitted") is not book.overcommitted:
        yield f"overcommitted: {line.flag('overcommitted')}, and the floors say otherwise"
    worthy = sum(step.worth_uc >= marginal_uc for step in book.steps)
    scarce = marginal is None or worthy > len(chosen)
    if line.flag("scarce") is not scarce:
        yield f"scarce: {line.flag('scarce')}, and by the book it is {scarce}"


def _refused(
    book: Book, chosen: Sequence[Step], refused: Sequence[Step], line: Fields
) -> Iterator[str]:
    """A refused step is worth less than the price, or does not fit beside what is served."""
    told, unfit = line.whole("price_uc"), line.numbers("unfit")
    power = sum(step.power_mw for step in chosen)
    reserve = sum(step.reserve_mw for step in chosen)
    lowest = min((step.worth_uc for step in chosen), default=book.cap_uc)
    for step in chosen:
        if unfit.get(step.node, 0) >> step.bit & 1:
            yield f"unfit: step {step.bit} of {step.node} is served"
    for step in refused:
        name = f"step {step.bit} of {step.node}"
        is_marked = bool(unfit.get(step.node, 0) >> step.bit & 1)
        if is_marked is not (step.worth_uc >= told):
            yield f"unfit: {name} is worth {step.worth_uc} at {told}, marked: {is_marked}"
        beside = (power + step.power_mw, reserve + step.reserve_mw, min(lowest, step.worth_uc))
        if step.worth_uc >= told and book.admits(*beside):
            yield f"{name} is worth {step.worth_uc} at price {told}, fits, and was refused"


def _welfare(book: Book, chosen: Sequence[Step], line: Fields) -> Iterator[str]:
    reached = book.welfare(chosen)
    yield from _differs(line, "welfare", reached)
    if not book.is_lawful(chosen):
        yield "the served steps are no lawful set: too much, or worth less than a unit that is used"
        return
    plain = book.welfare(_merit(book))
    if plain > reached:
        yield f"welfare {reached}, and plain merit order has {plain}"
    dearest = book.marginal(sum(step.power_mw for step in chosen))
    worthy = sum(dearest is None or step.worth_uc >= dearest[0] for step in book.steps)
    # At that price all who are worth it are served and nobody else: no set can have more.
    if worthy > len(chosen) and _is_tried_out(line):
        yield from _optimum(book, chosen, reached)


def _merit(book: Book) -> list[Step]:
    """Serve in order of merit whatever fits."""
    served: list[Step] = []
    power = reserve = 0
    for step in book.steps:
        if book.admits(power + step.power_mw, reserve + step.reserve_mw, step.worth_uc):
            served.append(step)
            power, reserve = power + step.power_mw, reserve + step.reserve_mw
    return served


def _optimum(book: Book, chosen: Sequence[Step], reached: int) -> Iterator[str]:
    """Try every lawful set that keeps what bids the cap."""
    must = [step for step in chosen if step.worth_uc >= book.cap_uc]
    best, excused = reached, True
    for steps in _sets([step for step in book.steps if step not in must]):
        tried = [*must, *steps]
        if not book.is_lawful(tried) or (welfare := book.welfare(tried)) <= reached:
            continue
        shed = [step for step in chosen if step.running and step not in tried]
        stake = sum(abs(step.worth_uc) * step.power_mw for step in shed)
        is_excused = bool(shed) and (welfare - reached) * SHED_SHARE <= stake
        if welfare > best:
            best, excused = welfare, is_excused
        elif welfare == best:
            excused = excused or is_excused
    if best > reached and not excused:
        yield f"welfare {reached} is called the best there is, and another set has {best}"


def _sets(steps: Sequence[Step]) -> Iterator[list[Step]]:
    for mask in range(1 << len(steps)):
        yield [step for number, step in enumerate(steps) if mask >> number & 1]


def _grants(book: Book, line: Fields) -> Iterator[str]:
    """What is granted was served, and is as much as that reserves."""
    served, grants = line.numbers("served"), line.parts("grants")
    if grants and not line.flag("granting"):
        yield "grants without authority"
    for grant in grants:
        node, mask = grant.text("node"), grant.whole("served")
        if mask & ~served.get(node, 0):
            yield f"grant: {node} is granted {mask:#b}, and served {served.get(node, 0):#b}"
        steps = (s for s in book.steps if s.node == node and mask >> s.bit & 1)
        reserve = sum(step.reserve_mw for step in steps)
        if grant.whole("mw") != reserve:
            yield f"grant: {node} has {grant.whole('mw')} mW, and its steps reserve {reserve} mW"


def _differs(line: Fields, key: str, derived: int) -> Iterator[str]:
    if line.whole(key) != derived:
        yield f"{key}: {line.whole(key)}, and by the book it is {derived}"
