"""One connection to `/client`, from its beginning to its end."""

import queue
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import engineio
import msgspec
import socketio
from socketio.exceptions import ConnectionError as NotConnected
from socketio.exceptions import SocketIOError

from shared.client.commands import Results
from shared.client.inbox import Inbox
from shared.contract import events
from shared.contract.payloads import Ack, ClientHello, CommandResult, Payload, Snapshot, parse
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import Code, Refusal
from shared.wire import JsonPacket

WAIT_S = 10.0
TO_CLIENTS = tuple(
    spec for spec in events.CATALOGUE if spec.namespace is Namespace.CLIENT and spec.subscriber is Role.CLIENT
)


class _InOrder(engineio.Client):  # type: ignore[misc]  # the library is not typed
    """Handles one message after the other, where the library has a thread for each: those overtake one another."""

    def _trigger_event(self, event: str, *args: Any, **_: Any) -> Any:
        return super()._trigger_event(event, *args, run_async=False)


class _Client(socketio.Client):  # type: ignore[misc]  # the library is not typed
    def _engineio_client_class(self) -> type[engineio.Client]:
        return _InOrder


class Link:
    """Connects when it is made. What comes goes to its inbox; results of commands also to `results`."""

    def __init__(self, url: str, hello: ClientHello, device: str | None, results: Results) -> None:
        """Raises `Refusal`: `unauthenticated`, `forbidden`, `unavailable`."""
        self.inbox = Inbox()
        self._results = results
        self._url = url.rstrip("/")
        self._snapshot: Snapshot | None = None
        self._has_snapshot = threading.Event()
        self._waiting: set[queue.SimpleQueue[Any]] = set()
        self._refusal: Any = None
        self._client = _Client(serializer=JsonPacket, reconnection=False)
        for spec in TO_CLIENTS:
            self._client.on(spec.name, self._receiver(spec), namespace=Namespace.CLIENT)
        self._client.on("connect_error", self._refused, namespace=Namespace.CLIENT)
        self._client.on("disconnect", self._ended, namespace=Namespace.CLIENT)
        self._connect(hello, device)

    def _connect(self, hello: ClientHello, device: str | None) -> None:
        query = f"?{urlencode({'device': device})}" if device else ""
        try:
            self._client.connect(
                self._url + query,
                auth=msgspec.to_builtins(hello),
                namespaces=[Namespace.CLIENT],
                transports=["websocket"],
                wait_timeout=WAIT_S,
            )
        except (NotConnected, ValueError) as error:
            self._client.disconnect()
            if isinstance(self._refusal, dict):
                ack = parse(Ack, self._refusal.get("data"))
                raise Refusal(ack.code, ack.message or "") from None
            raise Refusal(Code.UNAVAILABLE, f"no relay at {self._url} ({error})") from None

    def _receiver(self, spec: EventSpec) -> Any:
        def receive(body: Any) -> None:
            if spec is events.SNAPSHOT_PUB_CLIENT:
                self._snapshot = parse(Snapshot, body)
                self._has_snapshot.set()
            elif spec is events.COMMAND_RESULT_PUB_CLIENT:
                self._results.put(parse(CommandResult, body))
            if not self.inbox.put((spec, body)):
                # Whoever reads cannot wait for its own end.
                self._client.start_background_task(self.close)

        return receive

    def _refused(self, reason: Any) -> None:
        self._refusal = reason

    def _ended(self, *_: object) -> None:
        self.inbox.end()
        self._has_snapshot.set()
        for waiting in list(self._waiting):
            waiting.put(None)

    @property
    def alive(self) -> bool:
        """Whether it lasts, as far as is known."""
        return not self.inbox.ended

    def close(self) -> None:
        """End it."""
        self.inbox.end()
        self._client.disconnect()
        # The library keeps the socket of a connection that the other side has ended.
        if self._client.eio.ws is not None:
            self._client.eio.ws.shutdown()

    def snapshot(self) -> Snapshot:
        """What the relay knew when this connection began. Raises `Refusal` with `unavailable`."""
        self._has_snapshot.wait(WAIT_S)
        if self._snapshot is None:
            raise Refusal(Code.UNAVAILABLE, "the relay sent no snapshot")
        return self._snapshot

    def replay(self, since: int) -> None:
        """Ask for what came after a cursor. Its ack comes behind all of it, as if it were an event of that name."""
        spec = events.REPLAY_REQUEST_CLIENT
        with suppress(SocketIOError):
            self._client.emit(spec.name, {"since": since}, Namespace.CLIENT, lambda ack: self.inbox.put((spec, ack)))

    def call(self, spec: EventSpec, body: Payload) -> Ack:
        """Emit, and wait for the ack. Raises `Refusal` where the relay refuses, or does not answer."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting.add(answers)
        try:
            # Not the library's `call`: that one waits out its time when the connection has ended.
            self._client.emit(spec.name, msgspec.to_builtins(body), namespace=Namespace.CLIENT, callback=answers.put)
            answer = None if self.inbox.ended else answers.get(timeout=spec.timeout_s or WAIT_S)
        except (SocketIOError, queue.Empty):
            answer = None
        finally:
            self._waiting.discard(answers)
        if answer is None:
            raise Refusal(Code.UNAVAILABLE, "the relay did not answer; whether it took this is not known")
        ack = parse(Ack, answer)
        if not ack.ok:
            raise Refusal(ack.code, ack.message or "")
        return ack
