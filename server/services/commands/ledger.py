"""What is open, and the way of each command to the disk and to those who wait for it."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from datetime import timedelta

from server.fanout.broadcast import Broadcast
from server.services.commands.entry import Entry, Outcome
from server.services.relay_time import RelayTime
from server.state.devices import Registry
from server.storage.bridge import Outcome as Kept
from server.storage.commands import CommandBook
from server.storage.ticket import Promise
from shared.clock import Clock, iso_utc, monotonic_s, to_ms
from shared.contract.events import COMMAND_RESULT_PUB_CLIENT
from shared.contract.payloads import Action, Cause, CommandRequest, CommandResult, CommandState
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_REMEMBERED = 5_000
"""Commands that have ended of which is known who asked for them, and how they ended."""
_FURTHEST = 1_000_000
"""A backup may have missed so many commands of one device; one that says more would use the numbers up."""
_MOST_UNKEPT = 5_000
"""Results that may wait for a database that takes nothing; further commands are refused at once."""
_AGAIN_S = 1.0
"""Between two tries to write a result that the disk has refused."""


class Ledger:
    """Numbers commands, keeps the open ones, and tells a result only once it is on disk.

    Only the hub touches it. What is decided is never changed: see `Entry.move`.
    """

    def __init__(
        self, book: CommandBook, registry: Registry, broadcast: Broadcast, clock: Clock, time: RelayTime
    ) -> None:
        self._book = book
        self._registry = registry
        self._broadcast = broadcast
        self._clock = clock
        self._time = time
        self._open: dict[str, dict[str, Entry]] = {}
        self._ended: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        self._unkept: dict[int, Entry] = {}
        self._writing = 0
        self._again_s = 0.0
        self._last_id = 0
        self._seqs: Counter[str] = Counter()
        self.key = ""
        """Names the numbering; a database that is made anew has another one."""
        self.observers: list[Callable[[CommandResult], None]] = []

    # --- what is open ---------------------------------------------------------------------------------------------

    def begin(self, key: str, last_id: int, seqs: dict[str, int]) -> None:
        """Go on where the database says that the ledger was."""
        self.key, self._last_id = key, last_id
        self._seqs.update(seqs)

    def reached(self, device: str, seq: int) -> None:
        """A device has taken number `seq`: a ledger that was put back from a backup goes on after it."""
        if seq > self._seqs[device] + _FURTHEST:
            log.warning("device says it took commands that nobody gave: device=%s seq=%d", device, seq)
            return
        self._seqs[device] = max(self._seqs[device], seq)

    def enter(
        self, command: str, device: str, request: CommandRequest, by: str, cause: Cause, ttl_s: float, awaits: set[str]
    ) -> Entry:
        """A new entry, numbered, not yet on record and not yet open. It is `queued` or, in a moment, `sent`."""
        self._last_id += 1
        self._seqs[device] += 1
        online = self._registry.get(device).online
        state, code = (CommandState.SENT, Code.ACCEPTED) if online else (CommandState.QUEUED, Code.QUEUED)
        at_ms = to_ms(self._clock.now())
        return Entry(
            id=self._last_id,
            command=command,
            device=device,
            seq=self._seqs[device],
            request=request,
            by=by,
            cause=cause,
            asked_at_ms=at_ms,
            started_s=monotonic_s(self._clock),
            expires_ms=self._time.ms() + round(ttl_s * 1e3),
            awaits=awaits,
            state=state,
            code=code,
            times={state: at_ms},
        )

    def add(self, entry: Entry) -> None:
        """`entry` is on record, and open from now on."""
        self._open.setdefault(entry.device, {})[entry.command] = entry

    def of(self, device: str) -> list[Entry]:
        """What is open at a device and not decided, in the order of its numbers."""
        known = self._open.get(device, {}).values()
        return sorted((entry for entry in known if not entry.decided), key=lambda entry: entry.seq)

    def all(self) -> list[Entry]:
        """What is open anywhere and not decided."""
        return [entry for known in self._open.values() for entry in known.values() if not entry.decided]

    def get(self, command: str, device: str) -> Entry | None:
        """An open entry; it may be decided, and on its way to the disk."""
        return self._open.get(device, {}).get(command)

    def ended(self, command: str, device: str) -> Entry | None:
        """An entry that has ended not long ago."""
        return self._ended.get((command, device))

    def depth(self, state: CommandState | None = None) -> int:
        """How many are open; in `state`, where one is named."""
        return sum(state in (None, entry.state) for known in self._open.values() for entry in known.values())

    def require_room(self) -> None:
        """Raises `Refusal` with `unavailable` while the database has taken nothing for long."""
        if len(self._unkept) + self._writing >= _MOST_UNKEPT:
            raise Refusal(Code.UNAVAILABLE, "the database takes nothing, and too many results wait for it")

    # --- to the disk and to callers ---------------------------------------------------------------------------------

    def keep(self, entries: Iterable[Entry]) -> Promise[None]:
        """Write entries as they are now. The promise is kept after COMMIT."""
        return self._book.keep([entry.row() for entry in entries])

    def advance(self, entry: Entry, state: CommandState, code: Code) -> bool:
        """A step that is not the last: told at once, on disk with the next one that is. False where it is no step."""
        moved = entry.move(state, code, to_ms(self._clock.now()))
        if moved:
            self.tell(entry)
        return moved

    def promote(self, entry: Entry) -> Promise[None]:
        """A queued one is about to be sent. On record first: one that expired in the queue is known not to have run."""
        entry.move(CommandState.SENT, Code.ACCEPTED, to_ms(self._clock.now()))
        return self.keep([entry])

    def decide(self, entry: Entry, outcome: Outcome) -> None:
        """Give `entry` its final state; it is told once it is on disk. Once only: what comes later changes nothing."""
        if entry.move(outcome.state, outcome.code, to_ms(self._clock.now()), outcome.message):
            entry.status = outcome.status if outcome.status is not None else entry.status
            self._write(entry)

    def withdraw(self, entries: Iterable[Entry], outcome: Outcome) -> None:
        """Whether these are on record is not known, nobody was told of them, and nothing was sent: they end so."""
        for entry in entries:
            entry.move(outcome.state, outcome.code, to_ms(self._clock.now()), outcome.message)
            self._unkept[entry.id] = entry

    def tell(self, entry: Entry) -> None:
        """Say where `entry` stands, to pages and to those who asked."""
        result = self.result(entry)
        if self._registry.knows(entry.device):
            commands = self._registry.get(entry.device).commands
            if entry.decided:
                commands.pop(entry.command, None)
            else:
                commands[entry.command] = result
        self._broadcast.to_pages(COMMAND_RESULT_PUB_CLIENT, result, entry.device)
        for observe in self.observers:
            observe(result)

    def result(self, entry: Entry) -> CommandResult:
        """Where `entry` stands."""
        left = timedelta(milliseconds=entry.expires_ms - self._time.ms())
        return entry.result(monotonic_s(self._clock), iso_utc(self._clock.now() + left))

    def retry(self) -> None:
        """Try again to write what the disk has refused. Call it often."""
        if self._unkept and monotonic_s(self._clock) >= self._again_s:
            entries, self._unkept = list(self._unkept.values()), {}
            self._again_s = monotonic_s(self._clock) + _AGAIN_S
            for entry in entries:
                self._write(entry)

    def _write(self, entry: Entry) -> None:
        self._writing += 1
        self.keep([entry]).then(lambda kept: self._written(entry, kept))

    def _written(self, entry: Entry, kept: Kept[None]) -> None:
        self._writing -= 1
        if kept.error is not None:
            if not self._unkept:
                log.error("results of commands wait for the database: reason=%s", kept.error)
            self._unkept[entry.id] = entry
            self._again_s = monotonic_s(self._clock) + _AGAIN_S
            return
        known = self._open.get(entry.device, {})
        if known.pop(entry.command, None) is None:
            return
        if not known:
            del self._open[entry.device]
        self._remember(entry)
        self.tell(entry)

    def _remember(self, entry: Entry) -> None:
        if entry.request.action is not Action.CHECK:
            self._ended[entry.command, entry.device] = entry
            if len(self._ended) > _REMEMBERED:
                self._ended.popitem(last=False)
