"""One websocket on a socket that never blocks, served by the hub's watchers: no greenlet, no queue while it keeps up.

Bytes are written where they arise. What the kernel does not take waits here, within bounds, and goes first.
"""

import _socket
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import gevent

from server.fanout import framing
from server.fanout.framing import CLOSE, PING, PONG, FrameReader, Violation

log = logging.getLogger(__name__)

_READ, _WRITE = 1, 2
_READ_BYTES = 64 * 1024


class Owner(Protocol):
    """Who a wire tells. It is called on the hub and must not block."""

    def took(self, message: str | bytes) -> None:
        """A message came."""

    def lost(self) -> None:
        """No further message will come. Called once."""

    def overflowed(self) -> None:
        """More is unsent than may be; it has been thrown away. Called once."""


class Epoch:
    """Counts the changes that make a list of ready wires wrong."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


class Wire:
    """A websocket after its handshake. It owns the file descriptor."""

    __slots__ = (
        "_bound_bytes",
        "_bound_events",
        "_epoch",
        "_frames",
        "_over",
        "_owner",
        "_pending",
        "_reading",
        "_sock",
        "_writing",
        "closing",
        "ended",
        "send",
        "unsent_bytes",
    )

    def __init__(
        self, sock: Any, owner: Owner, bounds: tuple[int, int], epoch: Epoch, ended: Callable[[], None]
    ) -> None:
        """Take over `sock`, a gevent socket; `bounds` are of writes and bytes that wait.

        `ended()` is called when the descriptor has been closed.
        """
        # The socket of the C library: it lacks what gevent keeps per socket, and its send() is the system call.
        self._sock = _socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._sock.setblocking(False)  # noqa: FBT003
        self.send = self._sock.send
        self._owner = owner
        self._bound_events, self._bound_bytes = bounds
        self._epoch = epoch
        self._frames = FrameReader()
        self._pending: deque[bytes] | None = None
        self._writing: Any = None
        self._reading: Any = None
        self._over = False
        self.unsent_bytes = 0
        self.closing = False
        self.ended: Callable[[], None] | None = ended

    def start(self) -> None:
        """Read."""
        if self.ended is None:
            return
        if self._reading is None:
            self._reading = gevent.get_hub().loop.io(self._sock.fileno(), _READ)
        self._reading.start(self._readable)

    def pause(self) -> None:
        """Read no further: what comes waits in the kernel, and so at its sender."""
        if self._reading is not None:
            self._reading.stop()

    @property
    def unsent(self) -> int:
        """Writes that wait."""
        return len(self._pending) if self._pending is not None else 0

    @property
    def ready(self) -> bool:
        """Whether `send` may be used past this object, until the epoch changes."""
        return self._pending is None and not self.closing and not self._over

    def sent(self, data: bytes, count: int) -> None:
        """`send` was used, and took but `count` bytes; -1 where it raised `OSError`."""
        if count < 0:
            self._lost()
        else:
            self._hold(data[count:])

    # --- out ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send whole frames, now or when what waits has gone. Of one that has overflowed nothing more is kept."""
        if not self.closing and not self._over:
            self.tell(data)

    def tell(self, data: bytes) -> None:
        """Send frames, the last ones after an overflow too."""
        if self._pending is None:
            try:
                sent = self.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._lost()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._hold(data)

    def _hold(self, data: bytes) -> None:
        """Keep what the kernel did not take."""
        if self.ended is None:
            return
        if self._pending is None:
            self._epoch.number += 1
            self._pending = deque()
            self._writing = self._writing or gevent.get_hub().loop.io(self._sock.fileno(), _WRITE)
            self._writing.start(self._writable)
        self._pending.append(data)
        self.unsent_bytes += len(data)
        if not self._over and (len(self._pending) > self._bound_events or self.unsent_bytes > self._bound_bytes):
            # The first may be half a frame by now: without its end nothing could be said any more.
            self._pending = deque((self._pending[0],))
            self.unsent_bytes = len(self._pending[0])
            self._over = True
            self._owner.overflowed()

    def finish(self, code: int = framing.NORMAL) -> None:
        """Say goodbye after all that waits. The peer closes then; `cut` is for one that does not."""
        if not self.closing:
            self.tell(framing.close(code))
            self.closing = True
            self._epoch.number += 1

    def cut(self) -> None:
        """Close the connection at once."""
        if self.ended is None:
            return
        for watcher in (self._reading, self._writing):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._reading = self._writing = self._pending = None
        self.unsent_bytes = 0
        self.closing = True
        self._epoch.number += 1
        ended, self.ended = self.ended, None
        self._sock.close()
        ended()

    def _writable(self) -> None:
        pending = self._pending
        while pending:
            data = pending[0]
            try:
                sent = self.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._lost()
                return
            self.unsent_bytes -= sent
            if sent < len(data):
                pending[0] = data[sent:]
                return
            pending.popleft()
        self._pending = None
        self._epoch.number += 1
        self._writing.stop()

    # --- in -----------------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        try:
            for opcode, payload in self._frames.feed(data):
                if opcode == PING:
                    self.write(framing.frame(PONG, bytes(payload) if isinstance(payload, bytes) else b""))
                elif opcode == CLOSE:
                    self.finish()
                    self._lost()
                    return
                elif opcode != PONG and not self.closing:
                    self._owner.took(payload)
        except Violation as violation:
            self.finish(violation.code)
            self._lost()
        except Exception:
            # A fault of ours, at the boundary to the loop, which would only print it.
            log.exception("websocket failed")
            self._lost()

    def _lost(self) -> None:
        """Nothing more comes in. What still waits to go out has a last chance if it was asked to go."""
        if self.ended is not None:
            self.cut()
            self._owner.lost()
