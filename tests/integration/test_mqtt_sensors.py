"""MQTT sensors, through a real broker: read, stored, shown; nothing lost when broker or relay is killed."""

import json
import queue
from pathlib import Path
from typing import Any

import socketio

from tests.support import processes
from tests.support.broker import broker
from tests.support.processes import RelayProcess, wait_for


def stored(relay: RelayProcess, device: str) -> int:
    status, body = relay.http("GET", f"/api/devices/{device}/ledger")
    return sum(stream["stored"] for stream in body["streams"]) if status == 200 else 0


def message(device: str, number: int, **more: Any) -> str:
    return json.dumps({"deviceId": device, "timestamp": 1_790_000_000 + number, "temperature": 20.5, **more})


def test_a_message_is_stored_and_shown_and_devices_are_never_mixed(tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as mosquitto, processes.relay(tmp_path, MQTT__URL=mosquitto.url) as relay:
        page, shown = socketio.Client(reconnection=False), queue.SimpleQueue()
        for name in ("sensorData", "connectionInfo"):
            page.on(name, lambda body, name=name: shown.put((name, body)))
        page.connect(relay.url, transports=["websocket"])
        name, info = shown.get(timeout=10)
        assert (name, info["totalClients"]) == ("connectionInfo", 1)
        assert relay.get("/websocket/status")["connectedClients"] == 1
        wait_for("the broker is connected", lambda: relay.get("/websocket/status")["brokerConnected"])
        mosquitto.publish("sensor/data/aht21", '{"deviceId": "a", "temperature": 21.5, "humidity": 40}')
        mosquitto.publish("sensor/data/mq9", '{"deviceId": "b", "coPpm": 3.25}')
        mosquitto.publish("sensor/data/ens160", '{"deviceId": "a", "aqi": 2, "tvoc": 12}')
        frames = [shown.get(timeout=10)[1] for _ in range(3)]
        assert [frame["device"] for frame in frames] == ["a", "b", "a"]
        last = frames[2]["data"]
        assert (last["temperature"], last["aqi"], last["tvoc"], last["coPpm"]) == (21.5, 2, 12, None)
        assert frames[1]["data"]["temperature"] is None
        assert relay.device("a")["readings"]["humidity"]["value"] == 40
        assert relay.device("a")["online"] is True
        assert relay.cli("check", "led", "--device", "a").returncode == 1
        page.disconnect()


def test_what_can_never_be_stored_is_a_dead_letter_and_the_next_message_is_taken(tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as mosquitto, processes.relay(tmp_path, MQTT__URL=mosquitto.url) as relay:
        wait_for("the broker is connected", lambda: relay.get("/websocket/status")["brokerConnected"])
        for poison in (
            "no json",
            '{"temperature": 21}',
            '{"deviceId": "a", "temperature": "warm"}',
            '{"deviceId": "a", "temperature": 999}',
            '{"deviceId": "a", "temperature": 20, "timestamp": "yesterday"}',
            '{"deviceId": "a b", "temperature": 20}',
            '{"deviceId": "a"}',
        ):
            mosquitto.publish("sensor/data/aht21", poison)
        mosquitto.publish("sensor/data/aht21", message("a", 1))
        wait_for("the good one is there", lambda: stored(relay, "a") == 1)
        done = relay.cli("doctor", "--json")
        assert done.stdout, done.stderr
        letters = json.loads(done.stdout)["dead_letters"]
        assert len(letters) == 7
        assert {letter["code"] for letter in letters} == {"malformed", "invalid_payload"}
        assert "999" in letters[3]["message"]


def test_nothing_is_lost_when_broker_and_relay_are_killed(tmp_path: Path) -> None:
    sent = 0
    with broker(tmp_path / "broker") as mosquitto:
        relay = processes.start_relay(tmp_path / "relay", MQTT__URL=mosquitto.url)
        wait_for("the broker is connected", lambda: relay.get("/websocket/status")["brokerConnected"])
        for round_ in range(4):
            mosquitto.publish(
                "sensor/data/aht21", *(message("a", sent + number) for number in range(200)), message("b", sent)
            )
            sent += 200
            if round_ % 2:
                relay.process.kill()
                # While the relay is away, the broker keeps what comes.
                mosquitto.publish("sensor/data/aht21", *(message("a", sent + number) for number in range(50)))
                sent += 50
                relay = processes.start_relay(tmp_path / "relay", port=relay.port, MQTT__URL=mosquitto.url)
            else:
                mosquitto.kill()
                mosquitto.start()
        wait_for("all are there", lambda: stored(relay, "a") >= sent, 30)
        assert stored(relay, "a") == sent
        assert stored(relay, "b") == 4
        relay.process.stop()


def test_what_the_broker_keeps_is_stored_once_and_never_as_a_value_of_now(tmp_path: Path) -> None:
    with broker(tmp_path / "broker") as mosquitto:
        mosquitto.publish("sensor/data/aht21", '{"deviceId": "untold", "temperature": 1}', retain=True)
        mosquitto.publish("sensor/data/mq9", message("timed", 1), retain=True)
        mosquitto.publish("sensor/data/mq135", message("numbered", 1, stream="s", id=4), retain=True)
        mosquitto.publish("sensor/data/temp", "no json", retain=True)
        for _ in range(3):
            with processes.relay(tmp_path, MQTT__URL=mosquitto.url) as relay:
                wait_for(
                    "the broker is connected", lambda relay=relay: relay.get("/websocket/status")["brokerConnected"]
                )
                mosquitto.publish("sensor/data/ens160", '{"deviceId": "live", "aqi": 2}')
                # The broker sends what it kept before what comes later.
                wait_for("it is stored", lambda relay=relay: relay.device("live").get("online"))
                wait_for("what was kept", lambda relay=relay: stored(relay, "timed") and stored(relay, "numbered"))
                assert [stored(relay, name) for name in ("untold", "timed", "numbered")] == [0, 1, 1]
        assert "dead letter" not in relay.process.log


def test_a_broker_with_tls_is_trusted_by_its_certificate_alone(tmp_path: Path) -> None:
    with broker(tmp_path / "broker", tls=True) as mosquitto:
        settings = {"MQTT__URL": mosquitto.url, "MQTT__CA_FILE": str(mosquitto.ca_file)}
        with processes.relay(tmp_path / "relay", **settings) as relay:
            wait_for("the broker is connected", lambda: relay.get("/websocket/status")["brokerConnected"])
            mosquitto.publish("sensor/data/aht21", message("a", 1))
            wait_for("it is there", lambda: stored(relay, "a") == 1)
        with processes.relay(tmp_path / "other", MQTT__URL=mosquitto.url) as relay:
            # Without the certificate nobody is trusted; the relay serves all the same.
            mosquitto.publish("sensor/data/aht21", message("a", 2))
            assert relay.http("GET", "/healthz")[0] == 200
            assert relay.get("/websocket/status")["brokerConnected"] is False
    wrong = {
        "STATE_DIRECTORY": str(tmp_path),
        "PI_RELAY_MQTT__URL": mosquitto.url,
        "PI_RELAY_MQTT__CA_FILE": "/no/such/file",
    }
    process = processes.start("server", ["serve", "--demo", "--port", "0"], wrong)
    assert process.finish() == 2
    assert "mqtt.ca_file" in process.log
