"""What is worth telling now or not at all: answers to commands, and the newest report of each accessory."""

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pi_agent.outbox.rows import Stamp, envelope
from pi_agent.uplink.verdict import Emit, Fate, Token, Verdict, judge
from shared.backoff import Backoff
from shared.clock import Clock, monotonic_s
from shared.contract.payloads import Outboxed, parse
from shared.contract.spec import EventSpec

log = logging.getLogger(__name__)

_MOST_ANSWERS = 64
_MOST_ON_THE_WAY = 16


Subject = tuple[EventSpec, str | None]
"""An event, and the accessory that it names where several share it."""


@dataclass(frozen=True)
class LiveMessage:
    """One event without an id; a `report` conflates with the other reports of the same subject."""

    spec: EventSpec
    fields: Mapping[str, Any]
    stamp: Stamp
    report: bool

    @property
    def subject(self) -> Subject:
        """What it is about: reports of the same subject conflate."""
        return self.spec, self.fields.get("accessory")


class LiveLane:
    """A small bounded buffer between those who have a status and the uplink. Safe on any thread; never blocks."""

    def __init__(self, clock: Clock) -> None:
        self.on_put: Callable[[], None] = lambda: None
        """Called after every message. Must not block."""
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: deque[LiveMessage] = deque(maxlen=_MOST_ANSWERS)
        self._reports: dict[Subject, LiveMessage] = {}

    def answer(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """Tell a status that somebody waits for. Of too many the oldest go."""
        message = LiveMessage(spec, fields, Stamp.of(self._clock), report=False)
        with self._lock:
            self._answers.append(message)
        self.on_put()

    def report(self, spec: EventSpec, fields: Mapping[str, Any]) -> None:
        """Tell a status that replaces the one before."""
        message = LiveMessage(spec, fields, Stamp.of(self._clock), report=True)
        with self._lock:
            self._reports[message.subject] = message
        self.on_put()

    def put_back(self, message: LiveMessage) -> None:
        """A report did not arrive; a newer one wins over it."""
        with self._lock:
            self._reports.setdefault(message.subject, message)

    def take(self, busy: set[Subject]) -> LiveMessage | None:
        """The next to send; no report of the subjects in `busy`, whose last one is still on its way."""
        with self._lock:
            if self._answers:
                return self._answers.popleft()
            ready = next((subject for subject in self._reports if subject not in busy), None)
            return self._reports.pop(ready) if ready is not None else None

    def forget_answers(self) -> None:
        """Those who waited for them are gone with the connection."""
        with self._lock:
            self._answers.clear()


@dataclass
class LiveSender:
    """Sends what is in the lane: with ack and timeout, but never twice the same answer."""

    lane: LiveLane
    device: str
    clock: Clock
    backoff: Backoff = field(default_factory=Backoff)
    _serials: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _on_the_way: dict[int, tuple[LiveMessage, float]] = field(default_factory=dict)
    """By serial: the message, and when its ack is overdue."""
    _paused_until_s: float = float("-inf")

    def pump(self, stream: str, emit: Emit) -> None:
        """Send what may be sent now. Raises `LinkDown`."""
        now = monotonic_s(self.clock)
        for serial in [serial for serial, (_, late_s) in self._on_the_way.items() if late_s <= now]:
            log.warning("status not acked in time: event=%s", self._on_the_way[serial][0].spec.name)
            self._not_now(serial)
        while now >= self._paused_until_s and len(self._on_the_way) < _MOST_ON_THE_WAY:
            message = self.lane.take({sent.subject for sent, _ in self._on_the_way.values() if sent.report})
            if message is None:
                return
            serial = next(self._serials)
            self._on_the_way[serial] = (message, now + (message.spec.timeout_s or 0.0))
            body = {**message.fields}
            if issubclass(message.spec.payload, Outboxed):
                body = {"stream": stream, **body, **envelope(message.spec, self.device, message.stamp, self.clock)}
            parse(message.spec.payload, body)
            emit(message.spec, body, Token(None, serial))

    def acked(self, token: Token, answer: tuple[object, ...]) -> Verdict | None:
        """An ack came; None when nobody waits for it any more."""
        if token.id not in self._on_the_way:
            return None
        verdict = judge(answer)
        if verdict.fate is Fate.LATER:
            self._not_now(token.id)
            self._paused_until_s = monotonic_s(self.clock) + self.backoff.next_s()
            return verdict
        message, _ = self._on_the_way.pop(token.id)
        if verdict.fate is Fate.NEVER:
            log.error("status refused: event=%s code=%s: %s", message.spec.name, verdict.code, verdict.message)
        elif verdict.fate is Fate.DONE:
            self.backoff.reset()
        return verdict

    def connection_lost(self) -> None:
        """No ack will come any more."""
        for serial in list(self._on_the_way):
            self._not_now(serial)
        self.lane.forget_answers()
        self._paused_until_s = float("-inf")

    def due_s(self) -> float | None:
        """When `pump` has something to do, beside new messages."""
        times = [late_s for _, late_s in self._on_the_way.values()]
        if self._paused_until_s > monotonic_s(self.clock):
            times.append(self._paused_until_s)
        return min(times, default=None)

    def _not_now(self, serial: int) -> None:
        message, _ = self._on_the_way.pop(serial)
        if message.report:
            self.lane.put_back(message)
