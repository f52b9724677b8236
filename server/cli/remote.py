"""The relay as its own tools see it: a real Socket.IO client on `/client`."""

import queue
from collections.abc import Iterator
from typing import Any

import msgspec
import socketio
from socketio.exceptions import ConnectionError as NotConnected
from socketio.exceptions import SocketIOError

from shared.contract import events
from shared.contract.payloads import Ack, ClientHello, CommandRequest, CommandResult, Snapshot, parse
from shared.contract.spec import EventSpec, Namespace, Role
from shared.errors import Code, Refusal
from shared.wire import JsonPacket

_WAIT_S = 10.0
_TO_CLIENTS = [
    spec for spec in events.CATALOGUE if spec.namespace is Namespace.CLIENT and spec.subscriber is Role.CLIENT
]


class Remote:
    """A connection to a relay: what it says arrives on a queue, in order."""

    def __init__(self, url: str, token: str | None = None, device: str | None = None) -> None:
        """Connect. Raises `Refusal` with `unauthenticated`, `forbidden` or `unavailable`."""
        self._inbox: queue.SimpleQueue[tuple[EventSpec | None, Any]] = queue.SimpleQueue()
        self._url = url
        self._refusal: Any = None
        self._client = socketio.Client(serializer=JsonPacket, reconnection=False)
        for spec in _TO_CLIENTS:
            self._client.on(spec.name, self._receive(spec), namespace=Namespace.CLIENT)
        self._client.on("connect_error", self._refused, namespace=Namespace.CLIENT)
        self._client.on("disconnect", self._ended, namespace=Namespace.CLIENT)
        self._connect(token, device)

    def _connect(self, token: str | None, device: str | None) -> None:
        query = f"?device={device}" if device else ""
        try:
            self._client.connect(
                self._url + query,
                auth=msgspec.to_builtins(ClientHello.build(token=token)),
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

    def __enter__(self) -> "Remote":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()

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
            answer = self._client.call(
                events.COMMAND_REQUEST_CLIENT.name,
                msgspec.to_builtins(request),
                namespace=Namespace.CLIENT,
                timeout=events.COMMAND_REQUEST_CLIENT.timeout_s,
            )
        except SocketIOError as error:
            raise Refusal(Code.UNAVAILABLE, f"the relay did not answer: {error}") from None
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
