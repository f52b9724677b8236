"""The fast lane takes what is just as expected, and nothing else."""

from typing import Any

import gevent
import pytest
from gevent.event import Event

from server.fanout.hot import Hot
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import Ack, SensorData
from shared.errors import Code
from shared.wire import MAX_EVENT_CHARS

ROUND = '{"id":1,"datetime":"2026-01-31 23:59:59","fail":[],"data":{"temperature":21}}'


class Sender:
    """Who sends."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, *messages: str) -> None:
        self.said += messages

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass


class Writes(Sender):
    """Who sends; keeps what it was told together."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.writes: list[tuple[str, ...]] = []
        self._fails = fails

    def say(self, *messages: str) -> None:
        if self._fails:
            raise RuntimeError("a fault of ours")
        self.writes.append(messages)


def joined(_sender: object, _namespace: object) -> str:
    """The sid of a sender that has joined."""
    return "s1"


def played(message: str, sid: str | None = "s1") -> tuple[bool, list[Any], list[str]]:
    """Whether it was taken, what the handler got, and what was answered."""
    hot, sender, got = Hot(lambda _sender, _namespace: sid), Sender(), []

    def handle(sid: str, payload: Any, reply: Any) -> None:
        got.append((sid, payload))
        if reply is not None:
            reply(Ack(ok=True, code=Code.STORED, id=payload.id))

    hot.add(SENSOR_DATA_PUB_PI, handle)
    taken = hot.take(sender, message)
    gevent.sleep(0)
    # The acks go out at the end of the turn.
    gevent.sleep(0)
    return taken, got, sender.said


@pytest.mark.parametrize(("number", "said"), [("", []), ("12", ['3/pi,12[{"ok":true,"code":"stored","id":1}]'])])
def test_a_good_event_is_decoded_handled_and_acked(number: str, said: list[str]) -> None:
    taken, [(sid, payload)], answers = played(f'2/pi,{number}["sensor_data_pub_pi",{ROUND}]')
    assert taken
    assert sid == "s1"
    assert isinstance(payload, SensorData)
    assert payload.data == {"temperature": 21.0}
    assert answers == said


@pytest.mark.parametrize(
    "message",
    [
        f'2/client,["sensor_data_pub_pi",{ROUND}]',
        f'2["sensor_data_pub_pi",{ROUND}]',
        f'2/pi,["LED_status_pub_pi",{ROUND}]',
        f'2/pi,["sensor_data_pub_pi" ,{ROUND}]',
        f'2/pi,["sensor_data_pub_pi",{ROUND},1]',
        f'3/pi,["sensor_data_pub_pi",{ROUND}]',
        f'2/pi,x["sensor_data_pub_pi",{ROUND}]',
        f'2/pi,²["sensor_data_pub_pi",{ROUND}]',
        "2/pi," + "1" * 40 + f'["sensor_data_pub_pi",{ROUND}]',
        '2/pi,["sensor_data_pub_pi",{"id":NaN}]',
        '2/pi,["sensor_data_pub_pi",{"id":"1"}]',
        '2/pi,["sensor_data_pub_pi"',
        '2/pi,["sensor_data_pub_pi",' + "[" * 5000,
        f'2/pi,["sensor_data_pub_pi",{ROUND}' + " " * MAX_EVENT_CHARS + "]",
    ],
)
def test_what_is_not_as_expected_is_left_to_the_usual_lane(message: str) -> None:
    assert played(message) == (False, [], [])


def test_a_peer_that_has_not_joined_is_left_to_the_usual_lane() -> None:
    assert played(f'2/pi,["sensor_data_pub_pi",{ROUND}]', sid=None)[0] is False


def test_what_is_answered_in_one_turn_goes_out_in_one_write_per_sender_in_order() -> None:
    hot, told = Hot(joined), []
    senders = [Writes(), Writes()]
    hot.add(SENSOR_DATA_PUB_PI, lambda sid, payload, reply: told.append(reply))
    for number in range(6):
        assert hot.take(senders[number % 2], f'2/pi,{number}["sensor_data_pub_pi",{ROUND}]')
    gevent.sleep(0)
    for reply in told:
        reply(Ack(ok=True, code=Code.STORED, id=1))
    assert [sender.writes for sender in senders] == [[], []]
    gevent.sleep(0)
    assert [[len(write) for write in sender.writes] for sender in senders] == [[3], [3]]
    assert [message.split("[")[0] for message in senders[0].writes[0]] == ["3/pi,0", "3/pi,2", "3/pi,4"]


def test_a_sender_that_fails_costs_no_other_its_ack() -> None:
    hot, told = Hot(joined), []
    bad, good = Writes(fails=True), Writes()
    hot.add(SENSOR_DATA_PUB_PI, lambda sid, payload, reply: told.append(reply))
    for sender in (bad, good):
        assert hot.take(sender, f'2/pi,1["sensor_data_pub_pi",{ROUND}]')
    gevent.sleep(0)
    for reply in told:
        reply(Ack(ok=True, code=Code.STORED, id=1))
    gevent.sleep(0)
    assert len(good.writes) == 1


def test_a_handler_that_waits_holds_up_what_comes_after_it_and_costs_nothing_meanwhile() -> None:
    hot, go_on, handled, turns = Hot(joined), Event(), [], []

    def handle(_sid: str, payload: SensorData, _reply: Any) -> None:
        if payload.id == 1:
            go_on.wait()
        handled.append(payload.id)

    hot.add(SENSOR_DATA_PUB_PI, handle)
    turn = hot._turn
    hot._turn = lambda: (turns.append(None), turn())  # type: ignore[method-assign, assignment, func-returns-value]
    for number in (1, 2, 3):
        assert hot.take(Sender(), f'2/pi,["sensor_data_pub_pi",{ROUND.replace(":1,", f":{number},", 1)}]')
    for _ in range(20):
        gevent.sleep(0)
    assert handled == []
    assert len(turns) <= 2
    go_on.set()
    gevent.sleep(0)
    assert handled == [1, 2, 3]


def test_of_very_many_events_each_is_handled_in_order_and_others_have_their_turn() -> None:
    hot, handled, others = Hot(joined), [], []
    hot.add(SENSOR_DATA_PUB_PI, lambda _sid, payload, _reply: handled.append(payload.id))
    ids = list(range(1, 301))

    def other() -> None:
        while len(handled) < len(ids):
            others.append(len(handled))
            gevent.sleep(0)

    for number in ids:
        assert hot.take(Sender(), f'2/pi,["sensor_data_pub_pi",{ROUND.replace(":1,", f":{number},", 1)}]')
    gevent.spawn(other).join(5)
    assert handled == ids
    assert len(others) > 5


def test_on_the_hub_the_first_event_of_a_turn_is_handled_at_once() -> None:
    hot, handled, seen = Hot(joined), [], []
    hot.add(SENSOR_DATA_PUB_PI, lambda _sid, payload, _reply: handled.append(payload.id))

    def arrive() -> None:
        for number in (1, 2, 3):
            hot.take(Sender(), f'2/pi,["sensor_data_pub_pi",{ROUND.replace(":1,", f":{number},", 1)}]')
            seen.append(list(handled))

    for _ in range(2):
        # The first time there is no greenlet yet.
        handled.clear()
        seen.clear()
        gevent.get_hub().loop.run_callback(arrive)
        gevent.sleep(0.01)
    assert seen == [[1], [1], [1]]
    assert handled == [1, 2, 3]
