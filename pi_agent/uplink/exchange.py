"""The connections of many agents in one process: one thread reads them all, a few open them.

A `Link` alone has two threads of the library; a thousand of them would have two thousand.
"""

import queue
import selectors
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import socketio
import websocket
from engineio import base_client
from engineio.packet import CLOSE, Packet

from pi_agent.uplink.link import Engine, Inbox, Link, Lost, Receive
from pi_agent.uplink.verdict import LinkDown
from shared.clock import Clock, monotonic_s

_SWEEP_S: Final = 1.0
_GOODBYE_S: Final = 1.0
"""How long a connection that was closed may wait for the other side's word."""
_RESET: Final = struct.pack("ii", 1, 0)


class Exchange:
    """Where the shared threads are. `close` ends them."""

    def __init__(self, clock: Clock, openers: int = 4) -> None:
        self._clock = clock
        self._to_open: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._selector = selectors.DefaultSelector()
        self._asked: deque[Callable[[], None]] = deque()
        self._closing = False
        self._bell, self._ear = socket.socketpair()
        for end in (self._bell, self._ear):
            end.settimeout(0)
        self._selector.register(self._ear, selectors.EVENT_READ)
        self._watched: dict[int, SharedEngine] = {}
        self._swept_s = 0.0
        self._threads = [threading.Thread(target=self._read, name="exchange", daemon=True)]
        for number in range(openers):
            self._threads.append(threading.Thread(target=self._open, name=f"opener-{number}", daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Let go of every connection."""
        self._closing = True
        for _ in self._threads[1:]:
            self._to_open.put(None)
        self._ring()
        self._threads[0].join(_GOODBYE_S)

    @property
    def alive(self) -> bool:
        """True while somebody reads."""
        return self._threads[0].is_alive()

    # --- for connections ----------------------------------------------------------------------------------------

    def open(self, work: Callable[[], None]) -> None:
        """Have `work`, which may block for seconds, done soon."""
        self._to_open.put(work)

    def watch(self, engine: "SharedEngine") -> None:
        """Have `engine` read what comes, from now on."""
        self._ask(lambda: self._add(engine))

    def end(self, engine: "SharedEngine", why: str) -> None:
        """End `engine` at once."""
        self._ask(lambda: self._end(engine, why))

    def end_soon(self, engine: "SharedEngine") -> None:
        """End `engine` unless the other side does so first."""
        end_s = monotonic_s(self._clock) + _GOODBYE_S
        self._ask(lambda: engine.end_by(end_s))

    # --- the reading thread -------------------------------------------------------------------------------------

    def _ask(self, what: Callable[[], None]) -> None:
        self._asked.append(what)
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):  # it rings already, or nobody is there any more
            self._bell.send(b"!")

    def _read(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(_SWEEP_S):
                if (engine := self._watched.get(key.fd)) is None:
                    with suppress(BlockingIOError):
                        self._ear.recv(4096)
                elif (why := engine.take(monotonic_s(self._clock))) is not None:
                    self._end(engine, why)
            while self._asked:
                self._asked.popleft()()
            self._sweep()
        for engine in list(self._watched.values()):
            self._end(engine, "the process ends")
        self._selector.close()
        for end in (self._bell, self._ear):
            end.close()

    def _add(self, engine: "SharedEngine") -> None:
        if engine.state != "connected" or (fd := engine.begin(monotonic_s(self._clock))) < 0:
            return
        self._watched[fd] = engine
        self._selector.register(fd, selectors.EVENT_READ)
        # TLS may have read ahead what the selector will never tell of.
        if (why := engine.take(monotonic_s(self._clock))) is not None:
            self._end(engine, why)

    def _sweep(self) -> None:
        now = monotonic_s(self._clock)
        if now - self._swept_s < _SWEEP_S:
            return
        self._swept_s = now
        for engine in [engine for engine in self._watched.values() if now > engine.deadline_s]:
            self._end(engine, "the relay says nothing any more")

    def _end(self, engine: "SharedEngine", why: str) -> None:
        # Only here are sockets closed: a number that is free again may be another one's in the next moment. So it may
        # be by now, where `engine` is ended once more: who cuts it need not know.
        if self._watched.get(engine.fd) is engine:
            del self._watched[engine.fd]
            self._selector.unregister(engine.fd)
        engine.ended(why)

    def _open(self) -> None:
        while (work := self._to_open.get()) is not None:
            work()


class SharedEngine(Engine):
    """A connection without threads: it is read when there is something, and written at once."""

    exchange: Exchange
    fd: int = -1
    deadline_s: float = float("inf")
    """When the other side must have said something."""
    _leaving: bool = False

    def begin(self, now_s: float) -> int:
        """From now on nothing waits for this socket. Returns its number, -1 where it is closed already."""
        if self.ws is None or self.ws.sock is None:
            return -1
        self.ws.settimeout(0)
        self.fd = self.ws.sock.fileno()
        self._heard(now_s)
        return self.fd

    def take(self, now_s: float) -> str | None:
        """Read what has come. Returns why there will be no more, None while there may."""
        self._heard(now_s)
        try:
            while self.state == "connected":
                text = self.ws.recv()
                if not text:
                    return "the relay closed the connection"
                packet = Packet(encoded_packet=text)
                if packet.packet_type == CLOSE:
                    return "the relay closed the connection"
                self._receive_packet(packet)
        except (BlockingIOError, websocket.WebSocketTimeoutException):
            return None
        except Exception as error:
            # TLS says so in its own words; `ssl` itself is not loaded where nobody needs it.
            if type(error).__name__ == "SSLWantReadError":
                return None
            # As in the library: whatever was wrong, this connection ends, and the uplink hears of it.
            return str(error) or type(error).__name__
        return "it was closed here"

    def end_by(self, end_s: float) -> None:
        """The other side has until then to end it."""
        self._leaving = True
        self.deadline_s = min(self.deadline_s, end_s)

    def ended(self, why: str) -> None:
        """No more comes: let go of the socket, and say so."""
        if self.ws is not None and self.ws.sock is not None:
            with suppress(OSError):
                self.ws.shutdown()
        if self.state == "connected":
            self._trigger_event("disconnect", why, run_async=False)
            with suppress(ValueError):
                base_client.connected_clients.remove(self)
            self._reset()

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if target == self._write_loop:
            while not self.queue.empty():
                self._write(self.queue.get_nowait())
            return None
        if target == self._read_loop_websocket:
            self.exchange.watch(self)
            return None
        return super().start_background_task(target, *args, **kwargs)

    def disconnect(self, *_: object, **__: object) -> None:
        """End it; the library's own would wait for the other side."""
        self.exchange.end(self, "the relay closed the connection")

    def _send_packet(self, packet: Packet) -> None:
        if self.state != "connected":
            return
        if self.ws is None:
            self.queue.put(packet)  # the handshake is under way
        else:
            self._write(packet)

    def _write(self, packet: Packet) -> None:
        try:
            self.ws.send(packet.encode())
        except (websocket.WebSocketException, OSError, AttributeError) as error:
            # A socket whose buffer is full is no use any more either: nobody reads on the other side.
            self.exchange.end(self, str(error) or type(error).__name__)

    def _heard(self, now_s: float) -> None:
        if not self._leaving:
            self.deadline_s = now_s + self.ping_interval + self.ping_timeout


class _SharedClient(socketio.Client):  # type: ignore[misc]
    def _engineio_client_class(self) -> type[SharedEngine]:
        return SharedEngine


class SharedLink(Link):
    """A `Link` that has no threads. `open` returns at once: that it failed comes as `Lost`."""

    client = _SharedClient

    def __init__(
        self, url: str, hello: Mapping[str, Any], inbox: Inbox, receive: Receive, *, exchange: Exchange
    ) -> None:
        super().__init__(url, hello, inbox, receive)
        self._exchange = exchange
        self._engine: SharedEngine = self._client.eio
        self._engine.exchange = exchange
        self._closed = threading.Event()

    def open(self) -> None:
        """Have the relay reached, on another thread."""
        self._exchange.open(self._open)

    def close(self) -> None:
        """Say goodbye, as far as somebody listens. Never raises."""
        self._closed.set()
        ws = self._engine.ws
        if ws is None or ws.sock is None:
            return
        with suppress(OSError, AttributeError, websocket.WebSocketException):
            ws.send_close()
            ws.sock.shutdown(socket.SHUT_WR)
        self._exchange.end_soon(self._engine)

    def cut(self) -> None:
        """End it as a network does: without a word, and with what was on its way."""
        self._closed.set()
        ws = self._engine.ws
        with suppress(OSError, AttributeError):
            ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._exchange.end(self._engine, "the link was cut")

    def _open(self) -> None:
        if self._closed.is_set():
            return
        try:
            super().open()
        except LinkDown as error:
            self._inbox(Lost(self, f"cannot be reached: {error}"))
        if self._closed.is_set():
            # Nobody waited for it any longer.
            self.close()
