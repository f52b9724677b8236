"""One websocket on a socket that never blocks, served by the hub's watchers: no greenlet, no queue while it keeps up.

Bytes are written where they arise. What the kernel does not take waits in a backlog, within bounds, and goes first. A
frame of which the kernel took a part stays whole, whatever becomes of those behind it.
"""

import _socket
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import gevent

from server.fanout import framing
from server.fanout.backlog import Backlog, Gap, Terms, Told
from server.fanout.framing import CLOSE, PING, PONG, FrameReader, Violation

log = logging.getLogger(__name__)

_READ, _WRITE = 1, 2
_READ_BYTES = 64 * 1024
_MESSAGE = "4"
"""Of Engine.IO."""

Pieces = Sequence[tuple[int, Told | None]]
"""What some frames are: so many of them are that event."""


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
        "_begun",
        "_epoch",
        "_frames",
        "_holding",
        "_over",
        "_owner",
        "_reading",
        "_sock",
        "_terms",
        "_writing",
        "backlog",
        "closing",
        "ended",
        "send",
    )

    def __init__(self, sock: Any, owner: Owner, terms: Terms, epoch: Epoch, ended: Callable[[], None]) -> None:
        """Take over `sock`, a gevent socket. `ended()` is called when the descriptor has been closed."""
        # The socket of the C library: it lacks what gevent keeps per socket, and its send() is the system call.
        self._sock = _socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._sock.setblocking(False)  # noqa: FBT003
        self.send = self._sock.send
        self._owner = owner
        self._terms = terms
        self._epoch = epoch
        self._frames = FrameReader()
        self._begun = b""
        self._holding = False
        self.backlog: Backlog[bytes] | None = None
        """None where it always kept up."""
        self._writing: Any = None
        self._reading: Any = None
        self._over = False
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
        """Events that wait."""
        return bool(self._begun) + (self.backlog.events if self.backlog is not None else 0)

    @property
    def unsent_bytes(self) -> int:
        """How much waits."""
        return len(self._begun) + (self.backlog.bytes if self.backlog is not None else 0)

    @property
    def ready(self) -> bool:
        """Whether `send` may be used past this object, until the epoch changes."""
        return not self._holding and not self.closing and not self._over

    def sent(self, data: bytes, count: int, pieces: Pieces | None = None) -> None:
        """`send` was used, and took but `count` bytes; -1 where it raised `OSError`."""
        if count < 0:
            self._lost()
        else:
            self._hold(data, count, pieces)

    # --- out ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes, pieces: Pieces | None = None) -> None:
        """Send whole frames, now or when what waits has gone. Of one that has overflowed nothing more is kept."""
        if not self.closing and not self._over:
            self.tell(data, pieces)

    def tell(self, data: bytes, pieces: Pieces | None = None) -> None:
        """Send frames, the last ones after an overflow too."""
        sent = 0
        if not self._holding:
            try:
                sent = self.send(data)
            except BlockingIOError:
                pass
            except OSError:
                self._lost()
                return
            if sent == len(data):
                return
        self._hold(data, sent, pieces)

    def _hold(self, data: bytes, sent: int, pieces: Pieces | None) -> None:
        """Keep what the kernel did not take: all but the first `sent` bytes."""
        if self.ended is None:
            return
        if (backlog := self.backlog) is None:
            backlog = self.backlog = Backlog(self._terms, _notice)
        if not self._holding:
            self._epoch.number += 1
            self._holding = True
            backlog.begin()
            self._writing = self._writing or gevent.get_hub().loop.io(self._sock.fileno(), _WRITE)
            self._writing.start(self._writable)
        for start, end, told in _units(data, pieces):
            if end <= sent:
                continue
            if start < sent:
                # Half of it is there by now: without its end nothing could be said any more.
                self._begun = data[sent:end]
            elif not backlog.add(data[start:end], end - start, told):
                self.give_up()
                return

    def give_up(self) -> None:
        """It is too slow: nothing that waits is sent any more, but for what is told after this."""
        if not self._over:
            self._over = True
            self._epoch.number += 1
            if self.backlog is not None:
                self.backlog.clear()
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
        self._reading = self._writing = self.backlog = None
        self._begun = b""
        self.closing = True
        self._epoch.number += 1
        ended, self.ended = self.ended, None
        self._sock.close()
        ended()

    def _writable(self) -> None:
        backlog = self.backlog
        if backlog is None:
            return
        while data := self._begun or backlog.take():
            self._begun = data
            try:
                sent = self.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._lost()
                return
            self._begun = data[sent:]
            backlog.moved()
            if self._begun:
                return
        backlog.rest()
        self._holding = False
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


def _notice(gap: Gap) -> bytes:
    return framing.text(_MESSAGE + gap.text())


def _units(data: bytes, pieces: Pieces | None) -> Iterator[tuple[int, int, Told | None]]:
    """Where in `data` each event begins and ends."""
    if pieces is None:
        yield 0, len(data), None
        return
    start = 0
    for count, told in pieces:
        end = start
        for _ in range(count):
            end += framing.length(data, end)
        yield start, end, told
        start = end
