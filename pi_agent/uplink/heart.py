"""Heartbeats: they prove that the agent lives, and their acks tell the relay's time."""

import itertools
import logging
from dataclasses import dataclass, field
from typing import Final

from pi_agent.accessories.relay_time import RelayTime
from pi_agent.uplink.verdict import Emit, Fate, Token, Verdict, judge
from shared.clock import Clock, monotonic_s
from shared.contract.events import HEARTBEAT_PUB_PI
from shared.contract.payloads import Heartbeat

log = logging.getLogger(__name__)

STREAM: Final = "heartbeat"
"""In a token, where the events of the outbox have its stream. One of those is 16 characters long."""
_MOST_ON_THE_WAY = 8


@dataclass
class Heart:
    """Beats right after every admission and then every `interval_s`. Stepped by the uplink; owns no thread."""

    interval_s: float
    clock: Clock
    relay_time: RelayTime
    _serials: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _sent: dict[int, float] = field(default_factory=dict)
    """By serial: when it was sent, monotonic."""
    _due_s: float | None = None
    _known: bool = True
    """False where the relay is too old to know of heartbeats."""

    def joined(self) -> None:
        """The relay has admitted the agent."""
        self._due_s = monotonic_s(self.clock)

    def connection_lost(self) -> None:
        """No ack will come any more."""
        self._sent.clear()
        self._due_s = None

    def pump(self, emit: Emit) -> None:
        """Beat, if it is time. Raises `LinkDown`."""
        now = monotonic_s(self.clock)
        if self._due_s is not None and now >= self._due_s:
            self._due_s = now + self.interval_s
            self.beat(emit)

    def beat(self, emit: Emit, *, ending: bool = False) -> Token:
        """Beat now; the ack comes with the token that is returned. Raises `LinkDown`."""
        serial = next(self._serials)
        while len(self._sent) >= _MOST_ON_THE_WAY:
            del self._sent[next(iter(self._sent))]
        now_ns = self.clock.monotonic_ns()
        self._sent[serial] = now_ns / 1e9
        more = {"ending": True} if ending else {}
        body = {"interval_s": self.interval_s, "boot_id": self.clock.boot_id, "monotonic_ns": now_ns, **more}
        token = Token(STREAM, serial)
        Heartbeat.build(**body)
        emit(HEARTBEAT_PUB_PI, body, token)
        return token

    def acked(self, token: Token, answer: tuple[object, ...]) -> Verdict | None:
        """An ack came; None when nobody waits for it any more."""
        sent_s = self._sent.pop(token.id, None)
        if sent_s is None:
            return None
        verdict = judge(answer)
        body = answer[0] if answer and isinstance(answer[0], dict) else {}
        relay_ms = body.get("relay_ms")
        if isinstance(relay_ms, int) and not isinstance(relay_ms, bool):
            self.relay_time.learn(relay_ms, sent_s)
        if verdict.fate is Fate.NEVER and self._known:
            self._known = False
            log.info("relay knows no heartbeats: code=%s", verdict.code)
        return verdict

    def due_s(self) -> float | None:
        """When the next one is due."""
        return self._due_s
