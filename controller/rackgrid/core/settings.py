"""What a node is told once, at its start: its name, its timers, its loads, its feed.

Timers and their symbols (DESIGN words): heartbeat `h`, authority `T`, grant `G`, clock-rate bound
`ρ`, margin. All are nanoseconds of a local monotonic clock; no clock is compared with another
node's.
"""

from __future__ import annotations

from dataclasses import dataclass

from rackgrid.wire.vocabulary import LoadKind

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
WATCHDOG_NS = 2 * SECOND_NS
"""A firmware whose loop has hung for so long is killed: WatchdogSec of its unit, which may say less
and never more (`rackgrid doctor` looks)."""
ENDED_NS = 950 * MS_NS
"""From there until its outputs are safe, at most: the kill, and the fail-safe helper (2.3 s after
the loop hung, both were seen to be over)."""
HANG_NS = WATCHDOG_NS + ENDED_NS
"""A hung firmware keeps its outputs on for so long, whatever deadline they had."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Every timer of the group and the promises.

    Attributes:
        heartbeat_ns: between the broker's heartbeats.
        suspect: this many silent heartbeats make the broker suspect (and a member absent, see
            `absent_ns`).
        skew_ns, skew_max_ns: a lower rank waits this much longer per rank, at most so long, so that
            usually one node stands.
        beacon_ns: between beacons.
        round_ns: between clearings when nothing happens.
        authority_ns: T; acks to heartbeats older than this carry no authority.
        grant_ns: G; a grant lives this long from the sending of the bid that it answers.
        margin_ns: shed time plus `HANG_NS`, on another clock. No key sets it, and it does not
            follow `grant_ns`: a firmware that hangs just before a deadline outlasts it by so much,
            be the grant long or short.
        rho_ppm: bound on the error of any clock's rate, parts per million.
        preempt: whether a stable node of higher rank gets the office.
        preempt_after_ns: how long it must have been stable.
        absent_ns: a member silent for so long is absent.
        demote_after_ns: a member silent for so long loses its vote, not its reserved floor.
        price_valid_ns: how long a price may be used.
        restart_ns: for so long a node that stops asks that it may go on holding what it holds.
    """

    heartbeat_ns: int = 100 * MS_NS
    suspect: int = 3
    skew_ns: int = 15 * MS_NS
    skew_max_ns: int = 60 * MS_NS
    beacon_ns: int = SECOND_NS
    round_ns: int = 500 * MS_NS
    authority_ns: int = 500 * MS_NS
    grant_ns: int = 2500 * MS_NS
    margin_ns: int = 3100 * MS_NS
    rho_ppm: int = 10_000
    preempt: bool = True
    preempt_after_ns: int = 60 * SECOND_NS
    absent_ns: int = 1000 * MS_NS
    demote_after_ns: int = 300 * SECOND_NS
    price_valid_ns: int = 2000 * MS_NS
    restart_ns: int = 15 * SECOND_NS

    def stretched(self, span_ns: int) -> int:
        """How long `span_ns` of another node's clock may last on ours: span · (1+ρ)/(1−ρ)."""
        million = 1_000_000
        return -(-span_ns * (million + self.rho_ppm) // (million - self.rho_ppm))

    @property
    def shed_ns_max(self) -> int:
        """What the margin leaves a firmware that runs, from a deadline to the open contact."""
        return self.margin_ns - self.stretched(HANG_NS)

    @property
    def quiet_ns(self) -> int:
        """T_quiet: how long a node without a remembered pair neither votes nor takes a grant."""
        return 2 * self.stretched(self.authority_ns)


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """A load as the market sees it; its copper is in the board profile.

    Attributes:
        name: of the load, unique in the rack's node.
        output: the board's output that feeds it.
        worth_uc: highest price at which it is wanted, micro-currency per kWh; None if required.
        stages_uc: of a load that modulates, the worth of each stage, falling, from `worth_uc` on.
        is_planned: its worth changes with what it has to do: `WorthsChanged` says it, and until
            then the load does not bid. `worth_uc` means nothing then.
        start_cost_nc: wear and energy of one start, nano-currency; spread over the energy of a run
            it is what a running load's worth is raised by, and a start's lowered.
        usual_run_ns: how long a run usually lasts.
        kind: what to call it.
        is_beyond_board: whether no pin of the board switches it, but the controller itself.
    """

    name: str
    output: str
    worth_uc: int | None
    stages_uc: tuple[int, ...] = ()
    is_planned: bool = False
    start_cost_nc: int = 0
    usual_run_ns: int = 600 * SECOND_NS
    kind: LoadKind = LoadKind.FLEXIBLE
    is_beyond_board: bool = False

    @property
    def required(self) -> bool:
        """Whether it always gets its power."""
        return self.worth_uc is None

    @property
    def is_owed(self) -> bool:
        """Whether its work has to be done in time: to put a start off saves nothing then."""
        return self.kind is LoadKind.DEADLINE


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Everything that a node is told at its start.

    Attributes:
        expect: how many nodes it takes to found a rack, this one included.
        capacity_mw: of the feed, mW.
        reserve_mw: kept free for devices that are plugged in and not admitted, mW.
        price_cap_uc: what a load bids that must go on running (inside its min-on).
        terms_from: the first term of the block that this boot reserved.
        terms_until: one past the block's last; asking for more is an action.
        meters_feed: whether a meter of this node sees the whole feed.
        voters_max: most nodes that vote; odd.
        newcomer_priority: the highest that a node gets which comes to a rack that is there already;
            an operator may allow more (`allowance`).
        newcomer_floor_mw: the largest floor that such a node gets, mW.
        seed: 64 random bits: jitter and nonces come from it, so a run can be replayed.
    """

    name: str
    priority: int
    expect: int
    capacity_mw: int
    reserve_mw: int
    price_cap_uc: int
    loads: tuple[LoadSettings, ...]
    timing: Timing
    api_port: int
    terms_from: int
    terms_until: int
    seed: int
    meters_feed: bool = False
    voters_max: int = 5
    newcomer_priority: int = 99
    newcomer_floor_mw: int = 30_000
