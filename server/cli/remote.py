"""The relay as its own tools see it: a real Socket.IO client on `/client`."""

import queue
import time
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
import socketio
from socketio.exceptions import ConnectionError as NotConnected
from socketio.exceptions import SocketIOError

from shared.backoff import Backoff
from shared.contract import events
from shared.contract.payloads import Ack, ClientHello, CommandRequest, CommandResult, Snapshot, parse
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import Code, Refusal
from shared.wire import JsonPacket

_WAIT_S = 10.0
_SEEN = 500
"""Events that are remembered, so that a replay repeats none of them."""
_TO_CLIENTS = [
    spec for spec in events.CATALOGUE if spec.namespace is Namespace.CLIENT and spec.subscriber is Role.CLIENT
]


class Remote:
    """A connection to a relay: what it says arrives on a queue, in order."""

    def __init__(self, url: str, token: str | None = None, device: str | None = None, since: int | None = None) -> None:
        """Connect; what came after the cursor `since` is sent first.

        Raises `Refusal` with `unauthenticated`, `forbidden` or `unavailable`.
        """
        self._inbox: queue.SimpleQueue[tuple[EventSpec | None, Any]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._url = url
        self._refusal: Any = None
        self._client = socketio.Client(serializer=JsonPacket, reconnection=False)
        for spec in _TO_CLIENTS:
            self._client.on(spec.name, self._receive(spec), namespace=Namespace.CLIENT)
        self._client.on("connect_error", self._refused, namespace=Namespace.CLIENT)
        self._client.on("disconnect", self._ended, namespace=Namespace.CLIENT)
        self._connect(ClientHello.build(token=token, since=since), device)

    def _connect(self, hello: ClientHello, device: str | None) -> None:
        query = f"?{urlencode({'device': device})}" if device else ""
        try:
            self._client.connect(
                self._url + query,
                auth=msgspec.to_builtins(hello),
                namespaces=[Namespace.CLIENT],
                transports=["websocket"],
                wait_timeout=_WAIT_S,
            )
        except (NotConnected, ValueError) as error:
            self._client.disconnect()
            if isinstance(self._refusal, dict):
                ack = parse(Ack, self._refusal.get("data"))
                hint = " Give one with --token or BREATHLIGHT_TOKEN." if ack.code == Code.UNAUTHENTICATED else ""
                raise Refusal(ack.code, (ack.message or "") + hint) from None
            raise Refusal(
                Code.UNAVAILABLE,
                f"no relay at {self._url} ({error}): start one with pi-relay serve, or name yours with --url",
            ) from None

    def _receive(self, spec: EventSpec) -> Any:
        return lambda body: self._inbox.put((spec, body))

    def _refused(self, reason: Any) -> None:
        self._refusal = reason

    def _ended(self, *_: object) -> None:
        self._inbox.put((None, None))
        self._answers.put(None)

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._client.disconnect()
        # The library keeps the socket of a connection that the other side has ended.
        if self._client.eio.ws is not None:
            self._client.eio.ws.shutdown()

    def events(self, timeout_s: float | None = None) -> Iterator[tuple[EventSpec, Any]]:
        """Events as they come. Ends after `timeout_s` of silence; raises `Refusal` when the connection ends."""
        while True:
            try:
                spec, body = self._inbox.get(timeout=timeout_s)
            except queue.Empty:
                return
            if spec is None:
                raise Refusal(Code.UNAVAILABLE, "the relay ended the connection")
            yield spec, body

    def snapshot(self) -> Snapshot:
        """What the relay knew when this connection began. Raises `Refusal` with `unavailable`."""
        for spec, body in self.events(_WAIT_S):
            if spec is events.SNAPSHOT_PUB_CLIENT:
                return parse(Snapshot, body)
        raise Refusal(Code.UNAVAILABLE, "the relay sent no snapshot")

    def command(self, request: CommandRequest) -> Ack:
        """Ask for a command. Raises `Refusal` where the relay refuses it."""
        try:
            # Not `call`: that one waits out its time when the connection has ended.
            self._client.emit(
                events.COMMAND_REQUEST_CLIENT.name,
                msgspec.to_builtins(request),
                namespace=Namespace.CLIENT,
                callback=self._answers.put,
            )
            answer = self._answers.get(timeout=events.COMMAND_REQUEST_CLIENT.timeout_s)
        except (SocketIOError, queue.Empty):
            answer = None
        if answer is None:
            raise Refusal(Code.UNAVAILABLE, "the relay did not answer; whether it took the command is not known")
        ack = parse(Ack, answer)
        if not ack.ok:
            raise Refusal(ack.code, ack.message or "")
        return ack

    def results(self, command: str, timeout_s: float) -> Iterator[CommandResult]:
        """Each news of a command, until `timeout_s` of silence."""
        for spec, body in self.events(timeout_s):
            if spec is events.COMMAND_RESULT_PUB_CLIENT:
                result = parse(CommandResult, body)
                if result.command == command:
                    yield result


class Feed:
    """The events of a relay across its restarts: it connects again by itself, and asks for what it missed."""

    def __init__(self, url: str, token: str | None = None, device: str | None = None) -> None:
        """Connect. Raises `Refusal` as `Remote` does; later it is raised only for what no waiting can mend."""
        self._url, self._token, self._device = url, token, device
        self._backoff = Backoff(first_s=0.5, longest_s=5.0)
        self._retry_at_s = 0.0
        self._cursor: int | None = None
        self._seen: deque[tuple[Any, ...]] = deque(maxlen=_SEEN)
        self._remote: Remote | None = Remote(url, token, device)

    @property
    def connected(self) -> bool:
        """Whether the relay is there, as far as is known."""
        return self._remote is not None

    def close(self) -> None:
        """End the connection."""
        if self._remote is not None:
            self._remote.close()

    def events(self, timeout_s: float) -> Iterator[tuple[EventSpec, Any]]:
        """Events as they come, each once. Ends after `timeout_s` of silence, and when the connection does."""
        remote = self._remote or self._reconnected(timeout_s)
        if remote is None:
            return
        try:
            for spec, body in remote.events(timeout_s):
                if self._is_news(spec, body):
                    yield spec, body
        except Refusal:
            self.close()
            self._remote = None

    def _reconnected(self, timeout_s: float) -> Remote | None:
        wait_s = self._retry_at_s - time.monotonic()
        if wait_s > 0:
            time.sleep(min(wait_s, timeout_s))
            return None
        try:
            self._remote = Remote(self._url, self._token, self._device, self._cursor)
        except Refusal as refusal:
            if refusal.code is not Code.UNAVAILABLE:
                raise
            self._retry_at_s = time.monotonic() + self._backoff.next_s()
            return None
        self._backoff.reset()
        return self._remote

    def _is_news(self, spec: EventSpec, body: Any) -> bool:
        """Note how far it came. A replay begins a little before that, so what was seen comes again."""
        self._cursor = max(self._cursor or 0, body.get("cursor") or 0) or self._cursor
        if body.get("id") is None or body.get("stream") is None:
            return True
        key = (spec.name, body.get("device"), body["stream"], body["id"])
        if key in self._seen:
            return False
        self._seen.append(key)
        return True
