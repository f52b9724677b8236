"""Home Assistant, played by a stock MQTT client: discovery, states, availability, commands, birth and last will."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.support import processes
from tests.support.broker import Broker, broker
from tests.support.home_assistant import problems
from tests.support.processes import wait_for

CONFIG = "homeassistant/device/breathlight_pi-1/config"
STATE = "breathlight/pi-1/state"
AVAILABILITY = "breathlight/pi-1/availability"


class Assistant:
    """What Home Assistant would know."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.seen: dict[str, str] = {}
        self.inbox: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        client.on_message = self._on_message

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        self.seen[message.topic] = message.payload.decode()
        self.inbox.put((message.topic, message.payload.decode()))

    def state(self) -> dict[str, Any]:
        known: dict[str, Any] = json.loads(self.seen.get(STATE, "{}"))
        return known


@contextmanager
def assistant(mosquitto: Broker) -> Iterator[Assistant]:
    client = Client(CallbackAPIVersion.VERSION2)
    seen = Assistant(client)
    client.connect("127.0.0.1", mosquitto.port)
    client.subscribe([("homeassistant/#", 1), ("breathlight/#", 1)])
    client.loop_start()
    try:
        yield seen
    finally:
        client.disconnect()
        client.loop_stop()


def test_a_device_is_found_shown_switched_and_forgotten(tmp_path: Path) -> None:
    settings = {"MQTT__HOME_ASSISTANT__ENABLED": "true"}
    with broker(tmp_path / "broker") as mosquitto, assistant(mosquitto) as ha:
        settings["MQTT__URL"] = mosquitto.url
        # What a broker kept from before is not obeyed.
        mosquitto.publish("breathlight/pi-1/breath_light/set", "ON", retain=True)
        relay = processes.start_relay(tmp_path / "relay", **settings)
        with processes.agent(tmp_path / "pi-1", relay.url):
            wait_for("it is discovered", lambda: CONFIG in ha.seen)
            wait_for("it is there", lambda: ha.seen.get(AVAILABILITY) == "online")
            assert ha.seen["breathlight/bridge/availability"] == "online"
            told = wait_for(
                "all of it", lambda: (c := json.loads(ha.seen[CONFIG])) and "temperature" in c["cmps"] and c
            )
            assert problems(told) == []
            wait_for("values come", lambda: ha.state().get("temperature") is not None)
            assert ha.state()["breath_light"] == "OFF"

            ha.client.publish("breathlight/pi-1/breath_light/set", "ON", qos=1)
            wait_for("it reads back on", lambda: ha.state().get("breath_light") == "ON")
            wait_for(
                "the log tells who",
                lambda: any(
                    e.get("command", {}).get("by") == "home-assistant"
                    for e in relay.get("/api/devices/pi-1/log")["entries"]
                ),
            )
            ha.client.publish("breathlight/pi-1/clean/set", "PRESS", qos=1)
            wait_for("it is clean", lambda: ha.state().get("breath_light") == "OFF")
            ha.client.publish("breathlight/pi-1/breath_light/set", "MAYBE", qos=1)

            # Home Assistant comes back: everything is said again.
            ha.seen.clear()
            ha.client.publish("homeassistant/status", "online", qos=1)
            wait_for("it is discovered again", lambda: CONFIG in ha.seen and STATE in ha.seen)
        wait_for("it is away", lambda: ha.seen.get(AVAILABILITY) == "offline")
        assert relay.http("DELETE", "/api/devices/pi-1?confirm=pi-1")[0] == 204
        wait_for("it is forgotten", lambda: ha.seen.get(CONFIG) == "")
        relay.process.kill()
        wait_for("the last will", lambda: ha.seen.get("breathlight/bridge/availability") == "offline", 60)
