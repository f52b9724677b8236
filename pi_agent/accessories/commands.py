"""The one thread that drives accessories, and the doors through which commands come to it."""

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pi_agent.accessories.base import Accessory, Conduct
from pi_agent.accessories.command import Command, StatusSink
from pi_agent.accessories.execution import Executor
from pi_agent.accessories.journal import Journal
from pi_agent.accessories.queue import CommandQueue, Entry, Ticket
from pi_agent.accessories.relay_time import RelayTime
from pi_agent.accessories.station import Station
from shared.clock import Clock, monotonic_s
from shared.contract.events import accessory_events
from shared.contract.payloads import AccessoryInfo, Action
from shared.errors import Code

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Door:
    """What one connection may hand in. `ledger` and `seq` tell the relay which of its commands were taken before."""

    ledger: str | None
    seq: int | None
    submit: Callable[[Command], Code]
    """Queue a command: `accepted`, `duplicate`, or why it is refused. Never blocks."""


class Commands:
    """Takes commands from any thread, executes them one by one on its own, and says what the part reads back.

    A process is one `Commands` over one `Journal`: `begin`, then `step` as often as something is due, then `end`. To
    kill it in a test, raise from the sink, the journal or a part, and make another one over the same files; whoever
    plays the relay holds a `Door`, and makes a new one by `connect` after every loss of the link.
    """

    def __init__(
        self,
        accessories: Iterable[tuple[Accessory, Conduct]],
        sink: StatusSink,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._stations = {part.name: Station(part, conduct, sink, clock) for part, conduct in accessories}
        self._clock = clock
        self._journal = journal
        self.relay_time = RelayTime(clock)
        """The uplink tells it what the relay's acks say."""
        self._executor = Executor(self._stations, sink, journal, self.relay_time, clock)
        self._proven_s = monotonic_s(clock)
        self.on_due: Callable[[], None] = lambda: None
        """Called on any thread when the one that drives has something to do. Must not block."""
        self._lock = threading.RLock()
        self._stopping = False
        # Guarded by `_lock`:
        self._queue = CommandQueue()
        self._in_hand: Sequence[Ticket] = ()
        self._connection = 0
        self._report_wanted = False

    # --- from any thread ----------------------------------------------------------------------------------------

    def connect(self) -> Door:
        """Begin a new connection.

        What the last one brought and nobody has begun is forgotten: the relay learns from `seq` that it was not
        taken, and sends again what is worth it.
        """
        with self._lock:
            if len(self._queue):
                log.info("commands forgotten with the connection that brought them: count=%d", len(self._queue))
            self._queue.clear()
            self.relay_time.forget()
            self._connection += 1
            number = self._connection
            ledger, seq = self._taken()
        return Door(ledger, seq, lambda command: self.submit(command, number))

    def submit(self, command: Command, connection: int | None = None) -> Code:
        """Queue a command: `accepted`, `duplicate` (it is answered again, not executed again), or why it is refused.

        `connection` is the one that brought it; a command that comes out of an older one is refused.
        """
        if command.accessory is not None and command.accessory not in self._stations:
            return Code.UNKNOWN_ACCESSORY
        with self._lock:
            if connection not in (None, self._connection):
                return Code.DEVICE_OFFLINE
            if self._queue.full:
                return Code.QUEUE_FULL
            again = command.id is not None and command.action is not Action.CHECK and self._met(command.id)
            self._queue.put(Entry(command, self._targets(command), monotonic_s(self._clock), again))
            self.on_due()
        return Code.DUPLICATE if again else Code.ACCEPTED

    def proven(self) -> None:
        """The relay has just answered: the link is there."""
        self._proven_s = monotonic_s(self._clock)

    def wake(self) -> None:
        """Something may be due, such as commands that waited for the relay's time."""
        self.on_due()

    def want_report(self) -> None:
        """Have every accessory report, soon."""
        with self._lock:
            self._report_wanted = True
            self.on_due()

    def stop(self) -> None:
        """Let `work` make everything safe and return."""
        with self._lock:
            self._stopping = True
            self.on_due()

    def infos(self) -> tuple[AccessoryInfo, ...]:
        """What the relay should know of every accessory."""
        return tuple(station.info() for station in self._stations.values())

    # --- on the one thread --------------------------------------------------------------------------------------

    def work(self) -> Iterator[float]:
        """Drive the accessories until `stop`; everything is in its safe state before and afterwards.

        A process that is killed makes nothing safe, and neither does one who only lets go of this.
        """
        self.begin()
        try:
            while not self._stopping:
                wait_s = self.step()
                with self._lock:
                    queued_s = self._queue.due_in_s(monotonic_s(self._clock), self.relay_time.latest_ms())
                yield wait_s if queued_s is None else min(wait_s, queued_s)
        except GeneratorExit:
            return
        except BaseException:
            self.end()
            raise
        self.end()

    def begin(self) -> None:
        """Say what became of commands that a process before began; then to the safe state, or on where set so."""
        for intent in self._journal.unanswered():
            self._executor.interrupted(intent)
        for station in self._stations.values():
            station.begin()
        self.proven()

    def end(self) -> None:
        """Everything to its safe state."""
        for station in self._stations.values():
            station.end()

    def step(self) -> float:
        """Do all that is due. Returns how long until something is due again, in seconds."""
        with self._lock:
            tickets = self._queue.take(monotonic_s(self._clock), self.relay_time.latest_ms())
            self._in_hand = tickets
            report, self._report_wanted = self._report_wanted, False
        self._executor.work(tickets)
        with self._lock:
            self._in_hand = ()
        for station in self._stations.values():
            station.step(self._proven_s)
            if report:
                station.report()
        waits = [station.due_in_s(self._proven_s) for station in self._stations.values()]
        return max(0.0, min((wait_s for wait_s in waits if wait_s is not None), default=math.inf))

    # --- parts --------------------------------------------------------------------------------------------------

    def _targets(self, command: Command) -> tuple[str, ...]:
        if command.accessory is not None:
            return (command.accessory,)
        return tuple(name for name in self._stations if not accessory_events(name).sensor)

    def _met(self, command_id: str) -> bool:
        in_hand = any(ticket.entry.command.id == command_id for ticket in self._in_hand)
        return in_hand or command_id in self._queue or self._journal.known(command_id)

    def _taken(self) -> tuple[str | None, int | None]:
        """How far the relay's numbers have come, what is being begun just now included."""
        ledger, seq = self._journal.latest() or (None, None)
        for ticket in self._in_hand:
            command = ticket.entry.command
            if ticket.entry.switches and command.seq is not None and command.ledger is not None:
                seq = max(command.seq, seq or 0) if command.ledger == ledger else command.seq
                ledger = command.ledger
        return ledger, seq
