"""The relay's delivery, recorded: what was sent to whom, in order, as it would be on the wire."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contract.payloads import Payload
from shared.contract.spec import EventSpec
from shared.wire import StrictJson


@dataclass
class Sent:
    spec: EventSpec
    to: tuple[str, ...]
    body: dict[str, Any]
    acked: Callable[..., None] | None


@dataclass
class RecordingEmitter:
    """`server.fanout.broadcast.Emitter` that keeps what it is given."""

    sent: list[Sent] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def emit(
        self, spec: EventSpec, payload: Payload, to: Sequence[str], acked: Callable[..., None] | None = None
    ) -> None:
        self.sent.append(Sent(spec, tuple(to), json.loads(StrictJson.dumps(payload)), acked))

    def reaches(self, namespace: str, to: Sequence[str]) -> bool:
        return True

    def close(self, spec: EventSpec, sid: str, payload: Payload) -> None:
        self.emit(spec, payload, [sid])
        self.closed.append(sid)

    def of(self, spec: EventSpec) -> list[Sent]:
        return [sent for sent in self.sent if sent.spec is spec]

    def bodies(self, spec: EventSpec) -> list[dict[str, Any]]:
        return [sent.body for sent in self.of(spec)]
