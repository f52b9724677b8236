"""A program that speaks only the original's bodies is served fully. It is python-socketio and nothing of ours."""

import queue
from collections.abc import Iterator
from typing import Any

import pytest
import socketio

from tests.support.processes import RelayProcess, wait_for
from tests.support.raw import RawClient


class OriginalAgent:
    """What the original's program does: it reports, obeys, and acks nothing."""

    def __init__(self, url: str) -> None:
        self.light = True
        self.received: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.client = socketio.Client(reconnection=False)
        self.client.on("LED_off_publish_server", self._off, namespace="/pi")
        self.client.on("server_clean_pub", self._clean, namespace="/pi")
        self.client.on("LED_status_check_pub_system", self._check, namespace="/pi")
        self.client.connect(url, namespaces=["/pi"])

    def _off(self, body: Any) -> None:
        self.received.put(("LED_off_publish_server", body))
        self.light = body["status"]

    def _clean(self, body: Any) -> None:
        self.received.put(("server_clean_pub", body))
        self.light = False

    def _check(self, body: Any) -> None:
        self.client.emit("LED_status_pub_pi", {"status": self.light, "method": "被動"}, namespace="/pi")

    def call(self, event: str, body: Any) -> Any:
        return self.client.call(event, body, namespace="/pi", timeout=30)


@pytest.fixture
def original(relay: RelayProcess) -> Iterator[OriginalAgent]:
    program = OriginalAgent(relay.url)
    wait_for("the device is online", lambda: relay.device("pi-127.0.0.1").get("online"))
    yield program
    program.client.disconnect()
    wait_for("the device is offline", lambda: not relay.device("pi-127.0.0.1")["online"])


def test_its_round_is_taken_shown_and_answered_with_the_three_values(
    relay: RelayProcess, original: OriginalAgent
) -> None:
    body = {"id": 0, "datetime": "2026-01-31 23:59:59", "fail": ["PMS"], "data": {"temperature": 21.4, "PM2.5": None}}
    with RawClient(relay.url, "/client") as page:
        page.event("snapshot_pub_client")
        assert original.call("sensor_data_pub_pi", body) == (True, "receive", 200)
        shown = page.event("sensor_data_pub_client")
    assert {name: shown[name] for name in body} == body
    assert shown["device"] == "pi-127.0.0.1"


def test_two_rounds_with_the_same_number_are_two_rounds(relay: RelayProcess, original: OriginalAgent) -> None:
    body = {"id": 0, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 1.0}}
    with RawClient(relay.url, "/client") as page:
        page.event("snapshot_pub_client")
        for value in (1.0, 2.0):
            original.call("sensor_data_pub_pi", {**body, "data": {"temperature": value}})
            assert page.event("sensor_data_pub_client")["data"] == {"temperature": value}


def test_it_is_switched_off_and_its_own_report_confirms_it(relay: RelayProcess, original: OriginalAgent) -> None:
    assert original.call("LED_status_pub_pi", {"status": True}) == (True, "receive", 200)
    done = relay.cli("off", "led", "--device", "pi-127.0.0.1")
    assert (done.returncode, "is off" in done.stdout) == (0, True), done.stdout + done.stderr
    event, body = original.received.get(timeout=5)
    assert event == "LED_off_publish_server"
    assert {name: body[name] for name in ("mode", "code", "accessory", "status", "type")} == {
        "mode": "BCM",
        "code": 200,
        "accessory": "breath_light",
        "status": False,
        "type": "BreathLightCloseSuccess",
    }


def test_clean_reaches_it(relay: RelayProcess, original: OriginalAgent) -> None:
    original.call("LED_status_pub_pi", {"status": True})
    assert relay.cli("clean", "--device", "pi-127.0.0.1").returncode == 0
    event, body = original.received.get(timeout=5)
    assert (event, body["action"]) == ("server_clean_pub", "clean")


def test_its_training_news_reach_the_pages(relay: RelayProcess, original: OriginalAgent) -> None:
    with RawClient(relay.url, "/client") as page:
        page.event("snapshot_pub_client")
        assert original.call("model_train_pub_pi", {"status": False}) == (True, "receive", 200)
        shown = page.event("model_train_pub_client")
    assert (shown["accessory"], shown["status"]) == ("face_model", False)
    assert len(shown["datatime"]) == len("2026-01-31 23:59:59")


def test_a_refusal_is_an_object_with_a_code(original: OriginalAgent) -> None:
    answer = original.call("sensor_data_pub_pi", {"id": "one"})
    assert (answer["ok"], answer["code"]) == (False, "invalid_payload")


def test_a_second_one_at_the_same_address_has_a_name_of_its_own(relay: RelayProcess, original: OriginalAgent) -> None:
    second = OriginalAgent(relay.url)
    try:
        wait_for("the second is online", lambda: relay.device("pi-127.0.0.1-2").get("online"))
        assert relay.device("pi-127.0.0.1")["online"]
    finally:
        second.client.disconnect()


def test_what_an_original_agent_sends_leaves_no_hole_in_the_ledger(
    relay: RelayProcess, original: OriginalAgent
) -> None:
    second = OriginalAgent(relay.url)
    try:
        body = {"id": 0, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": 1.0}}
        for program in (original, second, original):
            program.call("sensor_data_pub_pi", body)
    finally:
        second.client.disconnect()
    for device in ("pi-127.0.0.1", "pi-127.0.0.1-2"):
        assert [stream["missing"] for stream in relay.get(f"/api/devices/{device}/ledger")["streams"]] == [[]]
