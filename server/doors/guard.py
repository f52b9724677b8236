"""The one guard that every Socket.IO event passes: catalogue, rate limit, role, strict decode; always an answer."""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from server.fanout.port import Port
from server.metrics import Metrics
from server.security.identity import Identity
from server.security.rate import RateLimit
from shared.contract.door_events import EVERY_DOOR
from shared.contract.events import CATALOGUE, ERROR_PUB
from shared.contract.payloads import Ack, ErrorBody, Payload, parse
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import Code, Refusal
from shared.wire import Inbound

log = logging.getLogger(__name__)

Answer = Ack | Payload | tuple[Any, ...]


@dataclass(frozen=True)
class Connection:
    """One peer in one namespace. `device` is whose events it sends (`/pi`), or the one it wants to see (`/client`)."""

    sid: str
    identity: Identity
    device: str | None = None
    original: bool = False
    """True for a program that knows only the original contract: its acks are the original's three values."""


Result = Answer | Exception
"""An answer, or why there is none."""
Handler = Callable[[Connection, Any], Answer]
HotHandler = Callable[[Connection, Any, Callable[[Result], None]], None]
"""Takes (connection, payload, told); calls `told` once with the answer, or why there is none. Must not block."""
Tell = Callable[[str, Refusal], Answer]
"""Tells the sender of an event, by its sid, why it is refused, and returns the ack."""


