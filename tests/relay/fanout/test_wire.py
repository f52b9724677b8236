"""The direct path over a real wire: order across lanes, goodbyes, bounds, and what is left behind."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

from tests.support import processes
from tests.support.processes import RelayProcess, wait_for
from tests.support.raw import RawClient

pytestmark = pytest.mark.integration

ROUND = '{"id":%d,"stream":"s","datetime":"2026-01-31 23:59:59","fail":[],"data":{"temperature":21.0}}'


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    with processes.relay(
        tmp_path_factory.mktemp("relay"), FANOUT="direct", LIMITS__DEVICE_EVENTS_PER_S="100000"
    ) as running:
        yield running


def frame(text: str, opcode: int = websocket.ABNF.OPCODE_TEXT) -> bytes:
    return bytes(websocket.ABNF.create_frame(text.encode(), opcode).format())


def websockets(relay: RelayProcess) -> float:
    [line] = [line for line in relay.get("/metrics").splitlines() if line.startswith("breathlight_websockets ")]
    return float(line.split()[1])


def test_an_event_of_the_usual_lane_overtakes_no_reading_and_is_not_overtaken(relay: RelayProcess) -> None:
    with (
        RawClient(relay.url, "/client", {}, "&device=lanes") as page,
        RawClient(relay.url, "/pi", {"device": "lanes", "contract": "1.0"}) as pi,
    ):
        page.event("snapshot_pub_client")
        number, sent, expected = 0, b"", []
        for turn in range(8):
            for _ in range(60):
                number += 1
                sent += frame(f'42/pi,["sensor_data_pub_pi",{ROUND % number}]')
                expected.append(number)
            sent += frame(f'42/pi,["LED_status_pub_pi",{{"status":{"true" if turn % 2 else "false"}}}]')
            expected.append(-1)
        pi.ws.sock.sendall(sent)
        seen: list[int] = []
        while len(seen) < len(expected):
            text = page.frame()
            if "sensor_data_pub_client" in text:
                seen.append(int(text.partition('"id":')[2].partition(",")[0]))
            elif "accessory_status_pub_client" in text:
                seen.append(-1)
        assert seen == expected


def test_a_ping_of_the_websocket_is_answered_and_a_goodbye_returned(relay: RelayProcess) -> None:
    before = websockets(relay)
    with RawClient(relay.url, "/client", {}) as page:
        page.event("snapshot_pub_client")
        page.ws.ping("hello")
        while (got := page.ws.recv_frame()).opcode != websocket.ABNF.OPCODE_PONG:
            pass
        assert got.data == b"hello"
        page.ws.send_close(1000)
        while (got := page.ws.recv_frame()).opcode != websocket.ABNF.OPCODE_CLOSE:
            pass
        assert got.data[:2] == (1000).to_bytes(2, "big")
    wait_for("it is gone", lambda: websockets(relay) == before)


def test_a_peer_that_vanishes_leaves_nothing_and_its_device_is_offline(relay: RelayProcess) -> None:
    before = websockets(relay)
    pi = RawClient(relay.url, "/pi", {"device": "gone", "contract": "1.0"})
    assert relay.device("gone")["online"]
    pi.ws.sock.close()
    wait_for("it is offline", lambda: not relay.device("gone")["online"])
    wait_for("it is gone", lambda: websockets(relay) == before)


def test_no_compression_is_agreed_upon_and_the_answer_is_as_small_devices_want_it(relay: RelayProcess) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as peer:
        peer.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        answer = peer.recv(2000).partition(b"\r\n\r\n")[0]
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nConnection: upgrade\r\n" in answer + b"\r\n"
    assert b"extensions" not in answer.lower()


def test_more_websockets_than_are_allowed_are_told_so(tmp_path: Path) -> None:
    with processes.relay(tmp_path, FANOUT="direct", LIMITS__CONNECTIONS="3") as relay:
        pages = [RawClient(relay.url, "/client", {}) for _ in range(3)]
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            RawClient(relay.url, "/client", {})
        assert refused.value.status_code == 503
        pages.pop().close()
        wait_for("there is room again", lambda: websockets(relay) == 2)
        with RawClient(relay.url, "/client", {}) as page:
            assert page.connected
        for page in pages:
            page.close()


def test_an_upgrade_that_goes_wrong_leaves_the_poll_as_it_was(relay: RelayProcess) -> None:
    import json
    import urllib.request

    base = f"{relay.url}/socket.io/?EIO=4&transport=polling"
    with urllib.request.urlopen(base) as response:
        base += "&sid=" + (sid := json.loads(response.read()[1:])["sid"])
    address = f"ws://127.0.0.1:{relay.port}/socket.io/?EIO=4&transport=websocket&sid={sid}"
    for said in ("5", "hello", None):
        ws = websocket.create_connection(address, timeout=5)
        if said is None:
            ws.send("2probe")
            assert ws.recv() == "3probe"
            ws.sock.close()
        else:
            ws.send(said)
            assert ws.recv_frame().opcode == websocket.ABNF.OPCODE_CLOSE
        ws.shutdown()
        wait_for("it is gone", lambda: websockets(relay) == 0)
    urllib.request.urlopen(urllib.request.Request(base, data=b"40/client,")).close()
    text = ""
    while "snapshot_pub_client" not in text:
        with urllib.request.urlopen(base, timeout=10) as response:
            text += response.read().decode()
    assert "Traceback" not in relay.process.log
