"""A connection that another worker holds. To the libraries it is a socket like the others of this process.

What is sent to it is handed to its carrier, which knows how to reach that worker; see `server.cluster`.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from engineio import packet as engineio_packet

from server.fanout.inbox import Inbox, Message
from server.fanout.wire import Wire

if TYPE_CHECKING:
    from server.fanout.slow import Lag

log = logging.getLogger(__name__)

Data = str | bytes
"""The data of an Engine.IO message: a Socket.IO packet, or an attachment of one."""
Room = tuple[str, str]
"""Namespace and name."""


class Carrier(Protocol):
    """A worker that holds connections. What it is told it does in the order in which it is told; nothing blocks."""

    def say(self, sid: str, data: Data) -> None:
        """Send a message to one connection."""

    def cast(self, rooms: Sequence[Room], skip: Sequence[str], data: Sequence[Data]) -> None:
        """Send messages to every connection in one of `rooms`, once, but those in `skip`."""

    def put_in(self, room: Room, sid: str) -> None:
        """Put a connection into a room."""

    def take_out(self, room: Room, sid: str) -> None:
        """Take it out."""

    def read(self, sid: str, *, on: bool) -> None:
        """Read on, or read no further for now."""

    def drained(self, sid: str) -> bool:
        """Wait until a connection has taken most of what was sent to it. False when it has gone. Blocks."""

    def end(self, sid: str) -> None:
        """End a connection."""


class Far:
    """One Engine.IO connection, of which only the messages come here."""

    wire: Wire | None = None
    connected = True
    upgraded = True

    def __init__(
        self,
        sid: str,
        server: Any,
        carrier: Carrier,
        hot: Callable[["Far", str], bool],
        after_hot: Callable[["Far", Callable[[], None]], bool],
    ) -> None:
        """`server` is the Engine.IO server; `hot` and `after_hot` are as in `server.fanout.path.Path`."""
        self.sid = sid
        self.carrier = carrier
        self.closing = self.closed = False
        self.lag: Lag | None = None
        """How far it is behind, as its worker last said."""
        self._server = server
        self._hot = hot
        self._inbox = Inbox(self, partial(after_hot, self))

    # --- what the libraries call ----------------------------------------------------------------------------------

    def send(self, pkt: Any) -> None:
        """Send a packet. Whether anybody is there is asked by the worker that holds the connection."""
        if not self.closed and pkt.packet_type == engineio_packet.MESSAGE:
            self.carrier.say(self.sid, pkt.data)

    def check_ping_timeout(self) -> bool:
        """See `send`."""
        return True

    def close(self, wait: bool = True, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        """End the connection and tell the doors. `abort`: the other worker knows. Blocks only as they do."""
        if self.closed or self.closing:
            return
        self.closing = True
        why = reason or self._server.reason.SERVER_DISCONNECT
        self._server._trigger_event("disconnect", self.sid, why, run_async=False)  # noqa: SLF001
        self.closed = True
        if not abort:
            self.carrier.end(self.sid)
        self._server.sockets.pop(self.sid, None)

    # --- what its carrier calls -----------------------------------------------------------------------------------

    def took(self, data: Data) -> None:
        """A message came."""
        if not (self._inbox.idle and isinstance(data, str) and data[:1] == "2" and self._hot(self, data)):
            self._inbox.put(data)

    def lost(self) -> None:
        """No further message will come."""
        self._inbox.put(None)

    # --- its inbox, and the hot lane ------------------------------------------------------------------------------

    def say(self, *messages: str) -> None:
        """Send messages; nothing where the connection has ended."""
        if not self.closed:
            for message in messages:
                self.carrier.say(self.sid, message)

    def pause(self) -> None:
        """Read no further for now."""
        self.carrier.read(self.sid, on=False)

    def resume(self) -> None:
        """Read on."""
        self.carrier.read(self.sid, on=True)

    def handle(self, message: Message) -> None:
        """One message, or the end."""
        if message is None:
            self.close(abort=True, reason=self._server.reason.TRANSPORT_CLOSE)
            return
        try:
            self._server._trigger_event("message", self.sid, message, run_async=False)  # noqa: SLF001
        except Exception:
            # A fault of ours ends this connection alone, at the boundary where its greenlet would die of it.
            log.exception("connection failed: connection=%s", self.sid)
            self.close()
