"""Commands between real processes that are killed and frozen: one outcome each, and nothing runs late or twice."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support import processes
from tests.support.processes import Process, RelayProcess, wait_for
from tests.support.raw import RawClient

LED = "breath_light"
ASKED = 'breathlight_events_total{code="accepted",event="command_request_client",namespace="/client"}'


@pytest.fixture
def house(tmp_path: Path) -> Iterator["House"]:
    it = House(tmp_path)
    yield it
    it.close()


class House:
    """A relay and one agent, each of which can die and come back on what it has on disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.relay: RelayProcess = processes.start_relay(directory / "relay")
        self.agent: Process = self.start_agent()
        self.ready()

    def start_agent(self) -> Process:
        self.agent = processes.start_agent(self.directory / "agent", self.relay.url)
        return self.agent

    def start_relay(self) -> None:
        self.relay = processes.start_relay(self.directory / "relay", port=self.relay.port)

    def ready(self) -> None:
        wait_for("the agent is online and reports", lambda: self.device().get("online") and self.light() is not None)

    def device(self) -> dict[str, Any]:
        return self.relay.device("pi-1")

    def light(self) -> dict[str, Any] | None:
        states = {state["accessory"]: state for state in self.device().get("accessories", [])}
        return states.get(LED)

    def ask(self, **fields: Any) -> str:
        status, ack = self.relay.http("POST", "/api/devices/pi-1/commands", {"accessory": LED} | fields)
        assert status == 202, ack
        return ack["command"]

    def result(self, command: str) -> dict[str, Any]:
        [result] = self.relay.get(f"/api/commands/{command}")["results"]
        return result

    def final(self, command: str, timeout_s: float = 20.0) -> dict[str, Any]:
        wait_for("the final result", lambda: self.relay.get(f"/api/commands/{command}")["final"], timeout_s)
        return self.result(command)

    def log(self, kind: str) -> list[dict[str, Any]]:
        return [entry[kind] for entry in self.relay.get(f"/api/devices/pi-1/log?kind={kind}")["entries"]]

    def close(self) -> None:
        for process in (self.agent, self.relay.process):
            if process.popen.poll() is None:
                process.popen.send_signal(signal.SIGCONT)
                process.stop()


def test_a_relay_that_dies_between_sending_and_the_answer_still_tells_one_result(house: House) -> None:
    house.agent.popen.send_signal(signal.SIGSTOP)
    command = house.ask(action="on", ttl_s=30)
    wait_for("it is sent", lambda: house.result(command)["state"] == "sent")
    house.relay.process.kill()
    house.agent.popen.send_signal(signal.SIGCONT)
    house.start_relay()
    result = house.final(command)
    # The agent had taken it, or had not: both are one truth, and the light is as it says.
    assert (result["state"], result["code"]) in {("verified", "verified"), ("failed", "device_offline")}
    house.ready()
    time.sleep(1)
    assert house.result(command) == result
    light = house.light()
    assert light is not None
    assert light["status"] is (result["state"] == "verified")


def test_a_result_outlives_the_relay_and_says_who_did_it(house: House) -> None:
    command = house.ask(action="on")
    before = house.final(command)
    house.relay.process.kill()
    house.start_relay()
    assert house.result(command) == before
    assert house.relay.get("/api/commands?state=verified&limit=1")["results"] == [before]
    light = house.light()
    assert light is not None
    assert (light["status"], light["by"]) == (True, "demo")


def test_a_frozen_agent_never_does_what_has_expired(house: House) -> None:
    house.agent.popen.send_signal(signal.SIGSTOP)
    command = house.ask(action="on", ttl_s=2)
    time.sleep(4)
    house.agent.popen.send_signal(signal.SIGCONT)
    result = house.final(command)
    assert (result["state"], result["code"]) in {("failed", "no_answer"), ("expired", "expired")}
    house.ready()
    time.sleep(1.5)
    assert not any(state["status"] for state in house.log("state") if state["accessory"] == LED)


def test_an_agent_that_is_killed_is_cleaned_when_it_is_back(house: House) -> None:
    house.final(house.ask(action="on"))
    house.agent.kill()
    wait_for("it is offline", lambda: not house.device()["online"])
    house.start_agent()
    house.ready()
    clean = wait_for("it is cleaned", lambda: [told for told in house.log("command") if told["action"] == "clean"], 20)[
        0
    ]
    assert clean["by"] == "relay"
    assert house.final(clean["command"])["state"] == "verified"
    assert not (house.light() or {})["status"]


def test_an_agent_that_ends_in_order_is_not_cleaned(house: House) -> None:
    house.agent.stop()
    wait_for("it is offline", lambda: not house.device()["online"])
    house.start_agent()
    house.ready()
    time.sleep(1)
    assert house.log("command") == []


