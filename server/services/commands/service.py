"""Commands: one request, one addressed command per device, one final result each, on disk before it is told.

request ─▶ ledger (committed) ─▶ the device's room ─▶ its queue, its journal, its pin
              ▲                                                              │
caller ◀── result (committed) ◀── outcome of all it awaits ◀── status, read back
"""

import json
import logging
from collections.abc import Callable, Iterable

import msgspec

from server.fanout.broadcast import Broadcast
from server.services.commands import dispatch
from server.services.commands.dispatch import Return
from server.services.commands.entry import UNSURE, Entry, Outcome, refused_by_device
from server.services.commands.ledger import Ledger
from server.services.commands.targets import require_ready, targets
from server.services.relay_time import RelayTime
from server.state.devices import Device, Registry
from server.storage.bridge import Outcome as Kept
from server.storage.commands import CommandBook
from server.storage.failures import DatabaseFailed
from shared.clock import Clock, iso_utc
from shared.contract.payloads import (
    PASSIVE,
    AccessoryStatus,
    Ack,
    Action,
    Cause,
    CommandApplied,
    CommandRequest,
    CommandResult,
    CommandState,
)
from shared.errors import Code, Refusal
from shared.ids import new_id

log = logging.getLogger(__name__)

RELAY = "relay"
"""Who asks for what the relay asks for by itself."""
_MARGIN_MS = 1_000
"""The device may run a command until its time to live has ended; its answer needs a moment more."""


