"""One command for the whole house, and a broker where the machine has none."""

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.publish import single

from tests.support.processes import ROOT, free_port, wait_for


def said(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            text: str = response.read().decode()
            return text
    except OSError:
        return ""


def test_the_demo_brings_relay_agent_and_broker_and_takes_an_mqtt_sensor(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "server", "demo", "--port", str(port), "--state", str(tmp_path)]
    demo = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
    )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("the agent reports", lambda: '"online":true' in said(f"{url}/api/devices/demo-pi"), 40)
        wait_for("the broker is connected", lambda: '"brokerConnected":true' in said(f"{url}/websocket/status"), 20)
        assert demo.stdout is not None
        line = next(line for line in demo.stdout if "MQTT sensors" in line)
        broker = int(line.rpartition(":")[2])
        single("sensor/data/temp", '{"deviceId": "shed", "temperature": 4.5}', qos=1, hostname="127.0.0.1", port=broker)
        wait_for("the sensor is there", lambda: '"value":4.5' in said(f"{url}/api/devices/shed"))
    finally:
        demo.terminate()
        assert demo.wait(20) == 0
        if demo.stdout:
            demo.stdout.close()


def test_the_broker_in_python_keeps_what_it_acknowledged_for_a_subscriber() -> None:
    pytest.importorskip("amqtt")
    port = free_port()
    broker = subprocess.Popen([sys.executable, "-m", "server", "broker", "--own", "--port", str(port)], cwd=ROOT)
    client, got = Client(CallbackAPIVersion.VERSION2), []
    try:
        client.on_message = lambda _client, _data, message: got.append(message.payload)

        def connected() -> bool:
            try:
                client.connect("127.0.0.1", port)
            except OSError:
                return False
            return True

        wait_for("the broker listens", connected)
        client.on_subscribe = lambda *_: got.append(b"subscribed")
        client.loop_start()
        client.subscribe("a/#", 1)
        wait_for("subscribed", lambda: got == [b"subscribed"])
        single("a/b", "hello", qos=1, hostname="127.0.0.1", port=port)
        wait_for("it is passed on", lambda: b"hello" in got)
    finally:
        client.disconnect()
        client.loop_stop()
        broker.terminate()
        broker.wait(10)
