"""A TCP proxy that behaves as badly as a network can: between an agent and its relay, on loopback.

    with FaultProxy(relay_port) as proxy:           # the agent connects to proxy.port
        proxy.shape(up=Flow(hold=True), down=Flow(hold=True))     # a partition
        proxy.clear()                                              # it heals: what was sent meanwhile arrives

A TCP stream with a hole in it cannot be continued. So a connection of which bytes were swallowed is reset when the
fault ends, as a router does that has forgotten it.
"""

import asyncio
import math
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK_BYTES = 16_384
_QUEUE_CHUNKS = 64
_PIECES_PER_S = 50
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CONTROL_S = 10.0


class Way(Enum):
    """A direction: up is from the agent to the relay."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True)
class Flow:
    """How one direction behaves. By default it passes everything at once."""

    hold: bool = False
    """Nothing moves, nothing is lost: a partition that may heal."""
    swallow: bool = False
    """Bytes are taken and lost, and so is the end of the connection."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """On top of the delay, at random; the order stays."""
    bytes_per_s: float = math.inf


PASS = Flow()


@dataclass
class Tally:
    """What has gone through one direction, in bytes."""

    passed: int = 0
    swallowed: int = 0


@dataclass(eq=False)
class _Connection:
    near: socket.socket
    """The agent's side."""
    far: socket.socket
    """The relay's side."""
    torn: bool = False
    """Bytes of it are lost: it has no future."""
    connecting: "asyncio.Task[None] | None" = None
    takers: "dict[Way, asyncio.Task[None]]" = field(default_factory=dict)
    givers: "dict[Way, asyncio.Task[None]]" = field(default_factory=dict)

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        started = [self.connecting] if self.connecting is not None else []
        return [*started, *self.takers.values(), *self.givers.values()]


