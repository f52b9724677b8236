"""The ledger after a restart of the relay: what was open goes on, by the same rules as after a cut link."""

import logging

import msgspec

from server.services import frames
from server.services.commands.entry import Entry, Outcome
from server.services.commands.service import Commands
from server.services.relay_time import RelayTime
from server.state.devices import Registry
from server.storage.commands import Answer, CommandBook, CommandRow
from shared.clock import Clock, from_ms, monotonic_s, to_ms
from shared.contract.payloads import PASSIVE, AccessoryStatus, Action, CommandState, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

log = logging.getLogger(__name__)


class Restart:
    """Takes the ledger over from the database. Once, after the devices are known and before any of them connects."""

    def __init__(
        self, commands: Commands, registry: Registry, book: CommandBook, clock: Clock, time: RelayTime
    ) -> None:
        self._commands = commands
        self._registry = registry
        self._book = book
        self._clock = clock
        self._time = time

    def run(self) -> None:
        """Open again what is open, take in the answers that came before the end, and say who did what."""
        known = self._book.load()
        self._commands.ledger.begin(known.key, known.last_id, known.seqs)
        entries = [entry for row in known.open if (entry := self._reopened(row)) is not None]
        for answer in known.answers:
            self._answered(answer)
        self._end_if_the_clock_went_back([entry for entry in entries if not entry.decided])
        self._attribute()

    def _reopened(self, row: CommandRow) -> Entry | None:
        try:
            device = self._registry.add(row.device, from_ms(row.asked_at))
            age_s = (to_ms(self._clock.now()) - row.asked_at) / 1e3
            entry = Entry.of(row, set(), monotonic_s(self._clock) - age_s)
        except (Refusal, ValueError) as error:
            log.error("damaged command, it ends: id=%d reason=%s", row.id, error)
            ended = {"state": CommandState.FAILED, "code": Code.INTERNAL, "ended_at": row.asked_at}
            self._book.keep([msgspec.structs.replace(row, **ended)])
            return None
        accessory = entry.request.accessory
        entry.awaits = {accessory} if accessory else set(device.switched_by_clean())
        if entry.want is not None:
            for name in entry.awaits:
                device.record(name).desired = entry.want
        self._commands.ledger.add(entry)
        self._commands.ledger.tell(entry)
        return entry

    def _answered(self, answer: Answer) -> None:
        accessory = frames.accessory_of(answer.event)
        if accessory is None:
            return
        try:
            status = parse(AccessoryStatus, StrictJson.loads(answer.body))
        except Refusal:
            return
        if status.command is not None and self._commands.ledger.get(status.command, answer.device) is not None:
            self._commands.reported(self._registry.get(answer.device), accessory, status)

    def _end_if_the_clock_went_back(self, entries: list[Entry]) -> None:
        """How long the relay was away is then not known, nor whether a command's time has ended: so it has."""
        now_ms = to_ms(self._clock.now())
        if any(at_ms > now_ms for entry in entries for at_ms in entry.times.values()):
            log.warning("the clock was set back while the relay was away, open commands end: count=%d", len(entries))
            for entry in entries:
                queued = entry.state is CommandState.QUEUED
                state, code = (CommandState.EXPIRED, Code.EXPIRED) if queued else (CommandState.FAILED, Code.NO_ANSWER)
                self._commands.ledger.decide(entry, Outcome(state, code, "the relay's clock was set back"))

    def _attribute(self) -> None:
        """Who gave the commands that made the accessories what they are."""
        records = {
            (record.reported.command, device.name): record
            for device in self._registry
            for record in device.accessories.values()
            if record.reported is not None and record.reported.command and record.reported.method != PASSIVE
        }
        for row in self._book.named({str(command) for command, _ in records}):
            record = records.get((row.command, row.device))
            if record is not None and _action(row) is not Action.CHECK:
                record.by = row.asked_by


def _action(row: CommandRow) -> Action | None:
    """What a row asked for; None where that is damaged."""
    try:
        return Action(StrictJson.loads(row.request)["action"])
    except (Refusal, KeyError, TypeError, ValueError):
        return None