class Commands:
    """Takes requests over, sends them, and gives each exactly one final result per device."""

    def __init__(
        self,
        registry: Registry,
        broadcast: Broadcast,
        book: CommandBook,
        clock: Clock,
        time: RelayTime,
        default_ttl_s: float,
        defer: Callable[[Callable[[], None]], None],
    ) -> None:
        """`defer` runs its argument once the caller has had its ack, so that no result overtakes it."""
        self._registry = registry
        self._broadcast = broadcast
        self._book = book
        self._clock = clock
        self._time = time
        self._default_ttl_s = default_ttl_s
        self._defer = defer
        self.ledger = Ledger(book, registry, broadcast, clock, time)

    @property
    def observers(self) -> list[Callable[[CommandResult], None]]:
        """Told of every step of every command, on the hub; they must not block."""
        return self.ledger.observers

    def request(self, request: CommandRequest, by: str, cause: Cause = Cause.USER) -> Ack:
        """Put `request` on record and send it to every device it names. The calling greenlet waits for the commit.

        Raises `Refusal` when it names nobody or nothing of theirs, and with `unavailable` when it cannot be recorded.
        """
        self.ledger.require_room()
        command = new_id()
        entries = [self._enter(command, device, request, by, cause) for device in targets(self._registry, request)]
        try:
            self.ledger.keep(entries).wait()
        except DatabaseFailed:
            self.ledger.withdraw(entries, Outcome(CommandState.REFUSED, Code.UNAVAILABLE))
            raise
        self._defer(lambda: self._start(entries))
        return Ack(ok=True, code=Code.ACCEPTED, command=command, devices=tuple(entry.device for entry in entries))

    def by(self, device: str, status: AccessoryStatus) -> str | None:
        """Who gave the command that `status` says it comes from; None where no command switched anything."""
        if status.command is None or status.method == PASSIVE:
            return None
        entry = self.ledger.get(status.command, device) or self.ledger.ended(status.command, device)
        return entry.by if entry is not None and entry.request.action is not Action.CHECK else None

    # --- down: to the device -----------------------------------------------------------------------------------------

    def _enter(self, command: str, device: Device, request: CommandRequest, by: str, cause: Cause) -> Entry:
        awaits = {request.accessory} if request.accessory else set(device.switched_by_clean())
        ttl_s = request.ttl_s or self._default_ttl_s
        entry = self.ledger.enter(command, device.name, request, by, cause, ttl_s, awaits)
        try:
            require_ready(device, request)
        except Refusal as refusal:
            entry.refuse(refusal.code, refusal.message)
        return entry

    def _start(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.decided:
                self.ledger.tell(entry)
                continue
            self.ledger.add(entry)
            if not self._registry.knows(entry.device):
                self.ledger.decide(entry, Outcome(CommandState.FAILED, Code.UNKNOWN_DEVICE))
                continue
            device = self._registry.get(entry.device)
            self._supersede(entry)
            if entry.want is not None:
                for accessory in entry.awaits:
                    device.record(accessory).desired = entry.want
            self.ledger.tell(entry)
            if entry.state is CommandState.QUEUED and device.online:
                self._send_queued(entry)
            elif entry.state is CommandState.SENT:
                self._send(entry, device)

    def _supersede(self, newer: Entry) -> None:
        """What waits for the device, and `newer` will do or undo, need not be done."""
        for entry in self.ledger.of(newer.device):
            waits = entry.state is CommandState.QUEUED and entry.seq < newer.seq
            if waits and newer.request.action is not Action.CHECK and entry.awaits <= newer.awaits:
                self.ledger.decide(entry, Outcome(CommandState.SUPERSEDED, Code.SUPERSEDED))

    def _send_queued(self, entry: Entry) -> None:
        if self._time.ms() >= entry.expires_ms:
            self.ledger.decide(entry, entry.expired())
            return
        self.ledger.promote(entry).then(lambda kept: self._promoted(entry, kept))

    def _promoted(self, entry: Entry, kept: Kept[None]) -> None:
        if kept.error is not None:
            self.ledger.decide(entry, Outcome(CommandState.FAILED, Code.UNAVAILABLE, "it could not be recorded"))
        elif not entry.decided and self._registry.knows(entry.device):
            self.ledger.tell(entry)
            self._send(entry, self._registry.get(entry.device))

    def _send(self, entry: Entry, device: Device) -> None:
        left_s = (entry.expires_ms - self._time.ms()) / 1e3
        if left_s <= 0:
            if entry.session is None:
                self.ledger.decide(entry, entry.expired())
            return
        if device.session is None:
            self._lost(entry, device)
            return
        try:
            events = tuple(dispatch.events(entry, device, self.ledger.key, left_s))
        except Refusal as refusal:
            # It came back as another one: nobody else's command may suffer for it.
            self.ledger.decide(entry, Outcome(CommandState.FAILED, refusal.code, refusal.message))
            return
        entry.session = device.session
        for sent, (spec, body) in enumerate(events):
            try:
                self._broadcast.to_device(spec, body, device.session, lambda answer: self._acked(entry, answer))
            except Refusal as refusal:
                state = CommandState.FAILED if sent else CommandState.REFUSED
                self.ledger.decide(entry, Outcome(state, refusal.code, refusal.message))
                return

    # --- the link ----------------------------------------------------------------------------------------------------

    def connected(self, device: Device) -> None:
        """A device is there: what is open is answered, sent again or given up. What died without a word is cleaned."""
        session = device.session
        self._defer(lambda: self._returned(device, session))

    def disconnected(self, device: str) -> None:
        """A connection ended. A device that keeps a journal answers when it is back; another has forgotten."""
        known = self._registry.get(device)
        for entry in self.ledger.of(device):
            self._lost(entry, known)

    def removed(self, device: str) -> None:
        """A device is no more: what waits for it is not for another one of that name."""
        for entry in self.ledger.of(device):
            self.ledger.decide(entry, Outcome(CommandState.FAILED, Code.UNKNOWN_DEVICE))

    def _lost(self, entry: Entry, device: Device) -> None:
        if entry.state is not CommandState.QUEUED and not device.journals:
            words = "the connection ended before it confirmed"
            self.ledger.decide(entry, Outcome(CommandState.FAILED, Code.DEVICE_OFFLINE, words))

    def _returned(self, device: Device, session: str | None) -> None:
        if device.session != session or session is None:
            return
        if device.hello.seq is not None and device.hello.ledger == self.ledger.key:
            self.ledger.reached(device.name, device.hello.seq)
        for entry in self.ledger.of(device.name):
            if entry.session == session:
                continue
            rule = dispatch.at_return(entry, device, self.ledger.key)
            if rule is Return.GIVE_UP:
                words = "the link was cut before the device took it"
                self.ledger.decide(entry, Outcome(CommandState.FAILED, Code.DEVICE_OFFLINE, words))
            elif rule is Return.SEND and entry.state is CommandState.QUEUED:
                self._send_queued(entry)
            elif rule is Return.SEND:
                self._send(entry, device)
        if device.died:
            self._clean(device)

    def _clean(self, device: Device) -> None:
        log.warning("device ended without a word, cleaning it: device=%s", device.name)
        try:
            self.request(CommandRequest(action=Action.CLEAN, device=device.name), by=RELAY, cause=Cause.CLEAN)
        except Refusal as refusal:
            log.warning("not cleaned: device=%s reason=%s", device.name, refusal.message)

    # --- up: what the device answers ---------------------------------------------------------------------------------

    def _acked(self, entry: Entry, answer: object) -> None:
        try:
            ack = msgspec.convert(answer, Ack)
        except msgspec.ValidationError:
            # An original agent's empty ack: the library sent it, nobody has accepted anything.
            return
        if not ack.ok:
            self.ledger.decide(entry, refused_by_device(ack.code, ack.message or ""))
        elif not entry.awaits and not entry.answers:
            words = "the device has nothing to turn off"
            self.ledger.decide(entry, Outcome(CommandState.VERIFIED, Code.VERIFIED, words))
        else:
            self.ledger.advance(entry, CommandState.ACCEPTED, Code.ACCEPTED)

    def applied(self, device: str, news: CommandApplied) -> None:
        """A device has driven the pin; its read-back follows."""
        entry = self.ledger.get(news.command, device)
        if entry is not None:
            self.ledger.advance(entry, CommandState.APPLIED, Code.ACCEPTED)

    def reported(self, device: Device, accessory: str, status: AccessoryStatus) -> None:
        """A status arrived: it may be what a command waits for."""
        if status.command is None:
            waiting = self.ledger.of(device.name) if device.original else []
            entries = [entry for entry in waiting if _answers(entry, status)]
        else:
            entry = self.ledger.get(status.command, device.name)
            entries = [entry] if entry is not None else []
            if entry is None:
                self._late(device.name, accessory, status, status.command)
        for entry in entries:
            outcome = None if entry.decided else entry.answer(accessory, status)
            if outcome is not None:
                self.ledger.decide(entry, outcome)

    def _late(self, device: str, accessory: str, status: AccessoryStatus, command: str) -> None:
        """An answer to what has its result: that stays, and what came of it after all is noted beside it."""
        ended = self.ledger.ended(command, device)
        if status.method == PASSIVE or (ended is not None and ended.code not in UNSURE):
            return
        said = {"at": iso_utc(self._clock.now()), "accessory": accessory, "status": status.status}
        if status.fault is not None:
            said["code"] = status.fault.code
        self._book.note_late(command, device, json.dumps(said), UNSURE)

    # --- time --------------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """End what has waited too long, and write what the disk refused. Call it several times a second."""
        now_ms = self._time.ms()
        for entry in self.ledger.all():
            margin = 0 if entry.state is CommandState.QUEUED else _MARGIN_MS
            if now_ms >= entry.expires_ms + margin:
                self.ledger.decide(entry, entry.unanswered())
        self.ledger.retry()


def _answers(entry: Entry, status: AccessoryStatus) -> bool:
    """Whether the status of an original agent, which names no command, is about this one.

    A periodic report of its, sent before it did what it was told, must not fail the command: only the answer to our
    check may.
    """
    return status.method == PASSIVE or status.status is entry.want
