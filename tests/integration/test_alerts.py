"""Availability and alerts with real processes: a frozen agent, a webhook that fails, a fan that a rule holds."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support import processes
from tests.support.processes import Process, RelayProcess, wait_for
from tests.support.raw import RawClient
from tests.support.webhook import Receiver

SECRET = "0123456789abcdef"
HEARTBEAT_S, TIMEOUT_S = 1.0, 2.0
AGENT = {"HEARTBEAT_INTERVAL_S": str(HEARTBEAT_S), "ACCESSORIES": '{fan = {gpio = 5, title = "Fan"}}'}


@contextmanager
def frozen(agent: Process) -> Iterator[None]:
    os.kill(agent.popen.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(agent.popen.pid, signal.SIGCONT)


def fan(relay: RelayProcess) -> dict[str, Any]:
    states = relay.device("pi-1").get("accessories", ())
    return next((state for state in states if state["accessory"] == "fan"), {})


def alerts(relay: RelayProcess, query: str = "") -> list[dict[str, Any]]:
    return relay.get(f"/api/alerts{query}")["alerts"]


def test_a_frozen_agent_is_offline_within_interval_and_timeout_and_one_that_ends_says_so(tmp_path: Path) -> None:
    rules = '[{name = "away", offline = true}]'
    settings = {"AVAILABILITY__TIMEOUT_S": str(TIMEOUT_S), "ALERTS__RULES": rules, "ALERTS__SITE__WINDOW_S": "1"}
    with processes.relay(tmp_path / "relay", **settings) as relay, RawClient(relay.url, "/client") as page:
        with processes.agent(tmp_path / "agent", relay.url, **AGENT) as agent:
            assert page.event("device_status_pub_client")["online"]
            wait_for("it reports", lambda: relay.device("pi-1").get("readings"))
            with frozen(agent):
                began = time.monotonic()
                news = page.event("device_status_pub_client")
                took_s = time.monotonic() - began
                assert (news["online"], news["reason"]) == (False, "heartbeat_missed")
                assert TIMEOUT_S - 1 <= took_s <= HEARTBEAT_S + TIMEOUT_S + 2
                opened = page.event("alert_pub_client")
                assert (opened["rule"], opened["state"], opened["device"]) == ("away", "open", "pi-1")
            assert page.event("device_status_pub_client")["online"]
            assert page.event("alert_pub_client")["state"] == "closed"
        news = page.event("device_status_pub_client")
        assert (news["online"], news["reason"]) == (False, "ended")
        kinds = [entry["kind"] for entry in relay.get("/api/devices/pi-1/log")["entries"]]
        assert kinds.count("availability") == 4
        assert kinds.count("alert") == 1


def test_a_webhook_that_fails_twice_gets_the_alert_and_a_killed_relay_tells_it_once(tmp_path: Path) -> None:
    with Receiver(SECRET, failures=2) as receiver:
        rule = 'name = "hot", quantity = "temperature", above = 10, notify = ["ops"], severity = "critical"'
        settings = {
            "ALERTS__RULES": f"[{{{rule}}}]",
            "ALERTS__TARGETS": f'[{{name = "ops", webhook = "{receiver.url}", secret = "{SECRET}"}}]',
            "ALERTS__RETRY_S": "0.5",
        }
        relay = processes.start_relay(tmp_path / "relay", **settings)
        with processes.agent(tmp_path / "agent", relay.url, **AGENT):
            wait_for("the alert arrives", lambda: receiver.got)
            assert (receiver.bad, len(set(receiver.deliveries)), len(receiver.deliveries)) == (0, 1, 3)
            [said] = receiver.got
            assert (said["event"], said["alert"]["rule"], said["alert"]["severity"]) == ("opened", "hot", "critical")
            [alert] = alerts(relay, "?state=open")
            wait_for("it is on record", lambda: told(relay, alert["alert"])[0]["state"] == "sent")
            assert told(relay, alert["alert"])[0]["attempts"] == 3
            relay.process.kill()
            relay = processes.start_relay(tmp_path / "relay", port=relay.port, **settings)
            try:
                wait_for("the agent is back", lambda: relay.device("pi-1").get("online"))
                time.sleep(2.5)
                assert [known["alert"] for known in alerts(relay)] == [alert["alert"]]
                assert len(receiver.got) == 1
                assert relay.cli("alerts", "test", "hot").returncode == 0
                assert receiver.got[-1]["event"] == "test"
            finally:
                relay.process.stop()


def told(relay: RelayProcess, alert: str) -> list[dict[str, Any]]:
    return relay.get(f"/api/alerts/{alert}")["notifications"]


def test_a_hot_room_turns_the_fan_on_by_a_lease_that_is_renewed_and_lets_go(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay, processes.agent(tmp_path / "agent", relay.url, **AGENT):
        wait_for("the fan reports", lambda: fan(relay))
        assert fan(relay)["status"] is False
        command = {"action": "on", "accessory": "fan", "lease_s": 3}
        rule = {"quantity": "temperature", "above": 10, "cooldown_s": 0, "command": command}
        assert relay.http("PUT", "/api/alerts/rules/hot", rule)[0] == 200
        wait_for("the fan runs", lambda: fan(relay).get("status"))
        assert (fan(relay)["cause"], fan(relay)["by"]) == ("rule", "rule:hot")
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            assert fan(relay)["status"], "the lease was not renewed"
            time.sleep(0.1)
        assert relay.http("PUT", "/api/alerts/rules/hot", rule | {"above": 70})[0] == 200
        wait_for("the fan stops", lambda: fan(relay)["status"] is False)
        [closed] = alerts(relay, "?state=closed")
        assert closed["rule"] == "hot"


def test_alerts_from_the_terminal(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay:
        assert relay.cli("alerts").returncode == 0
        assert "No rule yet" in relay.cli("alerts", "rules").stdout
        rule = {"quantity": "temperature", "above": 10, "devices": ["pi-1", "pi-2"], "severity": "critical"}
        status, made = relay.http("PUT", "/api/alerts/rules/hot", rule)
        assert (status, len(made["warnings"])) == (200, 2)
        with processes.agent(tmp_path / "agent", relay.url, **AGENT):
            wait_for("the alert", lambda: alerts(relay))
            listed = relay.cli("alerts", "--json")
            assert listed.returncode == 1
            alert = json.loads(listed.stdout)
            assert (alert["rule"], alert["severity"], alert["state"]) == ("hot", "critical", "open")
            assert "temperature above" in relay.cli("alerts", "rules").stdout
            assert json.loads(relay.cli("alerts", "ack", alert["alert"], "--json").stdout)["state"] == "acknowledged"
            with RawClient(relay.url, "/client") as page:
                assert page.event("snapshot_pub_client")["alerts"][0]["state"] == "acknowledged"
                assert page.call("alert_request_client", {"alert": alert["alert"], "state": "closed"})[0]["ok"]
                assert page.event("alert_pub_client")["state"] == "closed"
                [refused] = page.call("alert_request_client", {"alert": alert["alert"], "state": "closed"})
                assert refused["code"] == "conflict"
                [refused] = page.call("alert_request_client", {"alert": "none", "state": "acknowledged"})
                assert refused["code"] == "unknown_alert"
            shown = relay.cli("alerts", "show", alert["alert"]).stdout
            assert "acknowledged" in shown
            assert "closed by hand" in shown
            assert relay.cli("alerts").returncode == 0
            unknown = relay.cli("alerts", "test", "nothing")
            assert unknown.returncode == 1
            assert "unknown_rule" in unknown.stderr
    bad = relay_refuses(tmp_path, '[{name = "hot", quantity = "temperature", above = 300}]')
    assert "setting PI_RELAY_ALERTS__RULES" in bad or "alerts.rules[0]" in bad
    assert "temperature is -40 to 80" in bad


def relay_refuses(tmp_path: Path, rules: str) -> str:
    environ = {"STATE_DIRECTORY": str(tmp_path), "PI_RELAY_ALERTS__RULES": rules}
    process = processes.start("server", ["serve", "--demo", "--port", "0"], environ)
    assert process.finish() == 2
    return process.log