class Guard:
    """Binds the events of one namespace to their handlers."""

    def __init__(self, port: Port, namespace: Namespace, rate: RateLimit, metrics: Metrics) -> None:
        self._port = port
        self._namespace = namespace
        self._rate = rate
        self._metrics = metrics
        self._connections: dict[str, Connection] = {}
        self._told: dict[str, set[Code]] = {}
        self._tells: dict[str, Tell] = {}

    def bind(
        self, handlers: Mapping[EventSpec, Handler], tells: Mapping[EventSpec, Tell] = MappingProxyType({})
    ) -> None:
        """Serve `handlers`. An event in `tells` has words of its own for a refusal; all others say `error_pub`.

        Raises `ValueError` unless the handlers are just what the catalogue says the relay takes here.
        """
        ours = (spec for spec in CATALOGUE + EVERY_DOOR if spec.namespace is self._namespace)
        taken = {spec for spec in ours if spec.subscriber is Role.RELAY}
        if set(handlers) != taken:
            names = sorted(spec.name for spec in set(handlers) ^ taken)
            raise ValueError(f"{self._namespace}: the handlers and the catalogue differ in {', '.join(names)}")
        self._tells = {spec.name: tell for spec, tell in tells.items()}
        for spec, handler in handlers.items():
            self._port.on(spec.name, self._namespace, self._handler(spec, handler))
        self._port.on("*", self._namespace, self._unknown)

    def admit(self, connection: Connection) -> None:
        """Let a connection send events."""
        self._connections[connection.sid] = connection

    def forget(self, sid: str) -> Connection | None:
        """A connection ended. Returns it, None where it was never admitted."""
        self._told.pop(sid, None)
        return self._connections.pop(sid, None)

    def admitted(self) -> list[Connection]:
        """Everyone who is connected here."""
        return list(self._connections.values())

    def name_of(self, sid: str) -> str | None:
        """Who is connected under `sid`; None where nobody is."""
        connection = self._connections.get(sid)
        return connection.identity.name if connection is not None else None

    def expel(self, valid: Collection[int]) -> None:
        """End the connections whose token is not one of `valid` any more, and tell them so."""
        reason = ErrorBody.build(code=Code.UNAUTHENTICATED, message="the token has been revoked")
        for connection in self.admitted():
            if connection.identity.token is not None and connection.identity.token not in valid:
                log.warning("token revoked, connection ends: name=%s", connection.identity.name)
                self._port.close(ERROR_PUB[self._namespace], connection.sid, reason)

    def hasten(self, spec: EventSpec, handler: HotHandler) -> None:
        """Give a bound event a fast lane, where the way to here has one. It is checked as on the usual one."""
        name = spec.name

        def handle(sid: str, body: Any, reply: Callable[[Answer], None] | None) -> None:
            def told(answer: Result) -> None:
                if isinstance(answer, Exception):
                    answer = self._failed(sid, name, answer, wants_ack=reply is not None)
                else:
                    self._count(name, answer)
                if reply is not None:
                    reply(answer)

            try:
                handler(self._allowed(sid), body, told)
            except Exception as failure:  # told to the sender, as on the usual lane
                told(failure)

        self._port.hot(spec, handle)

    def _handler(self, spec: EventSpec, handler: Handler) -> Callable[..., Any]:
        def checked(who: Connection, body: object) -> Answer:
            return handler(who, body if spec.raw else parse(spec.payload, body))

        def handle(sid: str, *args: Any) -> Any:
            return self._answer(sid, spec.name, args, checked)

        return handle

    def _unknown(self, event: str, sid: str, *args: Any) -> Any:
        def refuse(_: Connection, __: object) -> Answer:
            raise Refusal(Code.UNKNOWN_EVENT, f"{event[:64]!r} is not an event that {self._namespace} takes")

        return self._answer(sid, event, args, refuse)

    def _answer(self, sid: str, event: str, args: tuple[Any, ...], work: Handler) -> Any:
        """What goes back as the ack."""
        inbound = args[0] if args and isinstance(args[0], Inbound) else Inbound((), wants_ack=False)
        try:
            sender = self._allowed(sid)
            if inbound.refusal is not None:
                raise inbound.refusal
            answer = work(sender, self._body(inbound))
        except Exception as failure:  # the caller must get an answer
            return self._failed(sid, event, failure, wants_ack=inbound.wants_ack)
        self._count(event, answer)
        return answer

    def _allowed(self, sid: str) -> Connection:
        """Who sends an event. Raises `Refusal` where it may not."""
        connection = self._connections.get(sid)
        if connection is None:
            raise Refusal(Code.UNAUTHENTICATED, "this connection has ended")
        self._rate.hit(sid)
        return connection

    def _count(self, event: str, answer: Answer) -> None:
        self._metrics.event(self._namespace, event, answer.code if isinstance(answer, Ack) else Code.STORED)

    def _failed(self, sid: str, event: str, failure: Exception, *, wants_ack: bool) -> Answer:
        """The answer where there is none. What is no refusal is a fault of ours, and is logged whole."""
        if isinstance(failure, Refusal):
            self._log_once(sid, event, failure)
        else:
            log.error("handler failed: event=%s", event[:64], exc_info=failure)
            failure = Refusal(Code.INTERNAL)
        return self._refused(sid, event, failure, wants_ack=wants_ack)

    def _body(self, inbound: Inbound) -> object:
        # What a program of the other doors says by an event's name alone, it sends without a body.
        if not inbound.args and self._namespace is Namespace.ROOT:
            return {}
        if len(inbound.args) != 1:
            raise Refusal(Code.INVALID_PAYLOAD, f"an event has one body; this one has {len(inbound.args)}")
        return inbound.args[0]

    def _refused(self, sid: str, event: str, refusal: Refusal, *, wants_ack: bool) -> Answer:
        self._metrics.refusal(self._namespace, refusal.code)
        if (tell := self._tells.get(event)) is not None:
            return tell(sid, refusal)
        if not wants_ack:
            body = ErrorBody.build(
                code=refusal.code, message=refusal.message[:500], event=event[:64], retry=refusal.retry
            )
            self._port.emit(ERROR_PUB[self._namespace], body, [sid])
        return Ack.refused(refusal)

    def _log_once(self, sid: str, event: str, refusal: Refusal) -> None:
        """The first refusal of a kind per connection is worth a line; the rest is counted in the metrics."""
        connection = self._connections.get(sid)
        if connection is not None and refusal.code not in self._told.setdefault(sid, set()):
            self._told[sid].add(refusal.code)
            log.warning(
                "event refused: from=%s event=%r code=%s: %r",
                connection.identity.name,
                event[:64],
                refusal.code,
                refusal.message[:200],
            )