def test_an_off_waits_for_a_device_that_is_away_and_runs_when_it_is_back(house: House) -> None:
    house.agent.stop()
    wait_for("it is offline", lambda: not house.device()["online"])
    refused = house.final(house.ask(action="on"))
    assert (refused["state"], refused["code"]) == ("refused", "device_offline")
    assert house.relay.cli("on", "led", "--device", "pi-1").returncode == 4
    waiting = house.relay.cli("off", "led", "--all", "--queue", "--ttl", "60")
    assert (waiting.returncode, "waits for the device until" in waiting.stdout) == (8, True)
    command = house.ask(action="off", queue=True, ttl_s=60)
    assert house.result(command)["state"] == "queued"
    assert [told["state"] for told in house.log("command")] == ["queued", "superseded", "refused", "refused"]
    house.relay.process.kill()
    house.start_relay()
    assert house.device()["commands"][0]["state"] == "queued"
    house.start_agent()
    assert house.final(command)["state"] == "verified"


def test_an_agent_that_is_killed_between_the_pin_and_the_answer_says_that_it_was_interrupted(house: House) -> None:
    outbox, journal = (house.directory / "agent" / name for name in ("outbox.db", "outbox.commands.db"))
    with closing(sqlite3.connect(outbox, isolation_level=None)) as held:
        # The answer cannot get to the disk: there the agent stands when it is killed.
        held.execute("BEGIN IMMEDIATE")
        command = house.ask(action="on", ttl_s=30)
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as watched:
            begun = "SELECT count(*) FROM intent WHERE id = ? AND NOT answered"
            wait_for("it is begun", lambda: watched.execute(begun, (command,)).fetchone()[0])
        time.sleep(0.2)
        house.agent.kill()
        held.execute("ROLLBACK")
    house.start_agent()
    result = house.final(command)
    assert (result["state"], result["code"]) == ("failed", "interrupted")


def test_accessories_of_a_devices_own_are_taken_kept_apart_and_bounded_by_what_it_declares(tmp_path: Path) -> None:
    relay = processes.start_relay(tmp_path)
    hello = {
        "device": "shed",
        "contract": "1.0",
        "heartbeat_interval_s": 5,
        "accessories": [{"accessory": "fan", "title": "Fan"}, {"accessory": "pump"}],
    }
    status = {"stream": "s", "cause": "user"}
    try:
        with RawClient(relay.url, "/pi", hello) as pi:
            for id_, accessory, on in ((1, "fan", True), (2, "pump", False), (3, "fan", False)):
                [ack] = pi.call("accessory_status_pub_pi", status | {"id": id_, "accessory": accessory, "status": on})
                assert ack["code"] == "stored"
            for event, accessory in (("accessory_status_pub_pi", "toaster"), ("LED_status_pub_pi", None)):
                [ack] = pi.call(event, status | {"id": 9, "accessory": accessory, "status": True})
                assert (ack["ok"], ack["code"]) == (False, "unknown_accessory")
            with RawClient(relay.url, "/client") as page:
                page.event("snapshot_pub_client")
                request = {"action": "on", "accessory": "pump", "device": "shed", "lease_s": 60}
                [ack] = page.call("command_request_client", request)
                command = pi.event("accessory_on_publish_server")
                assert (command["accessory"], command["lease_s"]) == ("pump", 60)
                told = {"id": 4, "accessory": "pump", "status": True, "command": command["command"]}
                pi.call("accessory_status_pub_pi", status | told)
                while (result := page.event("command_result_pub_client"))["state"] != "verified":
                    assert result["command"] == ack["command"]
        relay.process.kill()
        relay = processes.start_relay(tmp_path, port=relay.port)
        shed = relay.device("shed")
        states = {state["accessory"]: (state["status"], state.get("by")) for state in shed["accessories"]}
        assert states == {"fan": (False, None), "pump": (True, "demo")}
        assert [info["accessory"] for info in shed["infos"]] == ["fan", "pump"]
    finally:
        relay.process.stop()


def test_the_command_line_stays_for_the_outcome_while_the_relay_is_restarted(house: House) -> None:
    house.agent.popen.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(house.relay.cli, "off", "led", "--device", "pi-1", "--ttl", "30", "--json", timeout_s=60)
        wait_for("it is sent", lambda: house.relay.get("/api/commands?state=sent")["results"])
        # Who asks must know its number, else it can only say that it does not know.
        wait_for("it is answered", lambda: ASKED in house.relay.get("/metrics"))
        house.relay.process.kill()
        house.start_relay()
        house.agent.popen.send_signal(signal.SIGCONT)
        done = running.result()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the relay is away" in done.stderr
    [result] = map(json.loads, done.stdout.splitlines())
    assert result["state"] == "verified"
