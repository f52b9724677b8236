"""The real agent process at a small relay over a real socket: what a Pi goes through."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from shared.contract.events import (
    ACCESSORIES,
    DROP_PUB_PI,
    ERROR_PUB_PI,
    HEARTBEAT_PUB_PI,
    LED_STATUS_PUB_PI,
    MOTION_PUB_PI,
    SENSOR_DATA_PUB_PI,
    SERVER_CLEAN_PUB,
)
from shared.contract.payloads import PiHello, parse
from tests.support.fake_relay import FakeRelay
from tests.support.processes import Process, agent, free_port, start_agent, wait_for

pytestmark = pytest.mark.integration

LIGHT = ACCESSORIES["breath_light"]
SPECS = {spec.name: spec for spec in (SENSOR_DATA_PUB_PI, MOTION_PUB_PI, DROP_PUB_PI)} | {
    events.status.name: events.status for events in ACCESSORIES.values()
}


@pytest.fixture
def relay():
    with closing(FakeRelay()) as running:
        yield running


def switch(on: bool, **more) -> dict:
    body = {"pin": 18, "mode": "BCM", "code": 200, "accessory": "breath_light", "status": on}
    return body | {"type": LIGHT.on_type if on else LIGHT.off_type, "msg": ""} | more


def kept(state: Path) -> set[int]:
    """Ids in the outbox of an agent that may be just making it."""
    if not (state / "outbox.db").exists():
        return set()
    with closing(sqlite3.connect(state / "outbox.db")) as db, suppress(sqlite3.OperationalError):
        return {key for (key,) in db.execute("SELECT id FROM event")}
    return set()


def waiting(state: Path) -> int:
    return len(kept(state))


def test_an_agent_says_who_it_is_and_every_body_is_the_contracts(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url, "kitchen"):
        relay.wait(lambda: len(relay.of(SENSOR_DATA_PUB_PI.name)) >= 3 and len(relay.of(LED_STATUS_PUB_PI.name)) >= 3)
    hello = parse(PiHello, relay.hellos[0])
    assert (hello.device, hello.simulated, hello.contract) == ("kitchen", True, "1.0")
    assert {info.accessory: info.sensor for info in hello.accessories} == {
        "breath_light": False,
        "infrared_sensor": True,
    }
    for name, body in relay.events:
        if name == HEARTBEAT_PUB_PI.name:
            assert parse(HEARTBEAT_PUB_PI.payload, body).interval_s == 10
        else:
            assert parse(SPECS[name].payload, body).stream == hello.stream
    reports = [body for body in relay.of(LED_STATUS_PUB_PI.name) if "id" not in body]
    assert all("command" not in body for body in reports)


def test_a_command_is_acked_executed_and_answered_and_the_light_is_off_at_the_end(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url) as process:
        relay.wait(lambda: relay.connected)
        assert relay.ask(LIGHT.on.name, switch(True, command="c1")) == {"ok": True, "code": "accepted", "command": "c1"}
        (answer,) = relay.wait(lambda: [b for b in relay.of(LED_STATUS_PUB_PI.name) if b.get("command") == "c1"])
        assert (answer["status"], answer["cause"]) == (True, "user")
        assert answer["id"] > 0
        assert relay.ask(LIGHT.on.name, switch(True, command="c1"))["code"] == "duplicate"
        assert relay.ask(LIGHT.on.name, {"action": "on"})["code"] == "invalid_payload"
        relay.send(LIGHT.check.name, {"action": "check"})
        relay.wait(lambda: [b for b in relay.of(LED_STATUS_PUB_PI.name) if b.get("method") == "被動"])
        relay.send(SERVER_CLEAN_PUB.name, {"action": "clean"})
        relay.wait(lambda: [b for b in relay.of(LED_STATUS_PUB_PI.name) if b.get("cause") == "clean"])
        relay.ask(LIGHT.on.name, switch(True, command="c2"))
        relay.wait(lambda: [b for b in relay.of(LED_STATUS_PUB_PI.name) if b.get("command") == "c2"])
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 5
    last = [body for body in relay.of(LED_STATUS_PUB_PI.name) if "id" in body][-1]
    assert (last["status"], last["cause"]) == (False, "restart")


def test_sigterm_turns_a_real_pin_off(relay, tmp_path) -> None:
    """The real driver over gpiozero's mock pins; what it was told is written down when the process ends."""
    history = tmp_path / "history.json"
    probe = f"""
import atexit, json, sys
sys.argv = ["pi-agent", "run"]
from pi_agent.cli import main
import pi_agent.hardware.factory as factory
real = factory.build_parts
def build(*args, **kwargs):
    parts = real(*args, **kwargs)
    light = parts.light
    levels = []
    plain = light.set_level
    light.set_level = lambda level: (levels.append(level), plain(level))[1]
    atexit.register(lambda: json.dump(levels, open({str(history)!r}, "w")))
    return parts
factory.build_parts = build
import pi_agent.app
pi_agent.app.build_parts = build
sys.exit(main())
"""
    environ = {
        **os.environ,
        "STATE_DIRECTORY": str(tmp_path),
        "PI_AGENT_RELAY__URL": relay.url,
        "PI_AGENT_HARDWARE__MODE": "real",
        "PI_AGENT_HARDWARE__PINS": "mock",
        "PI_AGENT_HARDWARE__CLIMATE__DRIVER": "none",
        "PI_AGENT_BREATHING__ON_AT_START": "true",
    }
    process = subprocess.Popen([sys.executable, "-c", probe], env=environ, stderr=subprocess.PIPE, text=True)
    try:
        relay.wait(lambda: [b for b in relay.of(LED_STATUS_PUB_PI.name) if b["status"]], 20)
    finally:
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 0, log
    levels = json.loads(history.read_text())
    assert max(levels) > 0
    assert levels[-1] == 0.0


