"""The load generator counts what it was sent, neither more nor less, whoever sends it."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.bench.fanout.contestants import Contestant, compiler
from tests.bench.fanout.rounds import Load, crowd, play
from tests.bench.fanout.servers import Server
from tests.support.processes import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(compiler() is None, reason="the load generator needs a C compiler"),
]

OURS = Contestant("ours", [sys.executable, "-m", "tests.bench.fanout.ours", "direct"])
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


@pytest.fixture(scope="module", autouse=True)
def built_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is built for the tests leaves nothing in anybody's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def frame(text: str) -> bytes:
    data = text.encode()
    return bytes((0x81, 126)) + len(data).to_bytes(2, "big") + data


def event(number: int) -> str:
    """One event, sent now."""
    body = {"clock": {"monotonic_ns": time.monotonic_ns()}, "id": number, "text": "x" * 200}
    return "42/client," + json.dumps(["sensor_data_pub_client", body], separators=(",", ":"))


@dataclass
class Subscriber:
    """A member of the crowd, seen from its server."""

    conn: socket.socket
    port: int
    polling: bool
    heard: bytes = b""

    def until(self, pattern: bytes) -> None:
        """Read until something came."""
        while not (found := re.search(pattern, self.heard, re.DOTALL)):
            data = self.conn.recv(65536)
            assert data, "the crowd has gone"
            self.heard += data
        self.heard = self.heard[found.end() :]

    def come(self) -> None:
        if self.polling:
            self.until(rb"GET .*?\r\n\r\n")
            self.answer('0{"sid":"p"}')
            self.until(rb"POST .*?\r\n\r\n40/client,")
            self.answer("ok")
            self.until(rb"GET .*?sid=p .*?\r\n\r\n")
            self.answer('40/client,{"sid":"x"}')
            self.until(rb"GET .*?sid=p .*?\r\n\r\n")
        else:
            self.until(rb"GET .*?\r\n\r\n")
            self.conn.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame('0{"sid":"w"}'))
            self.until(rb"40/client,")
            self.conn.sendall(frame('40/client,{"sid":"x"}'))

    def answer(self, body: str) -> None:
        self.conn.sendall(HEAD % (len(body), body.encode()))

    def send(self, numbers: Sequence[int]) -> None:
        """Send events, and wait until all have been counted: a ping is answered after what came before it."""
        if self.polling:
            self.answer("\x1e".join([*map(event, numbers), "2"]))
            self.until(rb"POST .*?\r\n\r\n3")
        else:
            data = b"".join(frame(event(number)) for number in numbers) + frame("2")
            for at in range(0, len(data), 1000):  # frames end where no piece does
                self.conn.sendall(data[at : at + 1000])
            self.until(rb"\x81\x81\0\0\0\x003")


@dataclass
class TinyServer:
    """Some ports of loopback, and who came to them."""

    polling: bool = False
    listeners: list[socket.socket] = field(default_factory=list)
    subscribers: list[Subscriber] = field(default_factory=list)

    def listen(self) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        self.listeners.append(listener)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()
        return int(listener.getsockname()[1])

    def _serve(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            subscriber = Subscriber(conn, port, self.polling)
            subscriber.come()
            self.subscribers.append(subscriber)


@contextmanager
def tiny_server(*, polling: bool = False, ports: int = 1) -> Iterator[tuple[TinyServer, list[int]]]:
    server = TinyServer(polling)
    try:
        yield server, [server.listen() for _ in range(ports)]
    finally:
        for listener in server.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for subscriber in server.subscribers:
            subscriber.conn.close()


def counted(scripts: Sequence[Sequence[int]], *, polling: bool = False, ports: int = 1) -> dict[str, Any]:
    """What a crowd reports whose members are sent these events."""
    with (
        tiny_server(polling=polling, ports=ports) as (server, addresses),
        crowd("sio", addresses, len(scripts), len(scripts) if polling else 0) as people,
    ):
        wait_for("all came", lambda: len(server.subscribers) == len(scripts))
        for subscriber, numbers in zip(server.subscribers, scripts, strict=True):
            subscriber.send(numbers)
        people.tell("report")
        report: dict[str, Any] = json.loads(people.line(10))
        assert sum(one.port == addresses[0] for one in server.subscribers) == len(scripts) / ports
        return report


@pytest.mark.parametrize("polling", [False, True], ids=["websocket", "long polling"])
def test_every_delivery_is_counted_once(polling: bool) -> None:
    report = counted([range(1, 101)] * 4, polling=polling)
    assert report["delivered"] == 400
    assert [report[what] for what in ("gaps", "duplicates", "reorders", "closed")] == [0, 0, 0, 0]


@pytest.mark.parametrize("polling", [False, True], ids=["websocket", "long polling"])
@pytest.mark.parametrize(
    ("numbers", "gaps", "duplicates", "reorders"),
    [
        pytest.param([1, 2, 6, 7], 3, 0, 0, id="three lost"),
        pytest.param([1, 2, 2, 2, 3], 0, 2, 0, id="one that came three times"),
        pytest.param([1, 3, 2, 4], 1, 0, 1, id="one that came late"),
        pytest.param([4, 5, 6], 0, 0, 0, id="whoever comes late misses nothing"),
    ],
)
def test_what_is_lost_doubled_or_late_is_counted_apart(
    numbers: list[int], gaps: int, duplicates: int, reorders: int, polling: bool
) -> None:
    report = counted([numbers, [1, 2, 3]], polling=polling)
    assert (report["gaps"], report["duplicates"], report["reorders"]) == (gaps, duplicates, reorders)
    assert report["delivered"] == len(numbers) + 3


def test_subscribers_take_several_addresses_in_turn() -> None:
    assert counted([[1, 2]] * 6, ports=3)["delivered"] == 12


def test_a_connection_that_ends_is_counted() -> None:
    with tiny_server() as (server, ports), crowd("sio", ports, 2) as people:
        wait_for("both came", lambda: len(server.subscribers) == 2)
        server.subscribers[0].conn.close()
        server.subscribers[1].send([1])

        def ended() -> bool:
            people.tell("report")
            return bool(json.loads(people.line(10))["closed"] == 1)

        wait_for("it is counted", ended)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load("steady", 20, 20, seconds=0.5), id="steady"),
        pytest.param(Load("polling", 20, 20, polling=5, seconds=0.5), id="polling"),
        pytest.param(Load("over the wire", 20, 20, wire=True, seconds=0.5), id="over the wire"),
        pytest.param(Load("saturated", 20, in_flight=4, seconds=0.5), id="saturated"),
        pytest.param(Load("commands", 20, 20, commands=20, seconds=0.5), id="commands"),
    ],
)
def test_under_each_load_events_come_in_order_and_commands_have_results(load: Load) -> None:
    outcome = play(OURS, load)
    assert outcome.wrong == 0
    assert outcome.per_s > 0
    assert (outcome.commanded > 0) == (load.commands > 0)


def test_a_contestant_may_be_several_processes_whose_use_is_counted_together() -> None:
    program = (
        "import os, sys\n"
        "child = os.fork()\n"
        "held = b'x' * 30_000_000 if child == 0 else b''\n"
        "if child: print('port 4001 4002', flush=True)\n"
        "sum(range(10**7))\n"
        "os.waitpid(child, 0) if child else sys.stdin.read()\n"
    )
    with closing_server(Contestant("two", [sys.executable, "-c", program])) as server:
        assert server.ports == [4001, 4002]
        wait_for("the child's memory is counted", lambda: server.rss_kb() > 30_000 * 1.2)
        wait_for("both have worked", lambda: server.used_s()[0] > 0)


def test_a_contestant_that_does_not_start_says_why() -> None:
    with pytest.raises(RuntimeError, match="broken did not start: ValueError: no such thing"):
        Server(Contestant("broken", [sys.executable, "-c", "raise ValueError('no such thing')"]))


@contextmanager
def closing_server(contestant: Contestant) -> Iterator[Server]:
    server = Server(contestant)
    try:
        yield server
    finally:
        server.stop()
