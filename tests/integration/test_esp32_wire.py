"""An ESP32 with its usual library, emulated byte by byte, is served as it is."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.arduino import PONG, Esp32, Refused
from tests.support.processes import RelayProcess, wait_for

READING = {"hr": 72, "temp": 33.1, "eda": 2.5, "device_id": "wrist"}


def reading(**more: Any) -> str:
    return json.dumps(["esp32_sensor_data", {**READING, **more}])


@pytest.mark.parametrize("url", ["/socket.io/?type=esp32", "/socket.io/?EIO=4&type=esp32", "/socket.io/?type=frontend"])
def test_it_polls_upgrades_and_is_let_in_at_its_first_event(relay: RelayProcess, url: str) -> None:
    with Esp32(relay.port, url).connect() as esp32:
        esp32.send_event(reading())
        assert json.loads(esp32.until("40"))["sid"]
        answer = esp32.event("data_received")
        assert answer["status"] == "success"
        assert answer["record_id"] > 0
        assert answer["stress_prediction"]["label"] == "unknown"


def test_the_answers_have_the_form_that_it_looks_for(relay: RelayProcess) -> None:
    with Esp32(relay.port) as esp32:
        esp32.poll()
        assert len(esp32.sid) == 20
        esp32.upgrade(esp32.sid)
        esp32.text("2probe")
        esp32.text("5")
        assert esp32.receive() == "3probe"


def test_a_sketch_that_joins_by_itself_joins_once(relay: RelayProcess) -> None:
    with Esp32(relay.port).connect() as esp32:
        esp32.text("40/")
        assert esp32.until("40")
        # The library tells of both connections alike, so the usual sketch joins again. It is not told of an error.
        esp32.text("40/")
        for number in range(3):
            esp32.send_event(reading(hr=70 + number))
            while not (said := esp32.receive()).startswith("42"):
                assert said[0] != "4", said
            assert json.loads(said[2:])[1]["status"] == "success"
        assert relay.get("/api/websocket/info")["clients"]["esp32_clients"] == 1


def test_a_sketch_that_only_listens_is_let_in_after_two_seconds(relay: RelayProcess) -> None:
    with Esp32(relay.port).connect() as esp32:
        began = time.monotonic()
        assert json.loads(esp32.until("40"))["sid"]
        assert 1.5 < time.monotonic() - began < 5


@pytest.mark.parametrize("payload", [json.dumps(READING), "[]", "no json", '[{"hr": 1}]', '["esp32_sensor_data"'])
def test_what_is_no_event_is_told_what_to_send_and_the_connection_lives_on(relay: RelayProcess, payload: str) -> None:
    with Esp32(relay.port).connect() as esp32:
        esp32.send_event(payload)
        error = esp32.event("error_pub")
        assert error["code"] == "malformed"
        if payload.startswith("{"):
            assert '["name", {' in error["message"]
        esp32.send_event(reading())
        assert esp32.event("data_received")["status"] == "success"


def test_its_pings_are_borne_and_its_heartbeat_is_answered(relay: RelayProcess) -> None:
    with Esp32(relay.port).connect() as esp32:
        esp32.send_event(reading())
        esp32.event("data_received")
        esp32.text("2")
        esp32.ping()
        while esp32.frame()[0] != PONG:
            pass
        esp32.send_event(reading())
        assert esp32.event("data_received")["status"] == "success"


def test_events_that_come_byte_by_byte_and_all_at_once_are_all_answered(relay: RelayProcess) -> None:
    with Esp32(relay.port).connect() as esp32:
        body = f"42{reading()}".encode()
        frame = esp32._frame_head(1, len(body)) + body
        for byte in frame:
            esp32.tcp.sendall(bytes([byte]))
        esp32.tcp.sendall(frame * 5)
        records = [esp32.event("data_received")["record_id"] for _ in range(6)]
        assert len(set(records)) == 6


def test_a_refused_upgrade_ends_the_tcp_connection(relay: RelayProcess) -> None:
    with Esp32(relay.port) as esp32:
        with pytest.raises(Refused) as refused:
            esp32.upgrade("no-such-session")
        assert refused.value.status == 400
        assert refused.value.headers["connection"] == "close"
        with pytest.raises(ConnectionError):
            while True:
                esp32._more()


def test_its_origin_opens_this_door_alone(relay: RelayProcess) -> None:
    with Esp32(relay.port).connect() as esp32:
        esp32.text("40/client,")
        assert json.loads(esp32.until("44/client,"))["message"] == "origin_refused"
    with Esp32(relay.port, headers="Origin: http://evil.example") as stranger, pytest.raises(Refused) as refused:
        stranger.poll()
    assert refused.value.status == 403


def test_outside_demo_mode_its_token_decides(tmp_path: Path) -> None:
    with processes.relay(tmp_path, demo=False) as relay:
        tokens = {
            role: relay.cli("token", "add", f"the-{role}", "--role", role).stdout.split()[0]
            for role in ("device", "viewer")
        }
        with Esp32(relay.port) as nobody, pytest.raises(Refused) as refused:
            nobody.poll()
        assert refused.value.status == 403
        # Headers of its own replace the origin; a sketch may send both.
        for headers in (
            f"Authorization: Bearer {tokens['device']}",
            f"Authorization: Bearer {tokens['device']}\r\nOrigin: file://",
        ):
            with Esp32(relay.port, headers=headers).connect() as esp32:
                esp32.send_event(reading(device_id="somebody-else"))
                assert esp32.event("data_received")["status"] == "success"
        known = relay.http("GET", "/api/devices", token=tokens["viewer"])[1]["devices"]
        assert [device["device"] for device in known] == ["the-device"]
        with Esp32(relay.port, headers=f"Authorization: Bearer {tokens['viewer']}").connect() as viewer:
            viewer.send_event(reading())
            assert viewer.event("data_received")["code"] == "forbidden"
        with Esp32(relay.port, headers="X-Nothing: here").connect() as unknown:
            unknown.send_event(reading())
            assert "unauthenticated" in unknown.until("44")


def test_a_restarted_relay_takes_it_back(tmp_path: Path) -> None:
    relay = processes.start_relay(tmp_path)
    with Esp32(relay.port).connect() as esp32:
        esp32.send_event(reading())
        first = esp32.event("data_received")["record_id"]
        relay.process.kill()
        relay = processes.start_relay(tmp_path, port=relay.port)
        with pytest.raises(ConnectionError):
            esp32.receive()
    with Esp32(relay.port) as again, pytest.raises(Refused):
        again.upgrade("a-session-of-before")
    with Esp32(relay.port).connect() as again:
        again.send_event(reading())
        assert again.event("data_received")["record_id"] > first
    wait_for("the device is online", lambda: relay.device("wrist").get("online"))
    relay.process.stop()
