"""Whatever a peer does wrong gets an answer with a stable code, changes nothing, and is nobody else's trouble."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
import websocket

from tests.support import processes
from tests.support.processes import ROOT, Process, RelayProcess, wait_for
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
    "a month 13": (
        json.dumps(["sensor_data_pub_pi", {**ROUND, "stream": "s", "taken_at": "2026-13-01T00:00:00.000Z"}]),
        "invalid_payload",
    ),
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


def test_what_a_peer_calls_an_event_cannot_write_a_line_of_its_own(relay: RelayProcess, pi: RawClient) -> None:
    pi.call("x\n12:00:00 ERROR forged", {})
    assert not any(line.startswith("12:00:00 ERROR") for line in relay.process.lines)


@pytest.mark.parametrize(
    "query",
    ["points=" + "9" * 5000, "points=%C2%B2", "from=0001-01-01T00:00:00%2B23:59", "to=9999-12-31T23:59:59-23:59"],
)
def test_a_chart_that_cannot_be_is_refused(relay: RelayProcess, query: str) -> None:
    status, answer = relay.http("GET", f"/api/devices/raw-pi/readings?quantity=temperature&{query}")
    assert (status, answer["code"]) == (422, "invalid_payload")


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


def test_who_leaves_at_once_leaves_nothing_behind(relay: RelayProcess) -> None:
    before = _gauge(relay, "websockets")
    for number in range(60):
        hasty = RawClient(relay.url, "")
        hasty.send("40/client,{}" if number % 2 else '40/pi,{"device":"hasty"}')
        hasty.close() if number % 3 else hasty.ws.sock.close()
    wait_for("they are gone", lambda: _gauge(relay, "websockets") == before)


def _gauge(relay: RelayProcess, name: str) -> float:
    [line] = [line for line in relay.get("/metrics").splitlines() if line.startswith(f"breathlight_{name} ")]
    return float(line.split()[1])


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
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as unread,
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as chunks,
        socket.create_connection(("127.0.0.1", relay.port), timeout=30) as oversized,
    ):
        unread.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n")
        chunks.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        oversized.sendall(b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n")
        body.sendall(b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\nab")
        header.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
        assert _rest(body).startswith(b"HTTP/1.1 408")
        assert _rest(header).startswith(b"HTTP/1.1 40")
        assert _rest(unread).startswith(b"HTTP/1.1 200")
        assert _rest(chunks).startswith(b"HTTP/1.1 200")
        assert _rest(oversized).startswith(b"HTTP/1.1 413")
    assert "Traceback" not in relay.process.log


@pytest.mark.parametrize("headers", [b"Content-Length: 1\r\nContent-Length: 5\r\n", b"Content-Length: \xb2\r\n"])
def test_a_body_whose_end_is_not_clear_is_refused(relay: RelayProcess, headers: bytes) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as peer:
        peer.sendall(b"POST /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers + b"\r\nabcde")
        assert _rest(peer).startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("headers", [b"", b"Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: x\r\n"])
def test_a_handshake_that_is_none_is_answered(relay: RelayProcess, headers: bytes) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as peer:
        peer.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n" + headers + b"\r\n"
        )
        assert _rest(peer).startswith(b"HTTP/1.1 400")
    assert "Traceback" not in relay.process.log


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


def test_a_burst_that_comes_at_once_closes_no_page(tmp_path) -> None:
    with processes.relay(tmp_path, LIMITS__DEVICE_EVENTS_PER_S="100000", LIMITS__MAILBOX_EVENTS="100") as relay:
        with (
            RawClient(relay.url, "/client", {}) as page,
            RawClient(relay.url, "/pi", {"device": "burst", "contract": "1.0"}) as burst,
        ):
            event = b'42/pi,["LED_status_pub_pi",{"status":true}]'
            frame = websocket.ABNF.create_frame(event, websocket.ABNF.OPCODE_TEXT).format()
            burst.ws.sock.sendall(frame * 1_000)
            for _ in range(1_000):
                page.event("accessory_status_pub_client")


def test_what_a_full_socket_takes_in_parts_arrives_whole(tmp_path) -> None:
    with processes.relay(tmp_path, LIMITS__DEVICE_EVENTS_PER_S="100000", LIMITS__MAILBOX_BYTES="100000000") as relay:
        slow = RawClient(relay.url, "/client", {}, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)])
        with RawClient(relay.url, "/pi", {"device": "wide", "contract": "1.0"}) as wide:
            data = {f"quantity-{number}": None for number in range(60)}
            quality = {name: {"state": "failed", "reason": "x" * 400} for name in data}
            for number in range(400):
                body = {**ROUND, "id": number, "stream": "s", "data": data, "quality": quality}
                assert wide.call("sensor_data_pub_pi", body)[0]["ok"]
            assert [slow.event("sensor_data_pub_client")["id"] for _ in range(400)] == list(range(400))
        slow.close()


def test_with_few_files_to_open_further_connections_wait_their_turn(tmp_path) -> None:
    command = 'ulimit -n 100; exec "$0" -m server serve --demo --port 0'
    environ = {**os.environ, "STATE_DIRECTORY": str(tmp_path)}
    relay = Process(
        subprocess.Popen(
            ["sh", "-c", command, sys.executable], cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True
        )
    )
    wait_for("the relay is ready", lambda: "relay ready" in relay.log)
    address = ("127.0.0.1", int(relay.log.partition("http://127.0.0.1:")[2].split()[0]))
    idle = [socket.create_connection(address, timeout=5) for _ in range(100)]
    for peer in idle[:99]:
        peer.close()
    idle[99].sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert idle[99].recv(100).startswith(b"HTTP/1.1 200")
    began = time.monotonic()
    assert relay.stop() == 0
    # A connection that is kept open for a further request does not delay the end.
    assert time.monotonic() - began < 3
    idle[99].close()
    assert "Traceback" not in relay.log


def test_others_answers_stay_fast_while_one_peer_misbehaves(relay: RelayProcess, pi: RawClient) -> None:
    with RawClient(relay.url, "/pi", {"device": "rude", "contract": "1.0"}) as rude:
        for _ in range(200):
            rude.send("42/pi," + "[" * 3000)
            rude.send('42/pi,["sensor_data_pub_pi",{"a":NaN}]')
        # The answer to a good event comes among the refusals of the rude one, not after some timeout.
        assert pi.call("LED_status_pub_pi", {"status": True})[0]["ok"] is True
