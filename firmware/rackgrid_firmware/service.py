"""The firmware process: owns the copper, keeps every deadline, and trusts nobody.

    rackgrid-firmware --profile P.toml --socket PATH [--runtime DIR] [--controller-user USER]
        [--node NAME --plant SOCKET] [--telemetry-s 0.2]

One loop over the listening socket, the connections, the next deadline of the guard, telemetry and
the watchdog. It sleeps until the first of them is due and never waits for anything else: the bus
has threads of its own, as have the log and all files; sends do not block, and a controller that is
killed, stopped or hangs takes nothing with it but its own holds, which end at their deadlines.

One controller at a time. A connection counts from its `Attach`; until then it waits in the lobby.
Who comes while another is attached is told "busy", unless that one has hung up; a controller that
started earlier than the newest one seen is told "superseded".

It ends by SIGTERM, SIGINT or SIGHUP (started by hand, over a connection that breaks) with every
output safe and exit 0; by a fault of a pin, or a bug, with every output safe as far as possible and
exit 1, for whoever supervises it to drive the pins by other means (`rackgrid_firmware.safe`); a
profile that cannot be used is exit 78 (EX_CONFIG).
"""

from __future__ import annotations

import contextlib
import gc
import selectors
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from rackgrid_firmware.assembly import open_board, open_memory, open_outputs
from rackgrid_firmware.board import Board
from rackgrid_firmware.errors import DeviceError, ProfileError
from rackgrid_firmware.guard import (
    ClearAsked,
    Event,
    HoldAsked,
    LockAsked,
    ReleaseAsked,
    SafeAsked,
    TakenOver,
    TimePassed,
)
from rackgrid_firmware.link import (
    VERSION,
    Attach,
    Clear,
    Command,
    Hold,
    Lock,
    MakeSafe,
    Malformed,
    Refused,
    Release,
    Switched,
    Telemetry,
)
from rackgrid_firmware.log import ERROR, INFO, WARNING, detached, log
from rackgrid_firmware.mailbox import Mailbox
from rackgrid_firmware.notify import Notifier
from rackgrid_firmware.option import Options, claim, open_door, parse
from rackgrid_firmware.output import Outputs, attached
from rackgrid_firmware.peer import Peer
from rackgrid_firmware.profile import Profile
from rackgrid_firmware.profile_file import load_profile

EX_CONFIG = 78
LOBBY_MAX = 8
PACKETS_MAX = 32
"""So many packets of one connection are taken before the deadlines are looked at again."""


