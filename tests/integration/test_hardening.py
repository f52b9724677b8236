"""Whatever a peer does wrong gets an answer with a stable code, changes nothing, and is nobody else's trouble."""

import json
import socket
import time
import urllib.request
from collections.abc import Iterator

import pytest
import websocket

from tests.support import processes
from tests.support.processes import RelayProcess, wait_for
from tests.support.raw import RawClient

ROUND = {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 21.0}}


@pytest.fixture
def pi(relay: RelayProcess) -> Iterator[RawClient]:
    with RawClient(relay.url, "/pi", {"device": "raw-pi", "contract": "1.0"}) as client:
        yield client


BAD = {
    "NaN": ('["sensor_data_pub_pi",{"id":1,"datetime":"2026-01-31 23:59:59","fail":[],"data":{"x":NaN}}]', "malformed"),
    "infinity": ('["sensor_data_pub_pi",{"id":1,"data":{"x":1e999}}]', "malformed"),
    "half a message": ('["sensor_data_pub_pi",{"id":1', "malformed"),
    "no list": ('{"event":"sensor_data_pub_pi"}', "malformed"),
    "no name": ('[{"id":1}]', "malformed"),
    "too deep": ("[" * 3000, "malformed"),
    "too large": (json.dumps(["sensor_data_pub_pi", {"x": "y" * 70_000}]), "too_large"),
    "reserved name": ('["connect",{}]', "unknown_event"),
    "unknown name": ('["sensor_data_pub_pie",{}]', "unknown_event"),
    "the other way": ('["LED_off_publish_server",{}]', "unknown_event"),
    "no body": ('["sensor_data_pub_pi"]', "invalid_payload"),
    "two bodies": ('["sensor_data_pub_pi",{},{}]', "invalid_payload"),
    "wrong type": (json.dumps(["sensor_data_pub_pi", {**ROUND, "id": "1"}]), "invalid_payload"),
    "out of range": (json.dumps(["sensor_data_pub_pi", {**ROUND, "data": {"humidity": 101}}]), "invalid_payload"),
    "no object": ('["LED_status_pub_pi",true]', "invalid_payload"),
}


@pytest.mark.parametrize(("text", "code"), BAD.values(), ids=BAD)
def test_a_bad_event_gets_an_error_ack_and_the_connection_lives_on(pi: RawClient, text: str, code: str) -> None:
    pi.send(f"42/pi,5{text}")
    [ack] = pi.acked(5)
    assert (ack["ok"], ack["code"]) == (False, code)
    assert ack["message"]
    assert pi.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True


@pytest.mark.parametrize(("text", "code"), BAD.values(), ids=BAD)
def test_without_an_ack_the_error_comes_as_an_event(pi: RawClient, text: str, code: str) -> None:
    pi.send(f"42/pi,{text}")
    assert pi.event("error_pub")["code"] == code


def test_a_refused_event_changes_nothing(relay: RelayProcess, pi: RawClient) -> None:
    pi.call("sensor_data_pub_pi", {**ROUND, "stream": "s1"})
    before = relay.device("raw-pi")["readings"]
    pi.call("sensor_data_pub_pi", {**ROUND, "id": 2, "stream": "s1", "data": {"temperature": 999}})
    assert relay.device("raw-pi")["readings"] == before


def test_binary_is_refused(pi: RawClient) -> None:
    pi.send('451-/pi,["sensor_data_pub_pi",{"_placeholder":true,"num":0}]')
    assert pi.event("error_pub")["code"] == "binary_refused"
    pi.ws.send_binary(b"\x04raw")
    assert pi.event("error_pub")["code"] == "binary_refused"
    assert pi.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True


@pytest.mark.parametrize("frame", ["9", "4", "49", "44/pi,{}", "46/pi,", "43/pi,9[1]", "43/pi,x", "4x", "hello", "42"])
def test_a_frame_that_is_no_packet_harms_nobody(relay: RelayProcess, frame: str) -> None:
    with RawClient(relay.url, "/pi", {"device": "raw-pi-2", "contract": "1.0"}) as client:
        client.send(frame)
        assert client.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True


@pytest.mark.parametrize("auth", [[1], "x", {"device": "../../etc"}, {"accessories": "many"}, {"token": 5}])
def test_a_connection_that_makes_no_sense_is_refused_with_a_code(relay: RelayProcess, auth: object) -> None:
    with RawClient(relay.url, "/pi", auth) as client:
        assert client.answer.startswith("44/pi,")
        assert json.loads(client.answer[6:])["data"]["code"] == "invalid_payload"


def test_an_unknown_namespace_is_refused(relay: RelayProcess) -> None:
    with RawClient(relay.url, "/nowhere", {}) as client:
        assert client.answer.startswith("44/nowhere,")


