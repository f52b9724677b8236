"""A device is named, calibrated, retired, replaced and deleted, over HTTP and from the command line."""

import json
from pathlib import Path

from tests.support import processes
from tests.support.processes import RelayProcess


def temperature(relay: RelayProcess, device: str) -> float | None:
    reading = relay.device(device).get("readings", {}).get("temperature", {})
    value: float | None = reading.get("value")
    return value


def test_what_people_say_of_a_device_is_kept_across_a_restart(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay:
        with processes.agent(tmp_path / "pi-1", relay.url):
            processes.wait_for("it is there", lambda: relay.device("pi-1"))
            status, profile = relay.http(
                "PATCH", "/api/devices/pi-1", {"title": "Küche", "place": "ground floor", "tags": ["warm"]}
            )
            assert (status, profile["title"], profile["tags"]) == (200, "Küche", ["warm"])
            status, ack = relay.http("POST", "/api/devices/pi-1/commands", {"action": "check", "accessory": "nothing"})
            assert status == 404
            done = relay.cli("check", "led", "--group", "warm")
            assert done.returncode == 0, done.stderr
            status, ack = relay.http("PATCH", "/api/devices/pi-1", {"time_zone": "Europe/Nowhere"})
            assert (status, ack["code"]) == (422, "invalid_payload")
            assert "Europe/Nowhere" in ack["message"]
            status, ack = relay.http("PATCH", "/api/devices/pi-1", {"colour": "red"})
            assert (status, ack["code"]) == (422, "invalid_payload")
            status, ack = relay.http("DELETE", "/api/devices/pi-1?confirm=pi-1")
            assert (status, ack["code"]) == (409, "conflict")
        port = relay.port
    with processes.relay(tmp_path / "relay", port=port) as relay:
        assert relay.device("pi-1")["profile"]["title"] == "Küche"
        assert relay.cli("device", "set", "pi-1", "--title", "").returncode == 0
        assert "title" not in relay.device("pi-1")["profile"]


def test_calibration_is_added_once_and_on_record_and_a_chart_shows_it(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay, processes.agent(tmp_path / "pi-1", relay.url):
        before = processes.wait_for("a reading", lambda: temperature(relay, "pi-1"))
        assert relay.cli("device", "set", "pi-1", "--calibrate", "temperature=-15").returncode == 0
        after = processes.wait_for(
            "a calibrated reading", lambda: (value := temperature(relay, "pi-1") or 99.0) < before - 10 and value
        )
        assert before - 17 < after < before - 13
        status, text = relay.http("GET", "/api/devices/pi-1/readings.csv?quantity=temperature")
        assert status == 200
        lowest = min(float(row.split(",")[-1]) for row in text.split()[1:])
        assert lowest < before - 13
        assert relay.cli("device", "set", "pi-1", "--calibrate", "temperature=500").returncode == 1
        refused = relay.cli("device", "set", "pi-1", "--calibrate", "nonsense=3")
        assert refused.returncode == 1
        assert "nonsense" in refused.stderr


def test_a_retired_device_is_kept_out_and_one_that_is_replaced_goes_on_under_the_new_name(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay:
        for name in ("old", "new"):
            with processes.agent(tmp_path / name, relay.url, name):
                processes.wait_for("readings", lambda name=name: temperature(relay, name))
        assert relay.cli("device", "set", "old", "--title", "Attic").returncode == 0
        assert relay.cli("device", "retire", "old").returncode == 0
        with processes.agent(tmp_path / "old", relay.url, "old") as agent:
            processes.wait_for("it is told why", lambda: "retired" in agent.log)
            assert relay.device("old")["online"] is False
        counts = {name: completeness(relay, name) for name in ("old", "new")}
        done = relay.cli("device", "replace", "old", "new", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["title"] == "Attic"
        assert relay.device("old") == {}
        assert completeness(relay, "new") == counts["old"] + counts["new"]
        assert relay.cli("doctor").returncode == 0
        with processes.agent(tmp_path / "third", relay.url, "third"):
            processes.wait_for("readings", lambda: temperature(relay, "third"))
        together = completeness(relay, "new") + completeness(relay, "third")
        assert relay.cli("device", "merge", "third", "new", "--yes").returncode == 0
        assert completeness(relay, "new") == together
        assert relay.cli("device", "delete", "new", "--yes").returncode == 0
        assert relay.get("/api/devices")["devices"] == []
        assert relay.cli("device", "delete", "new", "--yes").returncode == 1
        assert relay.cli("doctor").returncode == 0


def completeness(relay: RelayProcess, device: str) -> int:
    return sum(stream["stored"] for stream in relay.get(f"/api/devices/{device}/ledger")["streams"])