class Service:
    """The loop.

    Args:
        board: opened, its outputs safe.
        outputs: of that board, with the guard over them.
        listener: where controllers connect.
        notifier: the way to systemd.
        uids: who may be a controller.
        telemetry_ns: between two telemetries, ns.
        clock: CLOCK_MONOTONIC in ns.
    """

    def __init__(
        self,
        board: Board,
        outputs: Outputs,
        listener: socket.socket,
        *,
        notifier: Notifier,
        uids: frozenset[int],
        telemetry_ns: int,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._board = board
        self._outputs = outputs
        self._listener = listener
        self._notifier = notifier
        self._uids = uids
        self._telemetry_ns = telemetry_ns
        self._clock = clock
        self._peer: Peer | None = None
        self._lobby: list[Peer] = []
        self._generation = 0
        self._handled = 0
        self._malformed = 0
        self._stopping = ""
        self._telemetry_at_ns = 0
        self._ping_at_ns = 0
        self._selector = selectors.DefaultSelector()
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._waker, self._wake_end = socket.socketpair()
        for end in (self._waker, self._wake_end):
            end.setblocking(False)
        self._selector.register(self._waker, selectors.EVENT_READ, None)
        self._mailbox = Mailbox()
        self._selector.register(self._mailbox, selectors.EVENT_READ, None)
        board.on_reading = self._mailbox.put

    # --- life -----------------------------------------------------------------------------------

    def stop_on(self, *numbers: signal.Signals) -> None:
        """End `run` when one of these signals comes."""
        signal.set_wakeup_fd(self._wake_end.fileno(), warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda number, _frame: self.stop(signal.Signals(number).name))

    def stop(self, why: str) -> None:
        """End `run` as soon as the loop comes round; safe in a signal handler."""
        self._stopping = why
        with contextlib.suppress(BlockingIOError):
            self._wake_end.send(b"x")

    def run(self) -> None:
        """Serve until `stop`, then bring every output to its safe state.

        Raises:
            DeviceError: a pin did not follow.
        """
        self._notifier.ready(self._status())
        while not self._stopping:
            for key, mask in self._selector.select(self._patience_s()):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._waker:
                    self._waker.recv(64)
                elif key.fileobj is self._mailbox:
                    self._protect()
                else:
                    self._serve(key.data, mask)
            self._keep_time()
        log(INFO, "stopping", why=self._stopping)
        self._notifier.stopping()
        self._report(self._outputs.handle(SafeAsked(self._clock())))
        try:
            self._outputs.remember()
        except OSError as fault:
            log(WARNING, "dwell-forgotten", why=fault)

    def close(self) -> None:
        """Hang up on everybody."""
        signal.set_wakeup_fd(-1)
        for peer in [*self._lobby, *([self._peer] if self._peer else [])]:
            peer.close()
        self._selector.close()
        for each in (self._listener, self._waker, self._wake_end, self._mailbox):
            each.close()

    # --- protection -----------------------------------------------------------------------------

    def _protect(self) -> None:
        """Look at every new reading, and take off at once what must go off."""
        for reading in self._mailbox.take():
            if reports := self._outputs.read(reading):
                self._report(reports)
                self._telemetry_at_ns = self._clock()  # what is latched is told at once

    # --- time -----------------------------------------------------------------------------------

    def _patience_s(self) -> float | None:
        """Say how long the loop may sleep."""
        moments = [self._outputs.next_deadline_ns]
        if self._peer is not None:
            moments.append(self._telemetry_at_ns)
        if self._notifier.watchdog_ns is not None:
            moments.append(self._ping_at_ns)
        first_ns = min((at for at in moments if at is not None), default=None)
        return None if first_ns is None else max(0.0, (first_ns - self._clock()) / 1e9)

    def _keep_time(self) -> None:
        """Do what is due: deadlines first, and the watchdog only after them."""
        deadline_ns = self._outputs.next_deadline_ns
        if deadline_ns is not None and deadline_ns <= self._clock():
            self._report(self._outputs.handle(TimePassed(self._clock())))
        now_ns = self._clock()
        if self._peer is not None and self._telemetry_at_ns <= now_ns:
            self._telemetry_at_ns = max(self._telemetry_at_ns + self._telemetry_ns, now_ns)
            readings, states = self._board.readings, self._outputs.states
            self._peer.offer(Telemetry(now_ns, readings, states, self._handled))
            self._tend(self._peer)
        if self._notifier.watchdog_ns is not None and self._ping_at_ns <= now_ns:
            self._ping_at_ns = now_ns + self._notifier.watchdog_ns // 4
            self._notifier.ping()

    # --- connections ----------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as fault:  # it hung up again, or there are too many open files
            log(WARNING, "accept-failed", why=fault)
            return
        peer = Peer(connection)
        self._lobby.append(peer)
        self._selector.register(peer, selectors.EVENT_READ, peer)
        if len(self._lobby) > LOBBY_MAX:
            self._drop(self._lobby[0], "the lobby is full")

    def _serve(self, peer: Peer, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            peer.flush()
        for _ in range(PACKETS_MAX):
            if peer is not self._peer and peer not in self._lobby:
                return
            message = peer.receive()
            if message is None:
                break
            self._take(peer, message)
        self._tend(peer)

    def _tend(self, peer: Peer) -> None:
        """Drop a peer that is gone; else listen for when it reads again, if something waits."""
        if peer is not self._peer and peer not in self._lobby:
            return
        if peer.is_gone:
            self._drop(peer, "it has hung up")
            return
        events = selectors.EVENT_READ | selectors.EVENT_WRITE * peer.has_queued
        if self._selector.get_key(peer).events != events:
            self._selector.modify(peer, events, peer)

    def _drop(self, peer: Peer, why: str) -> None:
        self._selector.unregister(peer)
        peer.close()
        if peer is self._peer:
            self._peer = None
            log(INFO, "detached", pid=peer.pid, why=why)
            self._notifier.status(self._status())
        else:
            self._lobby.remove(peer)

    # --- commands -------------------------------------------------------------------------------

    def _take(self, peer: Peer, message: Command | Malformed) -> None:
        match message:
            case Malformed(reason=reason):
                self._count_malformed(peer, reason)
                peer.send(Refused(0, "", f"malformed: {reason}"[:120], 0))
            case Attach():
                self._attach(peer, message)
            case _ if peer is not self._peer:
                peer.send(Refused(message.seq, "", "not attached", 0))
            case _:
                self._handled = max(self._handled, message.seq)
                self._report(self._outputs.handle(self._asked(message)))

    def _asked(self, command: Hold | Release | MakeSafe | Clear | Lock) -> Event:
        match command:
            case Hold():
                return HoldAsked(self._clock(), command)
            case Release():
                return ReleaseAsked(self._clock(), command)
            case MakeSafe():
                return SafeAsked(self._clock())
            case Clear():
                return ClearAsked(self._clock(), command)
            case Lock():
                return LockAsked(self._clock(), command)

    def _attach(self, peer: Peer, hello: Attach) -> None:
        reason = self._objection(peer, hello)
        if reason:
            log(WARNING, "refused", pid=peer.pid, uid=peer.uid, reason=reason)
            peer.send(Refused(0, "", reason, 0))
            if peer is not self._peer:
                self._drop(peer, reason)
            return
        if peer is not self._peer:
            if self._peer is not None:
                self._drop(self._peer, "it has hung up")
            self._lobby.remove(peer)
            self._peer = peer
        self._generation = hello.generation
        self._handled = 0
        self._telemetry_at_ns = self._clock()
        peer.send(attached(self._board.profile, self._outputs))
        log(INFO, "attached", pid=peer.pid, uid=peer.uid)
        self._report(self._outputs.handle(TakenOver(self._clock())))
        self._notifier.status(self._status())

    def _objection(self, peer: Peer, hello: Attach) -> str:
        if peer.uid not in self._uids:
            return "forbidden"
        if hello.version != VERSION:
            return "version"
        if hello.generation < self._generation:
            return "superseded"
        taken = self._peer is not None and self._peer is not peer
        return "busy" if taken and not self._is_free() else ""

    def _is_free(self) -> bool:
        return self._peer is None or self._peer.is_gone or self._peer.has_hung_up()

    def _report(self, reports: tuple[Switched | Refused, ...]) -> None:
        switched = [report.state for report in reports if isinstance(report, Switched)]
        if self._peer is not None:
            for report in reports:
                self._peer.send(self._dated(report))
            self._tend(self._peer)
        self._board.hurry({state.name for state in switched if state.on})
        for state in switched:
            log(INFO, "switched", output=state.name, on=int(state.on), cause=state.cause)
        if switched:
            self._notifier.status(self._status())

    def _dated(self, report: Switched | Refused) -> Switched | Refused:
        """Say which commands had been decided on by then."""
        return replace(report, handled=self._handled) if isinstance(report, Switched) else report

    def _count_malformed(self, peer: Peer, reason: str) -> None:
        """Count what is no message; log the 1st, 2nd, 4th, 8th ... so that no log is flooded."""
        self._malformed += 1
        if self._malformed.bit_count() == 1:
            log(WARNING, "malformed", pid=peer.pid, count=self._malformed, why=reason)

    def _status(self) -> str:
        outputs = self._outputs.states
        on = sum(state.on for state in outputs)
        link = f"controller {self._peer.pid}" if self._peer is not None else "no controller"
        return f"{link}, {on} of {len(outputs)} outputs on, {len(self._board.troubles)} troubles"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the firmware; the entry point `rackgrid-firmware`."""
    options = parse(argv)
    try:
        profile = load_profile(options.profile)
    except ProfileError as fault:
        for finding in fault.args:
            log(ERROR, "profile", problem=finding)
        return EX_CONFIG
    try:
        with detached(), contextlib.ExitStack() as stack:
            service = _open(options, profile, stack)
            gc.freeze()  # what start-up made stays: no collection walks it while a load waits
            service.run()
    except (DeviceError, OSError, ValueError) as fault:
        log(ERROR, "failed", why=fault)
        return 1
    except Exception as fault:  # noqa: BLE001  # the outermost frame; the outputs were closed below
        log(ERROR, "bug", why=repr(fault), where=_where(fault))
        return 1
    return 0


def _open(options: Options, profile: Profile, stack: contextlib.ExitStack) -> Service:
    """Open everything, the outputs first; the stack closes it, the outputs last."""
    claim(options, stack)
    memory = open_memory(options, profile, stack)
    notifier = Notifier()
    stack.callback(notifier.close)
    board = open_board(options, profile, stack, memory)
    service = Service(
        board,
        open_outputs(options, board, memory),
        open_door(options, stack),
        notifier=notifier,
        uids=options.uids,
        telemetry_ns=options.telemetry_ns,
    )
    stack.callback(service.close)
    service.stop_on(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    board.start()
    log(INFO, "ready", board=profile.name, node=options.node, socket=options.socket)
    return service


def _where(fault: Exception) -> str:
    frames = traceback.extract_tb(fault.__traceback__)
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))


if __name__ == "__main__":
    raise SystemExit(main())
