"""An Engine.IO connection on the direct path: a websocket without greenlets of its own, or stock long polling.

It builds on python-engineio's `Socket`, whose internals only this package knows; see `server.fanout.port`.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from time import time
from typing import Any

import gevent
from engineio import exceptions
from engineio import packet as engineio_packet
from engineio.socket import Socket

from server.fanout import framing
from server.fanout.inbox import Inbox, Message
from server.fanout.outgoing import told_of
from server.fanout.path import Path
from server.fanout.wire import Wire

log = logging.getLogger(__name__)

SOCKET = "server.socket"
"""Where the listener puts a request's socket into its environ, to be taken over."""
TARGET = "server.target"
"""Where the listener puts what a request asks for, as it came: WSGI knows it decoded."""
KEPT = (
    "REMOTE_ADDR",
    "QUERY_STRING",
    "HTTP_AUTHORIZATION",
    "HTTP_COOKIE",
    "HTTP_HOST",
    "HTTP_ORIGIN",
    "HTTP_USER_AGENT",
)
"""What doors may ask about a request once it has been answered. The whole environ takes kilobytes."""
_PACKET_TYPES = frozenset("0123456")
_PROBE, _UPGRADE, _PONG, _EVENT = "2probe", "5", "3", "42"


class Session(Socket):  # type: ignore[misc]  # the library is not typed
    """One Engine.IO connection. Made of a stock socket by `adopt`."""

    path: Path
    connected: bool
    upgraded: bool
    upgrading: bool
    closing: bool
    closed: bool
    last_ping: float | None
    due: float
    wire: Wire | None
    _inbox: Inbox
    _probed: bool

    @staticmethod
    def adopt(socket: Any, path: Path) -> None:
        """Make a session of a stock socket that has just been opened."""
        socket.__class__ = Session
        socket.path, socket.wire, socket.due = path, None, 0.0
        socket._inbox, socket._probed = Inbox(socket, partial(path.after_hot, socket)), False  # noqa: SLF001

    # --- what the library calls ---------------------------------------------------------------------------------

    def send(self, pkt: Any) -> None:
        """Send a packet, after all that was sent before."""
        if not self.check_ping_timeout():
            return
        if self in self.path.batch:
            # Its turn comes when the frames before it have gone out.
            self.path.batch.add(self.path.batch.audience((self,)), [pkt])
        else:
            self.put(pkt)

    def put(self, pkt: Any) -> None:
        """Send a packet now."""
        if self.upgraded and self.wire is not None:
            self.wire.write(encoded(pkt))
        else:
            self.queue.put(pkt)

    def say(self, *messages: str) -> None:
        """Send messages, after all that was sent before; nothing where the connection has ended."""
        if self.closed:
            return
        if self.upgraded and self.wire is not None and self not in self.path.batch:
            if self.check_ping_timeout():
                self.wire.write(framing.texts([f"{engineio_packet.MESSAGE}{one}" for one in messages]))
        else:
            for message in messages:
                self.send(engineio_packet.Packet(engineio_packet.MESSAGE, message))

    def schedule_ping(self) -> None:
        """Take a place in the line, where a stock socket starts a greenlet that sleeps."""
        if self.last_ping:
            self.last_ping = None
            self.due = time() + self.server.ping_interval
            self.path.pings.append(self)

    def ping(self) -> None:
        """Ask whether anybody is there."""
        if not self.closing and not self.closed:
            self.last_ping = time()
            self.send(engineio_packet.Packet(engineio_packet.PING))

    def part_if_silent(self) -> None:
        """End the connection if the last ping was not answered in time."""
        if not self.closing and not self.closed:
            self.check_ping_timeout()

    def poll(self) -> Any:
        """Packets for a long poll. One that was overtaken by an upgrade ends with nothing."""
        try:
            return super().poll()
        except exceptions.QueueEmpty:
            if not self.upgraded:
                raise
            return [engineio_packet.Packet(engineio_packet.NOOP)]

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:
        """End the connection and tell the doors. Blocks only as they do."""
        if self.closed or self.closing:
            return
        self.path.batch.settle(self)
        if self.wire is None or not self.upgraded:
            super().close(wait=wait, abort=abort, reason=reason)
            self.path.ended.append(self.sid)
            return
        self.closing = True
        self.server._trigger_event(  # noqa: SLF001
            "disconnect", self.sid, reason or self.server.reason.SERVER_DISCONNECT, run_async=False
        )
        self.path.batch.settle(self)
        if not abort:
            self.wire.write(framing.text(str(engineio_packet.CLOSE)))
        self.closed = True
        self.wire.finish()
        self.server.sockets.pop(self.sid, None)

    def _upgrade_websocket(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """A websocket for this connection, new or instead of polling. The request ends at once, the socket stays."""
        sock = environ.get(SOCKET)
        if type(sock) is not gevent.socket.socket:
            # Encrypted: bytes for one are of no use to others.
            return super()._upgrade_websocket(environ, start_response)
        answer = framing.accept(environ)
        if answer is None or self.upgrading:
            return self._declined(start_response, "400 Bad Request", b"this is no websocket handshake\n")
        if not self.path.room():
            return self._declined(start_response, "503 Service Unavailable", b"too many connections\n")
        sock.sendall(answer)
        self.wire = Wire(sock, self, self.path.terms, self.path.batch.epoch, self._wire_ended)
        self.path.websockets[self] = self.wire
        if self.connected:
            self.upgrading, self._probed = True, False
        else:
            self.connected = True
            self._open()
        self._forget_request()
        self.wire.start()
        return ()

    # --- what the wire tells ------------------------------------------------------------------------------------

    def took(self, message: str | bytes) -> None:
        """See `wire.Owner`."""
        if not self.upgraded:
            self._upgrade(message)
        elif not self._inbox.idle:
            self._inbox.put(message)
        elif message == _PONG:
            self.schedule_ping()
        elif not (isinstance(message, str) and message.startswith(_EVENT) and self.path.hot(self, message[1:])):
            self._inbox.put(message)

    def lost(self) -> None:
        """See `wire.Owner`."""
        if self.upgraded:
            self._inbox.put(None)
        else:
            # An upgrade that came to nothing: polling goes on.
            self.upgrading, self.wire = False, None

    def overflowed(self) -> None:
        """See `wire.Owner`."""
        self.path.overflowed(self)

    # --- its inbox, and whoever else cannot follow ----------------------------------------------------------------

    def pause(self) -> None:
        """Read no further for now."""
        if self.wire is not None:
            self.wire.pause()

    def resume(self) -> None:
        """Read on."""
        if self.wire is not None:
            self.wire.start()

    def handle(self, message: Message) -> None:
        """One Engine.IO packet, or the end. What is no packet is a message that makes no sense, and is told so."""
        if message is None:
            self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            return
        if isinstance(message, str) and message[:1] in _PACKET_TYPES:
            kind, data = int(message[0]), message[1:]
        else:
            kind, data = engineio_packet.MESSAGE, message  # type: ignore[assignment]
        try:
            if kind == engineio_packet.MESSAGE:
                self.server._trigger_event("message", self.sid, data, run_async=False)  # noqa: SLF001
            else:
                self.receive(engineio_packet.Packet(kind, data))
        except (exceptions.UnknownPacketError, exceptions.SocketIsClosedError):
            pass
        except Exception:
            # A fault of ours ends this connection alone, at the boundary where its greenlet would die of it.
            log.exception("connection failed: connection=%s", self.sid)
            self.close(wait=False, abort=True)

    # --- inside -------------------------------------------------------------------------------------------------

    def _declined(self, start_response: Callable[..., Any], status: str, text: bytes) -> list[bytes]:
        if not self.connected:
            super().close(wait=False, abort=True)
        start_response(status, [("Content-Type", "text/plain"), ("Connection", "close")])
        return [text]

    def _wire_ended(self) -> None:
        self.path.websockets.pop(self, None)

    def _forget_request(self) -> None:
        """Of what the library keeps for as long as the connection lasts, keep what somebody may ask for."""
        if (environ := self.path.environs.get(self.sid)) is not None:
            self.path.environs[self.sid] = {name: environ[name] for name in KEPT if name in environ}

    def _upgrade(self, message: str | bytes) -> None:
        if message == _PROBE and not self._probed:
            self._probed = True
            self._now(engineio_packet.Packet(engineio_packet.PONG, data="probe"))
            # Ends the poll that is on its way.
            self.queue.put(engineio_packet.Packet(engineio_packet.NOOP))
        elif message == _UPGRADE and self._probed:
            self.upgrading = False
            self._open()
        elif self.wire is not None:
            self.wire.finish(framing.PROTOCOL_ERROR)
            self.wire.cut()
            self.lost()

    def _open(self) -> None:
        """From now on packets go straight to the wire; those that waited for it go first."""
        self.upgraded = True
        self.path.batch.epoch.number += 1
        for parts in self.queue.drain():
            if self.wire is not None and parts[0].packet_type != engineio_packet.NOOP:
                self.wire.write(frames(parts), [(len(parts), told_of(parts[0]))])
        # For a poll that still waits.
        self.queue.put(engineio_packet.Packet(engineio_packet.NOOP))

    def _now(self, pkt: Any) -> None:
        if self.wire is not None:
            self.wire.write(encoded(pkt))


def encoded(pkt: Any) -> bytes:
    """An Engine.IO packet as a websocket frame."""
    data = pkt.encode()
    return framing.frame(framing.BINARY, data) if isinstance(data, bytes) else framing.text(data)


def frames(packets: Iterable[Any]) -> bytes:
    """Engine.IO packets as websocket frames, one after the other."""
    return b"".join(map(encoded, packets))
