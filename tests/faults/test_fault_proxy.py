"""What the proxy promises, over real sockets on loopback."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.fault_proxy import FaultProxy, Flow, Way
from tests.support.processes import wait_for

SOON_S = 5.0
SILENCE_S = 0.15
"""How long nothing may come before we believe that nothing comes."""


class Peer:
    """The far side: takes connections, and is written to and read from by the test."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(SOON_S)
        self.port = self.listener.getsockname()[1]

    def take(self) -> socket.socket:
        accepted, _ = self.listener.accept()
        accepted.settimeout(SOON_S)
        return accepted


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.listener.close()


@pytest.fixture
def proxy(peer: Peer) -> Iterator[FaultProxy]:
    with FaultProxy(peer.port) as proxy:
        yield proxy


@pytest.fixture
def line(peer: Peer, proxy: FaultProxy) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection's two ends: near (the agent's) and far (the relay's)."""
    near = socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON_S)
    far = peer.take()
    yield near, far
    near.close()
    far.close()


def silent(end: socket.socket) -> bool:
    end.settimeout(SILENCE_S)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(SOON_S)
    return False


def was_reset(end: socket.socket) -> bool:
    try:
        end.recv(1)
    except ConnectionResetError:
        return True
    return False


def test_everything_passes_both_ways_and_the_end_does_too(line, proxy):
    near, far = line
    blob = bytes(range(256)) * 2000
    threading.Thread(target=near.sendall, args=(blob,), daemon=True).start()
    received = bytearray()
    while len(received) < len(blob):
        received += far.recv(65_536)
    assert received == blob
    far.sendall(b"answer")
    assert near.recv(100) == b"answer"
    near.shutdown(socket.SHUT_WR)
    assert far.recv(1) == b""
    far.sendall(b"last")
    assert near.recv(100) == b"last"
    far.close()
    assert near.recv(1) == b""
    wait_for("the proxy forgets the connection", lambda: proxy.open_connections == 0)
    assert proxy.tally[Way.UP].passed == len(blob)


def test_a_partition_that_heals_delivers_what_was_sent_meanwhile(line, proxy):
    near, far = line
    proxy.shape(up=Flow(hold=True), down=Flow(hold=True))
    near.sendall(b"up")
    far.sendall(b"down")
    assert silent(near)
    assert silent(far)
    proxy.clear()
    assert far.recv(100) == b"up"
    assert near.recv(100) == b"down"


def test_one_direction_fails_alone(line, proxy):
    near, far = line
    proxy.shape(down=Flow(hold=True))
    near.sendall(b"up")
    assert far.recv(100) == b"up"
    far.sendall(b"down")
    assert silent(near)


def test_swallowed_bytes_never_arrive_and_the_torn_connection_is_reset_when_the_fault_ends(line, proxy):
    near, far = line
    proxy.shape(down=Flow(swallow=True))
    far.sendall(b"an ack")
    wait_for("it is swallowed", lambda: proxy.tally[Way.DOWN].swallowed == 6)
    assert silent(near)
    proxy.clear()
    assert was_reset(near)
    assert was_reset(far)
    assert proxy.tally[Way.DOWN].passed == 0


def test_a_connection_that_lost_nothing_survives_the_swallowing(line, proxy):
    near, far = line
    proxy.shape(down=Flow(swallow=True))
    near.sendall(b"still")
    assert far.recv(100) == b"still"
    proxy.clear()
    far.sendall(b"here")
    assert near.recv(100) == b"here"


def test_the_end_of_a_connection_is_swallowed_too(line, proxy):
    near, far = line
    proxy.shape(up=Flow(swallow=True), down=Flow(swallow=True))
    far.close()
    assert silent(near)


def test_half_open_the_agents_side_hears_nothing(line, proxy):
    near, far = line
    proxy.half_open()
    assert was_reset(far)
    near.sendall(b"hello?")
    assert silent(near)
    proxy.clear()
    assert was_reset(near)


def test_reset_reaches_both_sides_and_new_connections_work(line, proxy, peer):
    near, far = line
    proxy.reset()
    assert was_reset(near)
    assert was_reset(far)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON_S) as again, peer.take() as other:
        again.sendall(b"again")
        assert other.recv(100) == b"again"


def test_a_reset_of_the_relay_reaches_the_agent(line):
    near, far = line
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    far.close()
    assert was_reset(near)


def test_refused_until_accepted_again_on_the_same_port(proxy, peer):
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=SOON_S)
    proxy.accept()
    assert proxy.port == port
    socket.create_connection(("127.0.0.1", port), timeout=SOON_S).close()
    peer.take().close()


def test_where_the_relay_is_dead_the_agent_is_reset(peer, proxy):
    peer.listener.close()
    # The reset may come before the connecting side has returned from its call.
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), SOON_S) as near:
        near.recv(1)


def test_latency_delays_and_keeps_the_order(line, proxy):
    near, far = line
    proxy.shape(up=Flow(delay_s=0.1, jitter_s=0.05))
    began = time.monotonic()
    for number in range(20):
        near.sendall(b"%02d" % number)
        time.sleep(0.002)
    received = bytearray()
    while len(received) < 40:
        received += far.recv(100)
    assert received == b"".join(b"%02d" % number for number in range(20))
    assert time.monotonic() - began >= 0.1


def test_a_slow_drip_is_slow_and_whole(line, proxy):
    near, far = line
    proxy.shape(up=Flow(bytes_per_s=2000))
    began = time.monotonic()
    near.sendall(b"x" * 400)
    received = bytearray()
    while len(received) < 400:
        received += far.recv(1000)
    assert 0.15 < time.monotonic() - began < 2.0
    assert received == b"x" * 400


def test_who_watches_the_bytes_is_told_before_they_are_passed_on(line, proxy):
    near, far = line
    told: list[tuple[Way, int]] = []
    proxy.on_bytes = lambda way, count: told.append((way, count))
    near.sendall(b"four")
    assert far.recv(100) == b"four"
    assert told == [(Way.UP, 4)]


def test_closing_leaves_no_thread_and_no_socket(peer):
    before = threading.active_count()
    proxy = FaultProxy(peer.port)
    near = socket.create_connection(("127.0.0.1", proxy.port), timeout=SOON_S)
    far = peer.take()
    proxy.close()
    assert was_reset(near)
    assert threading.active_count() == before
    near.close()
    far.close()
