"""One connection to the relay: the only file of the agent that knows the Socket.IO client.

A connection is used once. The library keeps state from one to the next (a client whose link drops while it joins
counts as connected for ever), and a late callback of an old one must not be taken for the new one's.
"""

import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import engineio
import socketio
import websocket

from pi_agent.uplink.verdict import LinkDown, Token
from shared.contract.payloads import Ack
from shared.contract.spec import EventSpec, Namespace
from shared.wire import JsonPacket

log = logging.getLogger(__name__)
_library_log = logging.getLogger("socketio.client")
"""The library warns of every connection that ends; the uplink says it once, with what it means."""

_HANDSHAKE_S = 5.0
"""For each step of the TCP connection and the websocket handshake."""
_GOODBYE_S = 0.5
_EVENT, _ACK = "2", "3"


@dataclass(frozen=True)
class Joined:
    """The relay admitted the agent."""

    link: "Link"


@dataclass(frozen=True)
class Lost:
    """The connection ended, or was refused. `code` is the relay's reason, where it told one."""

    link: "Link"
    reason: str
    code: str = ""


@dataclass(frozen=True)
class Answered:
    """An ack arrived."""

    link: "Link"
    token: Token
    answer: tuple[Any, ...]


Inbox = Callable[[Joined | Lost | Answered], None]
"""Takes what a connection tells, on threads of the library. Must not block."""
Receive = Callable[[str, tuple[Any, ...]], Ack | None]
"""Takes an event of the relay by its name and bodies, and says what to ack. Must not block."""


class Link:
    """One connection to the relay's namespace for agents. All methods are for one thread."""

    client: ClassVar[type[socketio.Client]]

    def __init__(self, url: str, hello: Mapping[str, Any], inbox: Inbox, receive: Receive) -> None:
        _library_log.setLevel(logging.ERROR)
        self._url = url
        self._hello = hello
        self._inbox = inbox
        self._receive = receive
        self._client = self.client(
            reconnection=False,
            serializer=JsonPacket,
            handle_sigint=False,
            logger=_library_log,
            engineio_logger=_library_log,
            request_timeout=_HANDSHAKE_S,
            # No browser, so no Origin: a proxy in between would make it a wrong one.
            websocket_extra_options={"suppress_origin": True},
        )
        self._client.on("connect", lambda: inbox(Joined(self)), namespace=Namespace.PI)
        self._client.on("connect_error", self._refused, namespace=Namespace.PI)
        self._client.on("*", self._event, namespace=Namespace.PI)
        # The client tells of a disconnect only those namespaces that had joined.
        self._forget = self._client.eio.handlers["disconnect"]
        self._client.eio.on("disconnect", self._disconnected)
        self._client.eio.broken = lambda why: inbox(Lost(self, why))

    def open(self) -> None:
        """Reach the relay and ask to join; `Joined` or `Lost` follows. Raises `LinkDown`.

        Websocket at once: long polling would cost a thread, two round trips and `requests`.
        """
        try:
            # Not waiting here: the library's wait cannot be interrupted, and gives up after 1 s on every retry.
            self._client.connect(
                self._url, auth=dict(self._hello), transports=["websocket"], namespaces=[Namespace.PI], wait=False
            )
        except (socketio.exceptions.SocketIOError, OSError, ValueError) as error:
            raise LinkDown(str(error) or type(error).__name__) from None

    def emit(self, spec: EventSpec, body: Mapping[str, Any], token: Token) -> None:
        """Send an event; its ack comes as `Answered` with `token`. Raises `LinkDown`."""
        try:
            self._client.emit(
                spec.name,
                body,
                namespace=spec.namespace,
                callback=lambda *answer: self._inbox(Answered(self, token, answer)),
            )
        except socketio.exceptions.SocketIOError as error:
            raise LinkDown(str(error)) from None

    def close(self) -> None:
        """Say goodbye, as far as somebody listens. Never raises, and does not wait for an answer.

        The library would wait for the other side, with several threads reading one socket. What was sent is not
        recalled; the library's own threads end when they find the socket closed.
        """
        ws = self._client.eio.ws
        if ws is None or ws.sock is None:
            return
        try:
            ws.settimeout(_GOODBYE_S)
            ws.send_close()
            ws.sock.shutdown(socket.SHUT_WR)
        except (OSError, AttributeError, websocket.WebSocketException) as error:
            # The reading thread may have let go of the socket just now.
            log.debug("connection did not close cleanly: %s", error)

    def _disconnected(self, reason: object) -> None:
        self._forget(reason)
        self._inbox(Lost(self, str(reason)))

    def _refused(self, data: object = None) -> None:
        """The library gives a text, or an object of ours within one of its own: `{message, data: {code, message}}`."""
        outer = data if isinstance(data, Mapping) else {"message": data}
        inner = outer.get("data")
        reason = inner if isinstance(inner, Mapping) else outer
        self._inbox(Lost(self, str(reason.get("message") or "refused"), str(reason.get("code") or "")))

    def _event(self, name: str, *bodies: Any) -> object:
        return self._receive(name, bodies)


class Engine(engineio.Client):  # type: ignore[misc]  # the library is not typed
    """Delivers events and acks on the reading thread, in the order in which they came.

    The library starts a thread for each message: commands would overtake each other. Our handlers never block.
    """

    broken: Callable[[str], None]

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if target is not self.handlers.get("message") or str(args[0])[:1] not in (_EVENT, _ACK):
            return super().start_background_task(target, *args, **kwargs)
        try:
            target(*args, **kwargs)
        except Exception as error:
            # The reading thread is not ours to end: say that this connection has no use any more.
            log.warning("unreadable message from the relay: %s", error)
            self.broken("the relay sent something unreadable")
        return None


class _Client(socketio.Client):  # type: ignore[misc]
    def _engineio_client_class(self) -> type[Engine]:
        return Engine


Link.client = _Client