def test_nothing_is_lost_over_kills_of_the_agent_and_restarts_of_the_relay(relay, tmp_path) -> None:
    for round_number in range(4):
        process = start_agent(tmp_path, relay.url, SAMPLE_INTERVAL_S="0.05")
        seen = len(relay.stored)
        relay.wait(lambda seen=seen: len(relay.stored) > seen + 15, 20)
        if round_number % 2:
            relay.restart(0.3)
            time.sleep(0.3)
        process.kill()
    last = max(kept(tmp_path), default=0)
    with agent(tmp_path, relay.url) as process:
        relay.wait(lambda: max(relay.ids()) > last, 20)
        assert process.stop() == 0
    ids = relay.ids()
    assert len({stream for stream, _ in relay.stored}) == 1
    assert ids == list(range(1, len(ids) + 1))
    assert len(ids) >= last
    assert kept(tmp_path) <= set(range(len(ids) + 1, len(ids) + 100))  # what was made in the last moment
    assert not relay.of(DROP_PUB_PI.name)
    first_arrivals = list(dict.fromkeys(body["id"] for _, body in relay.events if "id" in body))
    assert first_arrivals == ids


def test_an_agent_that_starts_alone_brings_everything_when_the_relay_comes(tmp_path) -> None:
    port = free_port()
    process = start_agent(tmp_path, f"http://127.0.0.1:{port}", SAMPLE_INTERVAL_S="0.05")
    wait_for("it samples offline", lambda: waiting(tmp_path) > 20)
    with closing(FakeRelay(port)) as relay:
        relay.wait(lambda: len(relay.stored) > 25, 40)
        assert process.stop() == 0
        assert relay.ids() == list(range(1, len(relay.stored) + 1))
    assert process.log.count("relay lost") == 1


def test_lost_acks_make_resends_and_no_second_copy(relay, tmp_path) -> None:
    relay.behaviour.lose_acks = lambda event, body: body.get("id") == 3 and relay.copies[body["stream"], 3] == 1
    with agent(tmp_path, relay.url, UPLINK__WINDOW="8") as process:
        relay.wait(lambda: len(relay.stored) > 20)
        relay.kick()  # sooner than 30 s
        relay.wait(lambda: relay.copies[next(iter(relay.stored))[0], 3] == 2)
        relay.wait(lambda: relay.connected)
        assert process.stop() == 0
    assert relay.ids() == list(range(1, len(relay.stored) + 1))


