"""The stock websocket driver, made fair: it writes whole frames, reads no further ahead than the relay follows, and
can be cut.

The driver below (simple-websocket) was made for threads with blocking sockets. Under gevent its writes may be cut short
by a full socket buffer, two of them may mix, and one peer that sends without pause would keep the hub for itself.
"""

from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

import gevent
import simple_websocket
from engineio.async_drivers import gevent as engineio_gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from wsproto.utilities import RemoteProtocolError

from server.fanout.framing import FRAME_BYTES

_READ_AHEAD = 100
"""Messages that may be read and not yet handled; further ones wait in the kernel, and so at their sender."""
_PACKET_TYPES = tuple("0123456")


class WebSocket(engineio_gevent.WebSocketWSGI):  # type: ignore[misc]  # the library is not typed
    """One websocket. It is in `register`, by its Engine.IO socket, for as long as it is served."""

    def __init__(self, register: "MutableMapping[Any, WebSocket]", handler: Any, server: Any) -> None:
        super().__init__(handler, server)
        self.server_args["max_message_size"] = FRAME_BYTES
        self._register = register

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the connection until it ends. A handshake that is none is answered with 400."""
        owner = self.app.__self__
        try:
            self.ws = _Frames(environ, **self.server_args)
        except (RemoteProtocolError, ConnectionError):
            if not owner.connected:
                owner.close(wait=False, abort=True)
            start_response("400 Bad Request", [("Content-Type", "text/plain"), ("Connection", "close")])
            return [b"this is no websocket handshake\n"]
        self._register[owner] = self
        try:
            return list(self.app(self))
        finally:
            del self._register[owner]
            self.ws.follow(to_the_end=True)

    def wait(self) -> str | bytes | None:
        """The next frame. One that is no Engine.IO packet would end the stream with an HTTP error in its midst."""
        if self.ws.input_buffer:
            # What the last frame has set going comes before the next one: no sender delays the others.
            gevent.sleep(0)
        frame: str | bytes | None = super().wait()
        self.ws.follow()
        return "4" + frame if isinstance(frame, str) and frame[:1] not in _PACKET_TYPES else frame

    def close(self) -> None:
        """Say goodbye, where anybody still listens."""
        with suppress(OSError):
            super().close()

    def cut(self) -> None:
        """End the TCP connection, so that a writer that waits for its peer wakes up."""
        with suppress(OSError):
            self.ws.sock.shutdown(2)


class _Frames(simple_websocket.Server):  # type: ignore[misc]  # the library is not typed
    """The protocol, over a socket that takes turns."""

    def handshake(self) -> None:
        self.sock: Any = _Socket(self.sock, self.input_buffer)
        super().handshake()

    def follow(self, *, to_the_end: bool = False) -> None:
        """Messages have been taken out of the buffer; nobody takes more after `to_the_end`."""
        if to_the_end or len(self.input_buffer) < _READ_AHEAD:
            self.sock.room.set()


class _Socket:
    """A socket whose writes are whole and one at a time, and whose reader waits while too much is unread."""

    def __init__(self, sock: Any, unread: list[Any]) -> None:
        self._sock = sock
        self._unread = unread
        self._writing = BoundedSemaphore()
        self.room = Event()

    def send(self, data: bytes) -> int:
        """Write all of `data`. Raises `OSError`."""
        with self._writing:
            self._sock.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        """At most `size` bytes."""
        # A socket that always has something to read would never give the turn away.
        gevent.sleep(0)
        if len(self._unread) >= _READ_AHEAD:
            self.room.clear()
            self.room.wait()
        return bytes(self._sock.recv(size))

    def shutdown(self, how: int) -> None:
        """End it in the directions `how`."""
        self._sock.shutdown(how)

    def close(self) -> None:
        """Give it back."""
        self._sock.close()
