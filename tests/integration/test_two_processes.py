"""Relay and agent, as a user runs them."""

import json
import time
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.processes import ROOT, Process, RelayProcess, start, wait_for
from tests.support.raw import RawClient

LED, INFRARED = "breath_light", "infrared_sensor"


def reported(relay: RelayProcess, accessory: str, device: str = "pi-1") -> bool | None:
    states = {state["accessory"]: state for state in relay.device(device).get("accessories", [])}
    return states[accessory]["status"] if accessory in states else None


@pytest.mark.usefixtures("agent")
def test_a_round_carries_simulated_climate_and_the_machines_own_readings(relay: RelayProcess) -> None:
    readings = wait_for("readings", lambda: relay.device("pi-1").get("readings"))
    assert 5 < readings["temperature"]["value"] < 40
    assert 5 < readings["humidity"]["value"] < 95
    real_uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    assert abs(readings["uptime"]["value"] - real_uptime) < 60
    assert readings["temperature"]["unit"] == "°C"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(("accessory", "alias"), [(LED, "led"), (INFRARED, "infrared")])
def test_switching_is_confirmed_by_read_back(relay: RelayProcess, accessory: str, alias: str) -> None:
    for action, pin in (("on", True), ("off", False), ("on", True)):
        done = relay.cli(action, alias, "--device", "pi-1", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout)
        assert (result["state"], result["status"], result["accessory"]) == ("verified", pin, accessory)
        assert reported(relay, accessory) is pin


@pytest.mark.usefixtures("agent")
def test_check_answers_without_changing_anything(relay: RelayProcess) -> None:
    before = reported(relay, LED)
    done = relay.cli("check", LED, "--all", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] is before


@pytest.mark.usefixtures("agent")
def test_clean_turns_off_everything_but_the_sensors(relay: RelayProcess) -> None:
    relay.cli("on", "led", "--device", "pi-1")
    relay.cli("on", "infrared", "--device", "pi-1")
    done = relay.cli("clean", "--device", "pi-1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (reported(relay, LED), reported(relay, INFRARED)) == (False, True)


@pytest.mark.usefixtures("agent")
def test_http_takes_commands_and_tells_their_outcome(relay: RelayProcess) -> None:
    status, ack = relay.http("POST", "/api/devices/pi-1/commands", {"action": "on", "accessory": LED})
    assert (status, ack["code"], ack["devices"]) == (202, "accepted", ["pi-1"])
    done = wait_for("the result", lambda: (found := relay.get(f"/api/commands/{ack['command']}"))["final"] and found)
    assert [result["state"] for result in done["results"]] == ["verified"]
    assert done["by"] == "demo"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/api/devices/pi-1/commands", {"action": "fly", "accessory": LED}, 422, "invalid_payload"),
        ("POST", "/api/devices/pi-1/commands", [], 422, "invalid_payload"),
        ("POST", "/api/devices/nobody/commands", {"action": "on", "accessory": LED}, 404, "unknown_device"),
        ("POST", "/api/devices/pi-1/commands", {"action": "on", "accessory": "x"}, 404, "unknown_accessory"),
        ("GET", "/api/commands/none", None, 404, "unknown_command"),
        ("GET", "/api/devices/nobody", None, 404, "unknown_device"),
        ("GET", "/nothing/here", None, 404, "not_found"),
        ("PUT", "/healthz", None, 405, "method_not_allowed"),
    ],
)
def test_http_errors_are_json_with_a_stable_code(
    relay: RelayProcess, method: str, path: str, body: object, status: int, code: str
) -> None:
    got, answer = relay.http(method, path, body)
    assert (got, answer["ok"], answer["code"]) == (status, False, code)
    assert answer["message"]


@pytest.mark.usefixtures("agent")
def test_health_and_metrics_tell_the_truth(relay: RelayProcess) -> None:
    assert relay.get("/healthz")["ok"] is True
    metrics = relay.get("/metrics")
    assert "breathlight_devices_online 1.0" in metrics
    assert 'breathlight_events_total{code="stored",event="sensor_data_pub_pi",namespace="/pi"}' in metrics


@pytest.mark.usefixtures("agent")
def test_the_command_line_says_what_to_do(relay: RelayProcess) -> None:
    unknown = relay.cli("off", "toaster", "--device", "pi-1")
    assert (unknown.returncode, "unknown_accessory" in unknown.stderr) == (1, True)
    nobody = relay.cli("off", "led", "--device", "nobody")
    assert (nobody.returncode, "unknown_device" in nobody.stderr) == (1, True)
    nowhere = relay.cli("off", "led", "--device", "pi-1", "--url", "http://127.0.0.1:9")
    assert (nowhere.returncode, "no relay at http://127.0.0.1:9" in nowhere.stderr) == (3, True)
    both = relay.cli("off", "led", "--device", "pi-1", "--all")
    assert both.returncode == 2
    assert relay.cli("on", "led", "--device", "pi-1", "--level", "7").returncode == 2
    assert "pi-1" in relay.cli("devices").stdout


