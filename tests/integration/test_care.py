"""Care from afar between real processes: settings are read, changed, tried and taken back; faults are looked for."""

import json
from pathlib import Path
from typing import Any

from tests.support import processes
from tests.support.processes import RelayProcess, wait_for


def settings(relay: RelayProcess, device: str = "pi-1") -> dict[str, Any]:
    status, body = relay.http("GET", f"/api/devices/{device}/settings")
    return body if status == 200 else {}


def here(relay: RelayProcess) -> bool:
    return bool(relay.device("pi-1").get("online"))


def test_settings_are_read_without_secrets_and_a_change_is_tried_and_confirmed(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay:
        environ = {"RELAY__TOKEN": "very-secret", "HARDWARE__SIMULATION__SEED": "7"}
        with processes.agent(tmp_path / "pi-1", relay.url, **environ) as agent:
            wait_for("it is there", lambda: here(relay))
            told = settings(relay)
            assert told["settings"]["relay"]["token"] == "(hidden)"
            assert "very-secret" not in json.dumps(told)
            assert told["changed"] == {}

            status, answer = relay.http("PATCH", "/api/devices/pi-1/settings", {"breathing": {"period_s": 7.5}})
            assert (status, answer["restart"]) == (200, True)
            wait_for("it is back with it", lambda: settings(relay).get("changed") == {"breathing": {"period_s": 7.5}})
            wait_for("it is confirmed", lambda: settings(relay).get("on_trial") is False)
            assert settings(relay)["settings"]["breathing"]["period_s"] == 7.5
            assert agent.popen.poll() is None

            status, answer = relay.http("PATCH", "/api/devices/pi-1/settings", {"breathing": {"period_s": None}})
            assert status == 200
            wait_for("it is taken back", lambda: settings(relay).get("changed") == {})
            log = relay.get("/api/devices/pi-1/log")["entries"]
            assert [entry for entry in log if "period_s" in json.dumps(entry)]


def test_what_cannot_be_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay, processes.agent(tmp_path / "pi-1", relay.url) as agent:
        wait_for("it is there", lambda: here(relay))
        for change, status, code, word in (
            ({"breathing": {"period_s": 900}}, 422, "invalid_setting", "breathing.period_s"),
            ({"breating": {"period_s": 5}}, 422, "invalid_setting", "did you mean breathing"),
            ({"relay": {"token": "x"}}, 403, "forbidden", "relay.token"),
            ({"sample_interval_s": 5}, 409, "conflict", "PI_AGENT_SAMPLE_INTERVAL_S"),
            ({}, 422, "invalid_payload", "nothing to change"),
        ):
            got, ack = relay.http("PATCH", "/api/devices/pi-1/settings", change)
            assert (got, ack["code"]) == (status, code), ack
            assert word in ack["message"]
        assert settings(relay)["changed"] == {}
        assert "agent ended" not in agent.log
        assert relay.http("GET", "/api/devices/nobody/settings")[0] == 404


def test_a_change_that_cuts_the_agent_off_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    with processes.relay(tmp_path / "relay") as relay:
        file.write_text(f'[relay]\nurl = "{relay.url}"\n[care]\ntrial_s = 10\n', encoding="utf-8")
        state = tmp_path / "pi-1"
        state.mkdir()
        environ = {
            "STATE_DIRECTORY": str(state),
            "PI_AGENT_DEVICE": "pi-1",
            "PI_AGENT_HARDWARE__MODE": "simulated",
            "PI_AGENT_UPLINK__START_JITTER_S": "0",
        }
        agent = processes.start("pi_agent", ["run", "--config", str(file)], environ)
        try:
            wait_for("it is there", lambda: here(relay))
            status, _ = relay.http("PATCH", "/api/devices/pi-1/settings", {"relay": {"url": "http://127.0.0.1:9"}})
            assert status == 200
            wait_for("it is away", lambda: not here(relay))
            wait_for("it comes back by itself", lambda: here(relay), 40)
            told = wait_for("it says why", lambda: settings(relay).get("undone") and settings(relay))
            assert "not reached" in told["undone"]
            assert told["changed"] == {}
        finally:
            agent.stop()


def test_a_change_that_keeps_the_agent_from_starting_is_taken_back_at_once(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay, processes.agent(tmp_path / "pi-1", relay.url) as agent:
        wait_for("it is there", lambda: here(relay))
        change = {"hardware": {"replay": {"file": "/no/such/file.csv"}, "infrared": {"gpio": 18}}}
        status, answer = relay.http("PATCH", "/api/devices/pi-1/settings", change)
        assert status == 200, answer
        told = wait_for("it is back without it", lambda: settings(relay).get("undone") and settings(relay))
        assert "18" in told["undone"]
        assert agent.popen.poll() is None


def test_log_level_restart_diagnostics_and_versions_from_the_command_line(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay, processes.agent(tmp_path / "pi-1", relay.url) as agent:
        wait_for("it is there", lambda: here(relay))
        assert relay.cli("device", "log-level", "pi-1", "error").returncode == 0
        done = relay.cli("device", "diagnostics", "pi-1")
        assert done.returncode == 0, done.stderr
        bundle = json.loads(done.stdout)
        assert bundle["about"]["python"]
        assert bundle["process"]["memory_kb"] > 10_000
        assert any("agent runs" in line for line in bundle["log"])
        assert bundle["findings"]["findings"]
        assert bundle["lives"]
        before = agent.log.count("agent runs")
        assert relay.cli("device", "restart", "pi-1").returncode == 0
        wait_for("it starts again", lambda: agent.log.count("agent runs") > before)
        wait_for("it is there again", lambda: here(relay))
        done = relay.cli("device", "versions", "--json")
        assert json.loads(done.stdout)["device"] == "pi-1"
        done = relay.cli("device", "configure", "pi-1", "log.level=warning")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["restart"] is False
