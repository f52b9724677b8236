"""Clients that stop reading, over real sockets: they lack nothing in the end, or are told why they are closed."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.support import processes
from tests.support.processes import RelayProcess, wait_for
from tests.support.raw import RawClient
from tests.support.stalled import BOUND, FRAME, SMALL, Producer, there

pytestmark = pytest.mark.integration


def gauge(relay: RelayProcess, name: str) -> float:
    [line] = [line for line in relay.get("/metrics").splitlines() if line.startswith(f"breathlight_{name} ")]
    return float(line.split()[1])


class Page:
    """What a page that heals itself does with each frame, spelled out."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.told: list[int] = []
        self.held: list[int] = []
        self.notices: list[dict[str, Any]] = []
        self.lamps: list[bool] = []
        self.running = False
        self.again: list[int] = []
        """From where what a replay left out would be replayed: it may have had more than one gap."""

    def read(self, until: int) -> None:
        """Until the round `until` has come and nothing is missing."""
        while self.running or not self.told or self.told[-1] < until:
            self.take(self.client.frame(30))

    def take(self, frame: str) -> None:
        if frame.startswith("43/client,"):
            assert json.loads(frame[len("43/client,") + 1 :])[0]["ok"], frame
            if self.again:
                since, self.again = min(self.again), []
                self.ask(since)
                return
            self.running = False
            self.told += [number for number in self.held if number not in self.told]
            self.held.clear()
            return
        event, body = json.loads(frame[len("42/client,") :])
        if event == "error_pub":
            assert body["code"] == "missed"
            self.notices.append(body)
            if self.running:
                self.again.append(body["since"])
            else:
                self.ask(body["since"])
        elif event == "accessory_status_pub_client":
            self.lamps.append(body["status"])
        elif event == "sensor_data_pub_client":
            if self.running and not body.get("replayed"):
                self.held.append(body["id"])
            elif self.again:
                # After a gap in a replay, the next one brings the rest in its order.
                pass
            elif body["id"] not in self.told:
                self.told.append(body["id"])

    def ask(self, since: int) -> None:
        self.running = True
        self.client.emit("replay_request_client", {"since": since}, ack=5)


@pytest.mark.parametrize("fanout", ["direct", "stock"])
def test_who_stops_reading_and_reads_again_ends_complete(fanout: str, tmp_path: Path) -> None:
    limits = {"LIMITS__DEVICE_EVENTS_PER_S": "100000", "LIMITS__MAILBOX_BYTES": str(BOUND)}
    with processes.relay(tmp_path, FANOUT=fanout, **limits) as relay, ExitStack() as stack:
        client = stack.enter_context(RawClient(relay.url, "/client", {}, **SMALL))
        client.event("snapshot_pub_client")
        producer = Producer(relay, "busy")
        try:
            wait_for("some were dropped", lambda: there(client) and gauge(relay, "samples_dropped") >= 10, 60)
            wait_for("it is seen to be behind", lambda: gauge(relay, "connections_behind") == 1)
            [slow] = relay.get("/api/connections")["behind"]
            assert (slow["doors"], slow["transport"], slow["address"]) == (["/client"], "websocket", "127.0.0.1")
            assert slow["waiting_events"] > 0
            assert slow["waiting_bytes"] <= BOUND + FRAME
        finally:
            producer.stop()
        page = Page(client)
        page.read(producer.rounds)
        assert page.told == list(range(1, producer.rounds + 1))
        assert page.notices
        assert all(notice["missed"] > 0 for notice in page.notices)
        assert page.lamps[-1] is producer.lamp
        assert gauge(relay, "missed_notices") >= len(page.notices)
        wait_for("it keeps up again", lambda: relay.get("/api/connections")["behind"] == [])
        assert gauge(relay, "slow_consumers") == 0
        assert "Traceback" not in relay.process.log


@pytest.mark.parametrize("fanout", ["direct", "stock"])
def test_who_never_reads_again_is_bounded_in_memory_told_why_and_closed(fanout: str, tmp_path: Path) -> None:
    limits = {
        "LIMITS__DEVICE_EVENTS_PER_S": "100000",
        "LIMITS__MAILBOX_BYTES": str(BOUND),
        "LIMITS__STALLED_S": "3",
    }
    with processes.relay(tmp_path, FANOUT=fanout, **limits) as relay, ExitStack() as stack:
        client = stack.enter_context(RawClient(relay.url, "/client", {}, **SMALL))
        client.event("snapshot_pub_client")
        producer = Producer(relay, "busy")
        most = 0.0

        def closed() -> bool:
            nonlocal most
            most = max(most, gauge(relay, "unsent_bytes"))
            return there(client) and gauge(relay, "slow_consumers") == 1

        try:
            wait_for("it is closed", closed, 60)
        finally:
            producer.stop()
        assert 0 < most <= BOUND + 2 * FRAME
        assert "slow consumer closed" in relay.process.log
        said: list[str] = []
        with pytest.raises((ConnectionError, websocket.WebSocketException, OSError)):
            while True:
                said.append(client.frame())
        assert any('"code":"slow_consumer"' in frame for frame in said[-3:])
        wait_for("it is gone", lambda: gauge(relay, "websockets") == 0)


@pytest.mark.parametrize("fanout", ["direct", "stock"])
def test_a_command_for_a_device_that_takes_nothing_is_refused_at_once(fanout: str, tmp_path: Path) -> None:
    limits = {
        "LIMITS__DEVICE_EVENTS_PER_S": "100000",
        "LIMITS__MAILBOX_BYTES": str(BOUND),
        "LIMITS__MAILBOX_EVENTS": "100000",
        "LIMITS__STALLED_S": "300",
    }
    accessories = [{"accessory": "breath_light", "pin": 18}]
    with processes.relay(tmp_path, FANOUT=fanout, **limits) as relay, ExitStack() as stack:
        auth = {"device": "deaf", "contract": "1.0", "accessories": accessories}
        device = stack.enter_context(RawClient(relay.url, "/pi", auth, **SMALL))
        sent = 0
        while (unsent := gauge(relay, "unsent_bytes")) < BOUND - 4_000:
            there(device)
            for _ in range(15 if unsent else 300):
                # Refusals with their reasons are the longest that a device can make a relay send.
                device.emit("x" * 64, {}, ack=1)
                sent += 1
            handled = f'breathlight_refusals_total{{code="unknown_event",door="/pi"}} {float(sent)}'
            wait_for("all of them are refused", lambda said=handled: said in relay.get("/metrics"))
        request = {"device": "deaf", "action": "check", "accessory": "breath_light", "ttl_s": 60}

        def refused() -> Any:
            status, ack = relay.http("POST", "/api/commands", request)
            assert status == 202, ack
            command = f"/api/commands/{ack['command']}"
            [result] = wait_for("it was told", lambda: relay.get(command)["results"])
            return result if result["state"] == "refused" else None

        result = wait_for("the connection is full", refused)
        assert (result["code"], "does not take" in result["message"]) == ("queue_full", True), result
        assert gauge(relay, "slow_consumers") == 0