@pytest.mark.usefixtures("agent")
def test_the_log_says_what_happened_and_who_did_it(relay: RelayProcess) -> None:
    relay.cli("off", "led", "--device", "pi-1")
    relay.cli("on", "led", "--device", "pi-1")
    [newest, *_] = map(json.loads, relay.cli("log", "pi-1", "--kind", "state", "--json").stdout.splitlines())
    assert (newest["state"]["accessory"], newest["state"]["status"], newest["state"]["by"]) == (LED, True, "demo")
    shown = relay.cli("log", "pi-1", "-n", "2").stdout
    assert "breath_light is on" in shown
    assert "more: --before" in shown
    assert relay.cli("log", "nobody").returncode == 1


@pytest.mark.usefixtures("agent")
def test_motion_reaches_the_pages(relay: RelayProcess) -> None:
    relay.cli("on", "infrared", "--device", "pi-1")
    snapshot_motion = relay.device("pi-1").get("motion")
    with RawClient(relay.url, "/client") as page:
        motion = snapshot_motion or page.event("motion_pub_client", 90)
    assert isinstance(motion["motion"], bool)


def test_an_agent_that_is_killed_is_offline_and_comes_back(relay: RelayProcess, tmp_path: Path) -> None:
    victim = processes.start_agent(tmp_path, relay.url, "victim")
    wait_for("it reports", lambda: reported(relay, LED, "victim") is not None)
    victim.kill()
    wait_for("it is offline", lambda: not relay.device("victim")["online"])
    done = relay.cli("off", "led", "--device", "victim")
    assert (done.returncode, "device_offline" in done.stdout) == (4, True)
    with processes.agent(tmp_path, relay.url, "victim"):
        wait_for("it is back", lambda: relay.device("victim")["online"])


def test_sigterm_stops_an_agent_cleanly_with_its_outputs_off(relay: RelayProcess, tmp_path: Path) -> None:
    running = processes.start_agent(tmp_path, relay.url, "polite")
    wait_for("it reports", lambda: reported(relay, LED, "polite") is not None)
    assert relay.cli("on", "led", "--device", "polite").returncode == 0
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 6
    wait_for("it is offline", lambda: not relay.device("polite")["online"])
    assert "Traceback" not in running.log


def test_an_agent_samples_without_a_relay_and_delivers_when_there_is_one(tmp_path: Path) -> None:
    with processes.relay(tmp_path / "relay") as relay:
        port, state = relay.port, relay.state
    with processes.agent(tmp_path / "agent", f"http://127.0.0.1:{port}", "early"):
        time.sleep(2)
        late = processes.start_relay(state, port=port)
        try:
            wait_for("it connects", lambda: late.device("early").get("readings"), 40)
        finally:
            late.process.stop()


def test_the_same_device_twice_the_newest_wins_and_the_older_is_told(relay: RelayProcess) -> None:
    older = RawClient(relay.url, "/pi", {"device": "twin", "contract": "1.0"})
    with RawClient(relay.url, "/pi", {"device": "twin", "contract": "1.0"}) as newer:
        assert older.event("error_pub")["code"] == "replaced"
        assert newer.call("LED_status_pub_pi", {"status": True})[0]["ok"] is True
        assert relay.device("twin")["online"]
    older.close()


def test_a_busy_port_is_one_line_that_says_what_to_do(relay: RelayProcess) -> None:
    second = start("server", ["serve", "--demo", "--port", str(relay.port)], {"STATE_DIRECTORY": str(relay.state)})
    assert second.finish() == 2
    assert "choose another one with --port" in second.log
    assert "Traceback" not in second.log


def test_a_page_may_ask_for_one_device_alone(relay: RelayProcess, agent: Process) -> None:
    with RawClient(relay.url, "/client", query="&device=pi-1") as page:
        snapshot = page.event("snapshot_pub_client")
        assert [device["device"] for device in snapshot["devices"]] == ["pi-1"]
        with RawClient(relay.url, "/pi", {"device": "other", "contract": "1.0"}) as other:
            other.call(
                "sensor_data_pub_pi",
                {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {}, "stream": "s"},
            )
        assert {page.event("sensor_data_pub_client")["device"] for _ in range(5)} == {"pi-1"}
    assert agent.popen.poll() is None


def test_the_agents_memory_stays_small(agent: Process) -> None:
    assert agent.rss_mb() < 45


def test_the_packages_are_those_of_this_checkout() -> None:
    import server
    import shared

    assert {Path(module.__file__ or "").parents[1] for module in (server, shared)} == {ROOT}
