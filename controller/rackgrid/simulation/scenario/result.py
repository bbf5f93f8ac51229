"""What a scenario came to, in the units of a person: Wh, currency, counts."""

from __future__ import annotations

from rackgrid.simulation.scenario.bill import MJ_UC_PER_UNIT, NC_PER_UNIT
from rackgrid.simulation.scenario.run import Run
from rackgrid.simulation.scenario.work import Due, Kept

MJ_PER_WH = 3_600_000


def figures(run: Run) -> dict[str, object]:
    """Sum up a run.

    `cost` is what the sources ask, a battery that ends emptier than it began refilled at the plain
    price; `saving` is against a flat tariff, `saving_all_on` against a flat all-day schedule of the
    same energy from the same sources. `paid` is what the ledger has of the loads at the uniform
    price; what it has above `cost` is the scarcity rent.
    """
    energy_mj = sum(minute.drawn_mj for minute in run.minutes)
    reference_uc = run.scenario.reference_uc
    owed = max(0, run.stored_first_mj - run.stored_mj) * reference_uc
    cost = (run.bill + owed) / MJ_UC_PER_UNIT
    flat_tariff, all_on = energy_mj * reference_uc / MJ_UC_PER_UNIT, run.flat.cost / MJ_UC_PER_UNIT
    loads = [load for node in run.nodes for load in node.loads]
    late_mj = sum(load.work.late_mj for load in loads if isinstance(load.work, Due))
    out = sum(load.work.out_minutes for load in loads if isinstance(load.work, Kept))
    return {
        "scenario": run.scenario.name,
        "days": run.days,
        "nodes": len(run.nodes),
        "rounds": len(run.minutes),
        "energy_wh": round(energy_mj / MJ_PER_WH, 3),
        "cost": round(cost, 6),
        "saving": round(flat_tariff - cost, 6),
        "flat_tariff_cost": round(flat_tariff, 6),
        "all_on_cost": round(all_on, 6),
        "saving_all_on": round(all_on - cost, 6),
        "saving_all_on_percent": round(100 * (all_on - cost) / all_on, 2) if all_on > 0 else None,
        "paid": round(run.books.cost_nc / NC_PER_UNIT, 6),
        "revenue": round(run.books.revenue_nc / NC_PER_UNIT, 6),
        "switches": sum(load.switches for load in loads),
        "switches_per_load_day_max": most_switches(run),
        "unserved_required_wh": round(run.unserved_mj / MJ_PER_WH, 3),
        "late_wh": round(late_mj / MJ_PER_WH, 3),
        "out_of_bounds_minutes": out,
        "welfare_ratio": round(run.welfare / run.optimum, 6) if run.optimum > 0 else None,
        "welfare_rounds": run.judged_rounds,
        "over_capacity_rounds": sum(m.peak_mw > m.capacity_mw for m in run.minutes),
        "peak_w": max(minute.peak_mw for minute in run.minutes) / 1000,
        "flagged": sorted(run.nodes[number - 1].name for number in run.flagged),
        "digest": run.digest,
    }


def most_switches(run: Run) -> int:
    """The most often that any load was switched on a day: on and off are two."""
    return max(run.switched.values(), default=0)


def summary(found: dict[str, object]) -> list[str]:
    """Say it for a person."""

    def said(name: str, words: str, unit: str = "") -> str:
        return f"{words:34} {found[name]} {unit}".rstrip()

    return [
        f"{found['scenario']}: {found['days']} days of {found['nodes']} nodes",
        said("energy_wh", "energy", "Wh"),
        said("cost", "cost"),
        said("saving", "saved against a flat tariff"),
        said("saving_all_on", "saved against all on, all day"),
        said("saving_all_on_percent", "the same", "%"),
        said("paid", "paid by loads, rent included"),
        said("revenue", "revenue of tasks"),
        said("switches", "switches"),
        said("switches_per_load_day_max", "most of one load on one day"),
        said("unserved_required_wh", "required but not served", "Wh"),
        said("late_wh", "not in time", "Wh"),
        said("out_of_bounds_minutes", "too warm or too cold", "minutes"),
        said("welfare_ratio", "welfare, of the best possible"),
        said("over_capacity_rounds", "rounds above the feed's capacity"),
        said("peak_w", "highest draw", "W"),
        said("flagged", "flagged for taking more"),
        said("digest", "digest"),
    ]