def test_the_log_has_no_traceback_after_all_this(relay: RelayProcess) -> None:
    assert "Traceback" not in relay.process.log


def test_a_long_websocket_message_ends_its_connection_alone(relay: RelayProcess, pi: RawClient) -> None:
    with RawClient(relay.url, "/pi", {"device": "flooder", "contract": "1.0"}) as flooder:
        with pytest.raises((ConnectionError, websocket.WebSocketException, OSError)):
            flooder.send("42/pi," + "x" * 2_000_000)
            while True:
                flooder.frame()
    assert pi.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True


def test_a_connection_that_joins_nothing_is_closed(tmp_path) -> None:
    with processes.relay(tmp_path, LIMITS__JOIN_S="0.3") as relay:
        silent = RawClient(relay.url, "")
        joined = RawClient(relay.url, "/client", {})
        polling = relay.url + "/socket.io/?EIO=4&transport=polling"
        with urllib.request.urlopen(polling) as response:
            assert response.read().startswith(b"0{")
        with pytest.raises((ConnectionError, websocket.WebSocketException)):
            while True:
                if silent.frame() == "1":
                    raise ConnectionError
        wait_for("only the joined one is left", lambda: "breathlight_connections 1.0" in relay.get("/metrics"))
        assert joined.connected
        joined.close()
        silent.close()


def test_a_slow_reader_is_closed_and_its_mailbox_was_bounded(tmp_path) -> None:
    with processes.relay(tmp_path, LIMITS__MAILBOX_EVENTS="50", LIMITS__DEVICE_EVENTS_PER_S="100000") as relay:
        slow = RawClient(relay.url, "/client", {}, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
        with RawClient(relay.url, "/pi", {"device": "busy", "contract": "1.0"}) as busy:
            data = {f"quantity-{number}": 1.0 for number in range(60)}

            def closed() -> bool:
                for _ in range(200):
                    busy.emit("sensor_data_pub_pi", {**ROUND, "data": data})
                time.sleep(0.05)
                return "breathlight_slow_consumers 1.0" in relay.get("/metrics")

            wait_for("the slow consumer is closed", closed, 30)
            assert busy.call("LED_status_pub_pi", {"status": False})[0]["ok"] is True
        slow.close()


def test_too_many_events_are_refused_and_may_come_again(tmp_path) -> None:
    with processes.relay(tmp_path, LIMITS__DEVICE_EVENTS_PER_S="1") as relay:
        with RawClient(relay.url, "/pi", {"device": "eager", "contract": "1.0"}) as eager:
            answers = [eager.call("LED_status_pub_pi", {"status": False})[0] for _ in range(12)]
            refused = [answer for answer in answers if not answer["ok"]]
            assert refused
            assert all(answer["code"] == "rate_limited" and answer["retry"] for answer in refused)


def test_a_slow_request_is_answered_or_closed_in_time(relay: RelayProcess) -> None:
    with (
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as body,
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as header,
    ):
        body.sendall(b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nab")
        header.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
        assert _rest(body).startswith(b"HTTP/1.1 408")
        assert _rest(header).startswith(b"HTTP/1.1 40")


def _rest(peer: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    text = b""
    while chunk := peer.recv(1000):
        text += chunk
    return text


def test_an_oversized_polling_post_is_answered_and_closed(relay: RelayProcess) -> None:
    with urllib.request.urlopen(relay.url + "/socket.io/?EIO=4&transport=polling") as response:
        sid = json.loads(response.read()[1:])["sid"]
    with socket.create_connection(("127.0.0.1", relay.port), timeout=10) as peer:
        target = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        peer.sendall(f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n".encode())
        assert peer.recv(100).startswith(b"HTTP/1.1 413")


def test_a_foreign_host_or_origin_is_refused_in_demo_mode(relay: RelayProcess) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        RawClient(relay.url, "/client", {}, host="evil.example")
    assert refused.value.status_code == 421
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        RawClient(relay.url, "/client", {}, origin="http://evil.example")
    assert refused.value.status_code == 403


def test_others_answers_stay_fast_while_one_peer_misbehaves(relay: RelayProcess, pi: RawClient) -> None:
    with RawClient(relay.url, "/pi", {"device": "rude", "contract": "1.0"}) as rude:
        for _ in range(200):
            rude.send("42/pi," + "[" * 3000)
            rude.send('42/pi,["sensor_data_pub_pi",{"a":NaN}]')
        # The answer to a good event comes among the refusals of the rude one, not after some timeout.
        assert pi.call("LED_status_pub_pi", {"status": True})[0]["ok"] is True
