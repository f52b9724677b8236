"""Programs that import nothing of ours: the JavaScript client from npm, and a raw websocket on both sides."""

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.processes import ROOT, Process, RelayProcess
from tests.support.raw import RawClient

DASHBOARD = ROOT / "server" / "dashboard"
NODE = shutil.which("node", path=f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin") or shutil.which("node")
THE_TWELVE = {
    "sensor_data_pub_pi",
    "sensor_data_pub_client",
    "server_clean_pub",
    "accessory_status_pub_client",
    "LED_status_check_pub_system",
    "LED_status_pub_pi",
    "LED_off_publish_server",
    "infrared_status_check_pub_system",
    "infrared_status_pub_pi",
    "infrared_off_publish_server",
    "model_train_pub_pi",
    "model_train_pub_client",
}


class JavaScriptClient:
    """`foreign_client.mjs`, its lines as they come."""

    def __init__(self, url: str) -> None:
        script = ROOT / "tests" / "integration" / "foreign_client.mjs"
        self.process = subprocess.Popen(
            [str(NODE), str(script), url, str(DASHBOARD)], stdout=subprocess.PIPE, text=True
        )
        self.lines: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, *names: str) -> dict[str, list[Any]]:
        """Bodies by event, until each of `names` has come."""
        seen: dict[str, list[Any]] = {}
        while not set(names) <= set(seen):
            line = self.lines.get(timeout=20)
            seen.setdefault(line["event"], []).append(line["body"])
        return seen

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def javascript(relay: RelayProcess, agent: Process) -> Iterator[JavaScriptClient]:
    if NODE is None or not (DASHBOARD / "node_modules" / "socket.io-client").exists():
        pytest.skip("node or socket.io-client is missing: run `make dashboard`")
    assert agent.popen.poll() is None
    client = JavaScriptClient(relay.url)
    yield client
    client.close()


def test_the_javascript_client_sees_every_broadcast_and_commands(
    relay: RelayProcess, javascript: JavaScriptClient
) -> None:
    seen = javascript.until("snapshot_pub_client", "transport")
    assert [ack["ok"] for ack in seen["ack"]] == [True] * 4
    with RawClient(relay.url, "/pi", {"device": "raw-pi", "contract": "1.0"}) as device:
        device.call("model_train_pub_pi", {"status": False})
        device.call("motion_pub_pi", {"id": 1, "motion": True, "count": 1})
        live = javascript.until(
            "sensor_data_pub_client",
            "accessory_status_pub_client",
            "model_train_pub_client",
            "motion_pub_client",
            "device_status_pub_client",
            "command_result_pub_client",
        )
    assert live["model_train_pub_client"][0]["accessory"] == "face_model"
    assert {body["device"] for body in live["sensor_data_pub_client"]} == {"pi-1"}


def test_all_twelve_events_are_seen_on_the_wire(relay: RelayProcess) -> None:
    """A raw device and a raw page; between them every event of the mission's table passes."""
    seen = set()
    with (
        RawClient(relay.url, "/client") as page,
        RawClient(relay.url, "/pi", {"device": "bare", "contract": "1.0"}) as device,
    ):
        page.event("snapshot_pub_client")
        sent: dict[str, Any] = {
            "sensor_data_pub_pi": {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"humidity": 40}},
            "LED_status_pub_pi": {"status": True},
            "infrared_status_pub_pi": {"status": True},
            "model_train_pub_pi": {"status": True},
        }
        for event, body in sent.items():
            assert device.call(event, body)[0]["ok"] is True
            seen.add(event)
        for event in ("sensor_data_pub_client", "accessory_status_pub_client", "model_train_pub_client"):
            page.event(event)
            seen.add(event)
        asked = [
            ({"action": "check", "accessory": "breath_light"}, "LED_status_check_pub_system"),
            ({"action": "off", "accessory": "breath_light"}, "LED_off_publish_server"),
            ({"action": "check", "accessory": "infrared_sensor"}, "infrared_status_check_pub_system"),
            ({"action": "off", "accessory": "infrared_sensor"}, "infrared_off_publish_server"),
            ({"action": "clean"}, "server_clean_pub"),
        ]
        for request, event in asked:
            assert page.call("command_request_client", {**request, "device": "bare"})[0]["ok"] is True
            body = device.event(event)
            assert body["command"]
            seen.add(event)
    assert seen == THE_TWELVE


def test_a_polling_client_is_served_too(relay: RelayProcess, agent: Process) -> None:
    """Long polling, spelled out: open, join, read the snapshot and live frames."""
    import urllib.request

    assert agent.popen.poll() is None
    base = f"{relay.url}/socket.io/?EIO=4&transport=polling"
    with urllib.request.urlopen(base) as response:
        sid = json.loads(response.read()[1:])["sid"]
    join = urllib.request.Request(f"{base}&sid={sid}", data=b"40/client,", method="POST")
    with urllib.request.urlopen(join) as response:
        assert response.status == 200
    text = ""
    while "sensor_data_pub_client" not in text:
        with urllib.request.urlopen(f"{base}&sid={sid}", timeout=20) as response:
            text += response.read().decode()
    assert text.index("40/client,") < text.index("snapshot_pub_client") < text.index("sensor_data_pub_client")
