"""One round of the market, made again from its book (DESIGN section 7).

The rules, as they are checked here:

- floors take the cheapest supply; what is served fits into the room, and into the supply;
- price = max(the marginal offer's price, the highest refused worth that is not above the lowest
  served worth), at most the price cap; the cap where there is no further unit to be had;
- no served step is worth less than the price, nor than the dearest unit that is used;
- a refused step is worth less than the price, or is marked as one that does not fit, and does not;
- no lawful set of steps has more welfare: that is proven by the marginal price where nobody who is
  worth it is refused, and by a search of its own (`optimum`) else; where either search gave up, it
  has no less than plain merit order.

**Tolerance.** The clearing does not shed running steps for a gain of at most one eighth of their
worth, and never trades away what bids the price cap. So a better set is no finding if it sheds
running steps, and gains at most an eighth of what those are worth.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

from rackgrid.audit import optimum
from rackgrid.audit.book import Book, Step
from rackgrid.audit.field import Fields, Malformed, offer_row, step_row


def findings(line: Fields) -> Generator[str, None, bool]:
    """Check a round against its book; say each deviation.

    Returns:
        Whether it is proven that no better set is possible.

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
    yield from _grants(book, line)
    return (yield from _welfare(book, chosen, line))


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


def _welfare(book: Book, chosen: Sequence[Step], line: Fields) -> Generator[str, None, bool]:
    reached = book.welfare(chosen)
    yield from _differs(line, "welfare", reached)
    if not book.is_lawful(chosen):
        yield "the served steps are no lawful set: too much, or worth less than a unit that is used"
        return False
    plain = book.welfare(_merit(book))
    if plain > reached:
        yield f"welfare {reached}, and plain merit order has {plain}"
    dearest = book.marginal(sum(step.power_mw for step in chosen))
    if sum(dearest is None or step.worth_uc >= dearest[0] for step in book.steps) == len(chosen):
        return True  # at that price all who are worth it are served and nobody else
    if not line.flag("exact"):
        return False
    best = optimum.search(book, chosen, reached)
    if best.welfare > reached and not best.is_excused:
        yield f"welfare {reached} is called the best there is, and another set has {best.welfare}"
    return best.is_whole


def _merit(book: Book) -> list[Step]:
    """Serve in order of merit whatever fits."""
    served: list[Step] = []
    power = reserve = 0
    for step in book.steps:
        if book.admits(power + step.power_mw, reserve + step.reserve_mw, step.worth_uc):
            served.append(step)
            power, reserve = power + step.power_mw, reserve + step.reserve_mw
    return served


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