def test_an_event_that_the_relay_refuses_for_good_becomes_a_dead_letter_and_the_rest_goes_on(relay, tmp_path) -> None:
    def refuse(event: str, body: dict) -> dict | None:
        if event == SENSOR_DATA_PUB_PI.name and body["id"] % 10 == 0:
            return {"ok": False, "code": "invalid_payload", "message": "not this one", "retry": False}
        return None

    relay.behaviour.refuse = refuse
    with agent(tmp_path, relay.url) as process:
        drops = relay.wait(lambda: len(relay.of(DROP_PUB_PI.name)) >= 2 and relay.of(DROP_PUB_PI.name))
        assert process.stop() == 0
    assert {body["reason"] for body in drops} == {"refused"}
    missing = set(range(1, max(relay.ids()) + 1)) - set(relay.ids())
    told = {body["first_id"] for body in relay.of(DROP_PUB_PI.name)}
    assert told <= missing
    assert len(missing - told) <= 1  # the last one's record may still be in the outbox


def test_a_rate_limited_agent_comes_through_in_the_end(relay, tmp_path) -> None:
    allowed = [0.0]

    def refuse(event: str, body: dict) -> dict | None:
        if time.monotonic() < allowed[0]:
            return {"ok": False, "code": "rate_limited", "message": "slow down", "retry": True}
        allowed[0] = time.monotonic() + 0.02
        return None

    relay.behaviour.refuse = refuse
    with agent(tmp_path, relay.url) as process:
        relay.wait(lambda: len(relay.stored) > 15, 40)
        relay.behaviour.refuse = lambda event, body: None
        seen = len(relay.stored)
        relay.wait(lambda: len(relay.stored) > seen + 20, 40)
        assert process.stop() == 0
    everything = set(relay.ids()) | kept(tmp_path)
    assert everything == set(range(1, max(everything) + 1))
    assert not relay.of(DROP_PUB_PI.name)


def test_a_backlog_is_drained_fast_and_status_does_not_wait_behind_it(relay, tmp_path) -> None:
    process = start_agent(tmp_path, f"http://127.0.0.1:{free_port()}", SAMPLE_INTERVAL_S="0.02")
    wait_for("a backlog", lambda: waiting(tmp_path) > 300, 40)
    process.stop()
    count = waiting(tmp_path)
    relay.behaviour.delay_s = 0.005
    with agent(tmp_path, relay.url, SAMPLE_INTERVAL_S="1"):
        relay.wait(lambda: relay.connected, 20)
        began = time.monotonic()
        relay.wait(lambda: len(relay.stored) >= count, 30)
        rate = count / (time.monotonic() - began)
    live = next(index for index, (_, body) in enumerate(relay.events) if "id" not in body)
    assert live < 70  # behind one window at most
    assert rate > 50


def test_a_replaced_agent_says_so_and_stays_away(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url) as process:
        relay.wait(lambda: relay.connected)
        relay.send(ERROR_PUB_PI.name, {"code": "replaced", "message": "this device connected again"})
        time.sleep(0.1)
        relay.kick()
        wait_for("it says so", lambda: "replaced: another program" in process.log)
        time.sleep(2)
        assert len(relay.hellos) == 1


def test_a_refused_token_is_one_line_and_loses_nothing(relay, tmp_path) -> None:
    relay.behaviour.refuse_connections = {"code": "unauthenticated", "message": "No token"}
    with agent(tmp_path, relay.url) as process:
        wait_for("it says so", lambda: "relay refuses this device" in process.log)
        assert "code=unauthenticated: No token" in process.log
        wait_for("it keeps on sampling", lambda: waiting(tmp_path) > 5)
    assert process.log.count("relay refuses") == 1


def test_a_frozen_process_goes_on_without_taking_its_threads_for_dead(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url) as process:
        relay.wait(lambda: len(relay.stored) > 3)
        process.popen.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        process.popen.send_signal(signal.SIGCONT)
        seen = len(relay.stored)
        relay.wait(lambda: len(relay.stored) > seen + 5)
        assert process.stop() == 0


def test_an_agent_in_simulation_is_small(relay, tmp_path) -> None:
    with agent(tmp_path, relay.url, BREATHING__ON_AT_START="true") as process:
        relay.wait(lambda: len(relay.stored) > 30)
        assert process.rss_mb() < 45
        assert not re.search(r"Traceback|ERROR", process.log), process.log


def test_systemd_is_told_when_it_is_ready_petted_and_told_when_it_stops(relay, tmp_path) -> None:
    import socket

    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            process: Process = start_agent(tmp_path, relay.url)
        heard = []
        while heard.count("WATCHDOG=1") < 2:
            heard.append(systemd.recv(100).decode())
        process.popen.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in heard:
            heard.append(systemd.recv(100).decode())
        assert process.finish() == 0
    assert heard[0] == "READY=1"
