"""The stress monitor's door with clients that import nothing of ours, and everything that its page shows."""

import http.client
import itertools
import json
import queue
import re
import shlex
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.support import browser, processes
from tests.support.arduino import Esp32
from tests.support.processes import ROOT, RelayProcess, wait_for
from tests.support.raw import RawClient

PAGE = (ROOT / "docs" / "esp32.md").read_text(encoding="utf-8")
DASHBOARD = ROOT / "server" / "dashboard"
NODE = shutil.which("node", path=f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin")
WHERE = "http://127.0.0.1:5000"
READING = {"hr": 72, "temp": 33.1, "eda": 2.5}


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    return str(found)


# --- what the page shows --------------------------------------------------------------------------------------------


def test_the_commands_on_the_page_work(relay: RelayProcess) -> None:
    answers = []
    for line in block("sh").splitlines():
        done = subprocess.run(
            shlex.split(line.replace(WHERE, relay.url)), capture_output=True, text=True, timeout=20, check=True
        )
        answers.append(json.loads(done.stdout))
    assert [answer["status"] for answer in answers] == ["success"] * 4 + ["healthy"]
    assert len({answer["record_id"] for answer in answers[:3]}) == 3
    assert relay.device("wrist")["readings"]["eda"]["value"] == 2.5


def test_the_frames_on_the_page_are_the_frames_on_the_wire(relay: RelayProcess) -> None:
    lines = [(line[0], line[2:]) for line in block("wire").splitlines()]
    assert sum(who == "→" for who, _ in lines) == 5
    with Esp32(relay.port).connect() as esp32:
        for who, frame in lines:
            if who == "→":
                esp32.text(frame)
                continue
            while (got := esp32.receive())[0] != "4":
                pass
            assert shape(got) == shape(frame)


def shape(frame: str) -> Any:
    """A frame without its numbers: type, names, fields and words that a program branches on."""
    head, body = re.fullmatch(r"(4\d*)(.*)", frame).groups()  # type: ignore[union-attr]

    def bare(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: bare(inner, key) for key, inner in value.items()}
        if isinstance(value, list):
            return [bare(inner) for inner in value]
        return value if isinstance(value, str) and name != "sid" else type(value).__name__

    return head, bare(json.loads(body))


def filled(text: str, **more: object) -> str:
    """A format of the sketch as its ESP32 would fill it in."""
    values = {"%.1f": "71.5", "%.2f": "33.12", "%.3f": "2.501", "%lld": "1790000000", "%s": "0badcafe", "%lu": "17"}
    for mark, value in {**values, **more}.items():
        text = text.replace(mark, str(value))
    assert "%" not in text
    return text


def test_the_sketch_s_frames_are_taken_over_both_ways(relay: RelayProcess) -> None:
    source = block("cpp")
    bodies = [json.loads(f'"{text}"') for text in re.findall(r'size, "(.*)",$', source, re.M)]
    assert len(bodies) == 2
    assert sum("timestamp" in body for body in bodies) == 1
    [url] = re.findall(r'"(/socket\.io/[^"]*)"\);', source)
    [event] = [json.loads(f'"{text}"') for text in re.findall(r'event, "(.*)", r\.id', source)]
    [path] = re.findall(r'"(/api/[^"]*)"', source)
    with Esp32(relay.port, url).connect() as esp32:
        esp32.text("40/")
        assert esp32.until("40").startswith("{")
        for number, body in enumerate(bodies, 1):
            reading = filled(body, **{"%lu": number})
            esp32.send_event(filled(event.replace("%s", reading), **{"%lu": number}))
            answer = json.loads(esp32.until(f"43{number}"))
            assert answer[0]["status"] == "success"
            # What the sketch looks for in the text of the answer.
            assert '"status":"success"' in json.dumps(answer, separators=(",", ":"))
            # The same by HTTP is the same reading.
            assert relay.http("POST", path, json.loads(reading))[1]["record_id"] == answer[0]["record_id"]


def test_the_sketch_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no g++")
    core = Path(__file__).parents[1] / "support" / "arduino_core"
    sketch = tmp_path / "sketch.cpp"
    sketch.write_text(f'#include "Arduino.h"\n{block("cpp")}', encoding="utf-8")
    done = subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-fsyntax-only",
            "-Wall",
            "-Wextra",
            "-Wno-unused-parameter",
            f"-I{core}",
            str(sketch),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def javascript(relay: RelayProcess) -> Iterator[queue.SimpleQueue[list[str]]]:
    """The page's program, run by node: the words of each line that it prints."""
    if NODE is None or not (DASHBOARD / "node_modules" / "socket.io-client").exists():
        pytest.skip("node or socket.io-client is missing: run `make dashboard`")
    process = subprocess.Popen(
        [NODE, "--input-type=module", "-e", block("js").replace(WHERE, relay.url)],
        cwd=DASHBOARD,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    assert process.stdout is not None
    stdout = process.stdout

    def read() -> None:
        for line in stdout:
            lines.put(line.split())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    yield lines
    process.kill()
    process.wait()
    reader.join(5)
    stdout.close()


def test_the_program_on_the_page_sees_readings_history_and_who_is_there(
    relay: RelayProcess, javascript: queue.SimpleQueue[list[str]]
) -> None:
    # Who is there is told again whenever somebody comes or goes.
    seen: set[str] = set()
    while seen != {"stats", "history"}:
        seen.add(javascript.get(timeout=20)[0])
        assert seen <= {"stats", "history"}
    assert relay.http("POST", "/api/esp32/data", {**READING, "device_id": "js"})[0] == 200
    while (line := javascript.get(timeout=20))[0] != "reading":
        pass
    assert line == ["reading", "js", "72", "unknown"]


# --- other clients --------------------------------------------------------------------------------------------------


class Root:
    """A raw websocket in the default namespace."""

    def __init__(self, relay: RelayProcess, kind: str) -> None:
        address = f"{relay.url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket&type={kind}"
        self.ws = websocket.create_connection(address, timeout=10)
        self.events: list[list[Any]] = []
        self.ws.recv()
        self.ws.send("40")

    def call(self, *event: Any) -> Any:
        """Emit, and wait for the ack; events that come meanwhile are kept."""
        self.ws.send(f"4217{json.dumps(event)}")
        while not (frame := self.frame()).startswith("4317"):
            pass
        return json.loads(frame[4:])[0]

    def frame(self) -> str:
        frame = str(self.ws.recv())
        if frame == "2":
            self.ws.send("3")
        if frame.startswith("42"):
            self.events.append(json.loads(frame[2:]))
        return frame

    def event(self, name: str) -> Any:
        while not (found := [body for event, body in self.events if event == name]):
            self.frame()
        return found[0]

    def __enter__(self) -> "Root":
        return self

    def __exit__(self, *_: object) -> None:
        self.ws.shutdown()


def test_a_raw_websocket_subscribes_and_is_told_of_stress_that_lasts(relay: RelayProcess) -> None:
    """Twelve minutes of rest and then of stress, as a device with a buffer sends them: at once, in order."""
    with Root(relay, "frontend") as page:
        assert page.call("frontend_subscribe_alerts") == {"status": "subscribed"}
        began = int(time.time()) - 3600
        with Root(relay, "esp32") as device:
            known = []
            for second in range(720):
                body = wearer(second) | {"timestamp": began + second, "device_id": "raw"}
                told = device.call("esp32_sensor_data", body)
                assert told["status"] == "success"
                known.append(told["stress_prediction"]["label"])
        assert set(known[:360]) == {"unknown"}
        assert known[400] == "normal"
        assert known[-40:] == ["high_stress"] * 40
        alert = page.event("stress_alert")
        assert (alert["level"], alert["sensor_data"]["device_id"]) == ("high_stress", "raw")
        assert alert["confidence"] >= 70
        history = page.call("frontend_request_history", {"device_id": "raw", "limit": 1000})
        assert len(history["data"]) == 720
        assert [one["stress_level"] for one in history["data"]] == known[::-1]


def wearer(second: int) -> dict[str, float]:
    """At rest for eight minutes; then the heart races and the skin sweats."""
    strained = max(0, second - 480)
    wave = (second * 7 % 11) / 10
    return {
        "hr": 64 + wave + min(strained, 60) * 0.7,
        "temp": 33.5 - min(strained, 120) * 0.006,
        "eda": 1.2 + wave / 20 + min(strained, 90) * 0.06,
    }


def numbered(number: int) -> dict[str, Any]:
    """A reading that is like no other."""
    return {**READING, "hr": 60 + number / 10, "device_id": "w", "stream": "s", "id": number}


def _reached(records: dict[int, int], count: int) -> bool:
    return len(records) >= count


def test_a_client_that_retries_loses_and_doubles_nothing_over_kills(tmp_path: Path) -> None:
    relay = processes.start_relay(tmp_path)
    port, sent, killed = relay.port, 300, 0
    records: dict[int, int] = {}
    told: list[int] = []
    stop = threading.Event()

    def send_all() -> None:
        for number in range(1, sent + 1):
            body = json.dumps(numbered(number)).encode()
            for _ in itertools.count():
                request = urllib.request.Request(f"http://127.0.0.1:{port}/api/esp32/data", body, method="POST")
                try:
                    # So short a wait that some answers are lost on their way.
                    with urllib.request.urlopen(request, timeout=0.05 if number % 10 == 0 else 5) as response:
                        records[number] = json.loads(response.read())["record_id"]
                        break
                except urllib.error.HTTPError as error:
                    told.append(error.code)
                    error.close()
                except (OSError, http.client.HTTPException):
                    pass  # no answer, or half of one
                if stop.wait(0.02):
                    return

    client = threading.Thread(target=send_all)
    client.start()
    try:
        for at in (60, 130, 220):
            wait_for(f"{at} are answered", partial(_reached, records, at), 60)
            relay.process.kill()
            killed += 1
            relay = processes.start_relay(tmp_path, port=port)
        client.join(60)
        assert not client.is_alive()
    finally:
        stop.set()
    ledger = relay.get("/api/devices/w/ledger")["streams"]
    assert (killed, told) == (3, [])
    assert [(stream["stream"], stream["stored"]) for stream in ledger] == [("s", sent)]
    assert len(set(records.values())) == len(records) == sent
    # Whatever was answered before a kill has the same record after it.
    for number in (1, 61, 131, 221, 300):
        again = relay.http("POST", "/api/esp32/data", numbered(number))[1]
        assert again["record_id"] == records[number]
    with Root(relay, "frontend") as page:
        stored = {one["id"]: one["hr"] for one in page.call("frontend_request_history", {"limit": 1000})["data"]}
    assert stored == {record: numbered(number)["hr"] for number, record in records.items()}
    relay.process.stop()


def test_over_http_the_token_decides_the_device_and_viewers_only_read(tmp_path: Path) -> None:
    with processes.relay(tmp_path, demo=False) as relay:
        device, viewer = (
            relay.cli("token", "add", f"the-{role}", "--role", role).stdout.split()[0] for role in ("device", "viewer")
        )
        body = {**READING, "device_id": "somebody-else"}

        def post(token: str | None) -> tuple[int, Any]:
            return relay.http("POST", "/api/esp32/data", body, token)

        assert (post(None)[0], post(None)[1]["code"]) == (401, "unauthenticated")
        assert (post(viewer)[0], post(viewer)[1]["status"]) == (403, "error")
        assert post(device)[0] == 200
        assert relay.http("GET", "/api/devices/the-device", token=viewer)[0] == 200
        assert relay.http("GET", "/api/devices/somebody-else", token=viewer)[0] == 404
        assert relay.http("GET", "/api/system/status", token=viewer)[0] == 200
        assert relay.http("GET", "/api/system/status", token=device)[0] == 403
        assert relay.http("GET", "/api/websocket/info", token=device)[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**READING, "hr": 301}, 422, "invalid_payload"),
        ({**READING, "hr": "72"}, 422, "invalid_payload"),
        ({"hr": 72}, 422, "invalid_payload"),
        ({**READING, "timestamp": 17}, 422, "invalid_payload"),
        ({**READING, "stream": "s"}, 422, "invalid_payload"),
        ([READING], 422, "invalid_payload"),
        (None, 400, "malformed"),
    ],
)
def test_bad_input_over_http_has_a_stable_code_and_is_counted(
    relay: RelayProcess, body: Any, status: int, code: str
) -> None:
    told = relay.http("POST", "/api/esp32/data", body)
    assert (told[0], told[1]["status"], told[1]["code"]) == (status, "error", code)
    assert f'breathlight_refusals_total{{code="{code}",door="esp32"}}' in relay.get("/metrics")