class FaultProxy:
    """Listens on 127.0.0.1 and passes connections on to `target_port`. Its methods are safe on any thread."""

    def __init__(
        self, target_port: int, *, seed: int = 0, listen: "Callable[[int], socket.socket] | None" = None
    ) -> None:
        """`listen` makes the listening socket for a port (0: any), such as one in another network namespace."""
        self.target_port = target_port
        self._listen = listen or listen_here
        self.tally = {way: Tally() for way in Way}
        self.connections_made = 0
        self.on_bytes: Callable[[Way, int], None] = lambda way, count: None
        """Called on the proxy's thread before bytes are passed on. Must not block for long."""
        self._rng = random.Random(seed)
        self._flows = {Way.UP: PASS, Way.DOWN: PASS}
        self._connections: set[_Connection] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._thread.start()
        self.port = 0
        self.accept()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def shape(self, up: Flow = PASS, down: Flow = PASS) -> None:
        """How both directions behave from now on; open connections are concerned as well."""

        async def change() -> None:
            self._flows = {Way.UP: up, Way.DOWN: down}
            self._changed.set()
            self._changed = asyncio.Event()
            if not (up.swallow or down.swallow):
                await self._end([torn for torn in self._connections if torn.torn], abruptly=True)

        self._control(change())

    def clear(self) -> None:
        """A good network again."""
        self.accept()
        self.shape()

    def reset(self) -> None:
        """Both sides of every connection get a reset."""

        async def end() -> None:
            await self._end(list(self._connections), abruptly=True)

        self._control(end())

    def half_open(self) -> None:
        """The relay's side of every connection ends; the agent's side hears nothing, until `clear` or `reset`."""

        async def end() -> None:
            for connection in self._connections:
                connection.torn = True
                await _cancel(task for task in connection.tasks if task is not connection.takers.get(Way.UP))
                _close(connection.far, abruptly=True)

        self._control(end())

    def refuse(self) -> None:
        """New connections are refused."""

        async def stop() -> None:
            if self._listener is not None:
                self._loop.remove_reader(self._listener)
                self._listener.close()
                self._listener = None

        self._control(stop())

    def accept(self) -> None:
        """New connections are taken."""

        async def start() -> None:
            if self._listener is None:
                self._listener = self._listen(self.port)
                self._listener.setblocking(False)
                self.port = self._listener.getsockname()[1]
                # No task: one that is cancelled may just have accepted a connection, which then belongs to nobody.
                self._loop.add_reader(self._listener, self._accept, self._listener)

        self._control(start())

    def close(self) -> None:
        """End everything."""
        self.refuse()
        self.reset()

        async def settle() -> None:
            mine = asyncio.current_task()
            await _cancel(task for task in asyncio.all_tasks() if task is not mine)

        self._control(settle())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CONTROL_S)
        self._loop.close()

    def __enter__(self) -> "FaultProxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- on the proxy's thread ----------------------------------------------------------------------------------

    def _control(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CONTROL_S)

    def _accept(self, listener: socket.socket) -> None:
        try:
            near, _ = listener.accept()
        except OSError:
            # It has gone again.
            return
        connection = _Connection(near, socket.socket())
        for side in (connection.near, connection.far):
            side.setblocking(False)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.add(connection)
        connection.connecting = self._start(connection, self._connect(connection))

    def _start(self, connection: _Connection, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(work)
        task.add_done_callback(lambda done: self._ended(connection, done))
        return task

    async def _connect(self, connection: _Connection) -> None:
        near, far = connection.near, connection.far
        await self._loop.sock_connect(far, ("127.0.0.1", self.target_port))
        self.connections_made += 1
        for way, source, sink in ((Way.UP, near, far), (Way.DOWN, far, near)):
            chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_QUEUE_CHUNKS)
            connection.takers[way] = self._start(connection, self._take(connection, way, source, chunks))
            connection.givers[way] = self._start(connection, self._give(connection, way, sink, chunks))

    async def _take(
        self, connection: _Connection, way: Way, source: socket.socket, chunks: "asyncio.Queue[tuple[float, bytes]]"
    ) -> None:
        last_s = 0.0
        while True:
            await self._unless_held(way)
            data = await self._loop.sock_recv(source, _CHUNK_BYTES)
            await self._unless_held(way)
            flow = self._flows[way]
            if flow.swallow or connection.torn:
                # Neither bytes nor the end arrive.
                connection.torn = True
                self.tally[way].swallowed += len(data)
                if not data:
                    return
                continue
            last_s = max(last_s, self._loop.time() + flow.delay_s + self._rng.uniform(0, flow.jitter_s))
            await chunks.put((last_s, data))
            if not data:
                return

    async def _give(
        self, connection: _Connection, way: Way, sink: socket.socket, chunks: "asyncio.Queue[tuple[float, bytes]]"
    ) -> None:
        while True:
            due_s, data = await chunks.get()
            if due_s > self._loop.time():
                await asyncio.sleep(due_s - self._loop.time())
            if not data:
                with suppress(OSError):
                    sink.shutdown(socket.SHUT_WR)
                return
            await self._send(connection, way, sink, data)

    async def _send(self, connection: _Connection, way: Way, sink: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            await self._unless_held(way)
            flow = self._flows[way]
            if flow.swallow or connection.torn:
                connection.torn = True
                self.tally[way].swallowed += len(rest)
                return
            piece = rest
            if flow.bytes_per_s < math.inf:
                piece = rest[: max(1, int(flow.bytes_per_s / _PIECES_PER_S))]
            self.on_bytes(way, len(piece))
            await self._loop.sock_sendall(sink, piece)
            self.tally[way].passed += len(piece)
            rest = rest[len(piece) :]
            if flow.bytes_per_s < math.inf:
                await asyncio.sleep(len(piece) / flow.bytes_per_s)

    async def _unless_held(self, way: Way) -> None:
        while self._flows[way].hold:
            await self._changed.wait()

    def _ended(self, connection: _Connection, task: "asyncio.Task[None]") -> None:
        broken = not task.cancelled() and task.exception() is not None
        if connection.torn or connection not in self._connections:
            return
        # Where one side was reset or cannot be reached, the other one is told in the same way.
        if broken or all(other.done() for other in connection.tasks):
            ending = self._loop.create_task(self._end([connection], abruptly=broken))
            # The loop itself keeps no task alive.
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end(self, connections: list[_Connection], *, abruptly: bool) -> None:
        for connection in connections:
            self._connections.discard(connection)
            # Before their sockets are closed: a descriptor that is reused must not be waited for by an old task.
            await _cancel(connection.tasks)
            for side in (connection.near, connection.far):
                _close(side, abruptly=abruptly)


async def _cancel(tasks: "Iterable[asyncio.Task[None]]") -> None:
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)


def listen_here(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(64)
    return listener


def _close(side: socket.socket, *, abruptly: bool) -> None:
    with suppress(OSError):
        if abruptly:
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    side.close()
