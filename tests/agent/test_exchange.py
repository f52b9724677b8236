"""Shared connections over real sockets: as those with threads of their own, but for the threads."""

import queue
import threading
from contextlib import closing

import pytest

from pi_agent.uplink.exchange import Exchange, SharedLink
from pi_agent.uplink.link import Answered, Joined, Lost
from pi_agent.uplink.verdict import Token
from shared.clock import SystemClock
from shared.contract.events import HEARTBEAT_PUB_PI, LED_STATUS_PUB_PI
from shared.contract.payloads import Ack
from shared.errors import Code
from tests.support.fake_relay import FakeRelay
from tests.support.fault_proxy import FaultProxy, Flow
from tests.support.processes import free_port


@pytest.fixture
def relay():
    with closing(FakeRelay()) as running:
        yield running


@pytest.fixture
def exchange():
    with closing(Exchange(SystemClock())) as running:
        yield running


class End:
    """One agent's end of a connection."""

    def __init__(self, url: str, exchange: Exchange, name: str = "pi") -> None:
        self.heard: queue.Queue = queue.Queue()
        self.received: queue.Queue = queue.Queue()
        self.link = SharedLink(url, {"device": name}, self.heard.put, self.receive, exchange=exchange)
        self.link.open()

    def receive(self, name, bodies):
        self.received.put((name, *bodies))
        return Ack(ok=True, code=Code.ACCEPTED)

    def next(self, kind):
        item = self.heard.get(timeout=10)
        assert isinstance(item, kind), item
        assert item.link is self.link
        return item


def threads() -> int:
    return len([thread for thread in threading.enumerate() if thread.name.startswith(("exchange", "opener"))])


def test_many_connections_join_emit_and_answer_on_a_few_threads(relay, exchange) -> None:
    before = threads()
    ends = [End(relay.url, exchange, f"pi-{number}") for number in range(20)]
    for end in ends:
        end.next(Joined)
    assert threads() == before
    for number, end in enumerate(ends):
        for key in (1, 2, 3):
            token = Token(f"s{number}", key)
            end.link.emit(LED_STATUS_PUB_PI, {"stream": f"s{number}", "id": key, "status": True}, token)
    for number, end in enumerate(ends):
        answers = [end.next(Answered) for _ in range(3)]
        assert {answer.token for answer in answers} == {Token(f"s{number}", key) for key in (1, 2, 3)}
        assert all(answer.answer[0]["ok"] for answer in answers)
    for key in range(50):
        relay.send("server_clean_pub", {"number": key})
    for end in ends:
        assert [end.received.get(timeout=10)[1]["number"] for _ in range(50)] == list(range(50))
    assert relay.ask("server_clean_pub", {"number": 50})["ok"] is True
    for end in ends:
        end.link.close()
    relay.wait(lambda: relay.connected == 0)


def test_a_relay_that_is_not_there_and_one_that_refuses_are_told(relay, exchange) -> None:
    gone = End(f"http://127.0.0.1:{free_port()}", exchange)
    assert gone.next(Lost).reason
    relay.behaviour.refuse_connections = {"code": "unauthenticated", "message": "who are you?"}
    assert End(relay.url, exchange).next(Lost).code == "unauthenticated"


def test_a_relay_that_ends_is_told_to_everybody(exchange) -> None:
    relay = FakeRelay()
    ends = [End(relay.url, exchange) for _ in range(3)]
    for end in ends:
        end.next(Joined)
    relay.stop()
    for end in ends:
        assert end.next(Lost).reason


def test_a_frame_that_comes_in_pieces_arrives_whole_and_holds_nobody_up(relay, exchange) -> None:
    with FaultProxy(relay.port) as proxy:
        slow, quick = End(f"http://127.0.0.1:{proxy.port}", exchange), End(relay.url, exchange)
        slow.next(Joined)
        quick.next(Joined)
        proxy.shape(down=Flow(bytes_per_s=20_000))
        relay.send("server_clean_pub", {"long": "ä" * 5_000})
        assert quick.received.get(timeout=10)[1]["long"] == "ä" * 5_000
        quick.link.emit(HEARTBEAT_PUB_PI, {"interval_s": 10}, Token("heartbeat", 1))
        quick.next(Answered)
        assert slow.received.empty()
        assert slow.received.get(timeout=10)[1]["long"] == "ä" * 5_000
        for end in (slow, quick):
            end.link.close()


def test_a_link_that_is_cut_is_lost_on_both_sides(relay, exchange) -> None:
    cut, other = End(relay.url, exchange), End(relay.url, exchange)
    cut.next(Joined)
    other.next(Joined)
    cut.link.cut()
    assert cut.next(Lost).reason == "the link was cut"
    relay.wait(lambda: relay.connected == 1)
    other.link.emit(HEARTBEAT_PUB_PI, {"interval_s": 10}, Token("heartbeat", 1))
    other.next(Answered)


def test_a_connection_that_nobody_waits_for_any_more_is_let_go(relay, exchange) -> None:
    end = End(relay.url, exchange)
    end.link.close()
    End(relay.url, exchange).next(Joined)
    relay.wait(lambda: relay.connected == 1)


def test_ending_a_connection_once_more_does_not_touch_the_one_that_has_its_number_now(relay, exchange) -> None:
    def joined() -> list[End]:
        ends = [End(relay.url, exchange) for _ in range(8)]
        for end in ends:
            end.next(Joined)
        return ends

    before = joined()
    for end in before:
        end.link.cut()
        end.next(Lost)
    relay.wait(lambda: relay.connected == 0)
    after = joined()
    for end in before:
        end.link.cut()
    for end in after:
        end.link.emit(HEARTBEAT_PUB_PI, {"interval_s": 10}, Token("heartbeat", 1))
        end.next(Answered)