# --- the pages ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    if browser.chromium() is None or not (DASHBOARD / "static" / "websocket-test.html").exists():
        pytest.skip("Chromium or the built pages are missing: run `make dashboard`")
    with browser.launched() as running:
        yield running


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_the_test_page_sends_shows_and_measures(relay: RelayProcess, chrome: Any, theme: str, width: int) -> None:
    tab = browser.watched(chrome.new_context(viewport={"width": width, "height": 800}, color_scheme=theme))
    tab.goto(f"{relay.url}/api/websocket/test")
    tab.get_by_test_id("dial-hr").fill("90")
    tab.get_by_test_id("send").click()
    tab.get_by_test_id("prediction").get_by_text("warming up").wait_for()
    tab.get_by_test_id("send-bad").click()
    tab.get_by_test_id("events").get_by_text("invalid_payload").first.wait_for()
    tab.get_by_test_id("subscribe").click()
    tab.get_by_test_id("subscribe").get_by_text("Subscribed").wait_for()
    tab.get_by_test_id("history").click()
    tab.get_by_test_id("events").get_by_text("history_data").first.wait_for()
    tab.get_by_test_id("auto").click()
    tab.get_by_test_id("sent").get_by_text("4").first.wait_for()
    tab.get_by_test_id("auto").click()
    assert 80 < relay.device("simulated-esp32")["readings"]["heart_rate"]["value"] < 100
    assert "1" in tab.get_by_test_id("stats").inner_text()
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert tab.errors == []
    tab.context.close()


def test_the_temperature_page_says_whose_value_it_is(tmp_path: Path, chrome: Any) -> None:
    with processes.relay(tmp_path) as relay:
        tab = browser.watched(chrome.new_context())
        tab.goto(f"{relay.url}/temperature")
        tab.get_by_test_id("source").get_by_text("simulated", exact=True).wait_for()
        assert re.fullmatch(r"\d\d\.\d\d", tab.get_by_test_id("temperature").inner_text())
        with RawClient(relay.url, "/pi", {"device": "attic", "contract": "1.0", "sample_interval_s": 30}) as pi:
            body = {"id": 1, "datetime": "2026-01-31 23:59:59", "fail": [], "data": {"temperature": -4.25}}
            assert pi.call("sensor_data_pub_pi", body)[0]["ok"] is True
            tab.get_by_test_id("source").get_by_text("attic").wait_for()
            assert tab.get_by_test_id("temperature").inner_text() == "−4.25"
            assert tab.get_by_test_id("source").get_by_text("simulated").count() == 0
        relay.process.kill()
        tab.get_by_text("Not live").wait_for()
        assert tab.get_by_test_id("thermometer").get_attribute("data-stale") == "true"
        tab.context.close()
