"""The page of the contract: whole, small and dark too, loads nothing from elsewhere; every example on it runs."""

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support import browser as browsers
from tests.support import processes
from tests.support.broker import broker
from tests.support.processes import ROOT, RelayProcess, free_port, wait_for

DASHBOARD = ROOT / "server" / "dashboard"
NODE = shutil.which("node", path=f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin") or shutil.which("node")
# They end, or hide, the device that the others need; each is run on a device of its own.
LAST = ("restart", "retire", "replace", "merge", "delete_api_devices", "delete_api_alerts")
AWAY = ("replace", "merge", "delete_api_devices")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browsers.chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not (DASHBOARD / "static/reference.html").exists(), reason="the page is not built"),
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """A relay with a broker, an agent, a command and an alert that are on record."""
    base = tmp_path_factory.mktemp("house")
    settings = {"MQTT__HOME_ASSISTANT__ENABLED": "true"}
    with (
        broker(base / "broker") as mosquitto,
        processes.relay(base / "relay", MQTT__URL=mosquitto.url, **settings) as relay,
        processes.agent(base / "agent", relay.url, "demo-pi"),
    ):
        wait_for("it reports", lambda: relay.device("demo-pi").get("accessories"))
        relay.http("POST", "/api/devices/demo-pi/commands", {"action": "check", "accessory": "breath_light"})
        relay.http("PUT", "/api/alerts/rules/too-warm", {"quantity": "temperature", "above": -30})
        wait_for("an alert", lambda: relay.get("/api/alerts")["alerts"])
        yield relay


def shown(browser: Any, relay: RelayProcess) -> list[dict[str, str]]:
    """Every example that the page shows: its entry, its language, its text."""
    tab = browsers.watched(browser.new_context())
    tab.goto(relay.url + "/docs")
    tab.locator("[data-testid=entries][data-loaded=true]").wait_for()
    tab.evaluate("document.querySelectorAll('[data-testid=entry]').forEach((entry) => { entry.open = true; })")
    wait_for(
        "all are open",
        lambda: tab.locator("[data-testid=example]").count() == tab.locator("[data-testid=entry]").count() > 80,
    )
    examples: list[dict[str, str]] = tab.evaluate(
        "[...document.querySelectorAll('[data-testid=example]')]"
        ".map((e) => ({ entry: e.dataset.entry, language: e.dataset.language, text: e.textContent }))"
    )
    assert tab.errors == []
    tab.context.close()
    return examples


def test_every_curl_that_is_shown_does_what_it_says(browser: Any, house: RelayProcess, tmp_path: Path) -> None:
    curls = [one for one in shown(browser, house) if one["text"].startswith("curl")]
    assert len(curls) > 40
    document = house.get("/api/openapi.json")
    said = {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}
    for one in curls:
        if not any(word in one["entry"] for word in LAST):
            run(one, said)
    for one in curls:
        if any(word in one["entry"] for word in LAST) and "alerts" not in one["entry"]:
            spare(house, one, said, tmp_path / one["entry"])
    for one in curls:
        if one["entry"].startswith("delete_api_alerts"):
            run(one, said)


def run(one: dict[str, str], said: dict[str, Any]) -> None:
    """A documented answer; one that is no refusal, wherever the example could know what is there."""
    command = one["text"] + " -o /dev/null -w '%{http_code}'"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (one, done.stderr)
    status = done.stdout
    assert status in said[one["entry"]]["responses"], (one, status)
    # A file's name, and a token in demo mode that only stands for one, are not known to a document.
    if "_by_name" not in one["entry"] or "rules" in one["entry"]:
        assert status < "300" or one["entry"] in REFUSED, (one, status)


NOT_THERE = ("unknown_command", "conflict", "busy", "unknown_event", "device_offline")
# What an example cannot have: an answer to a question that nobody asked, say.
REFUSED = {
    "post_api_devices_by_device_restart": "nobody would start this test's agent again",
    "post_api_devices_by_device_train": "it has no week of history, or trains",
    "patch_api_devices_by_device_settings": "a variable of this test's agent has the last word",
    "post_api_alerts_rules_by_name_test": "the rule of the example notifies nobody",
}


def spare(house: RelayProcess, one: dict[str, str], said: dict[str, Any], state: Path) -> None:
    """Run an example that ends its device on a device of its own, and on others for it to take over from or into."""
    for name in ("old-pi", "new-pi"):
        with processes.agent(state / name, house.url, name):
            wait_for("it reports", lambda name=name: house.device(name).get("readings"))
    name = f"spare-{len(one['entry'])}"
    with processes.agent(state / name, house.url, name):
        wait_for("it reports", lambda: house.device(name).get("readings"))
        if not any(word in one["entry"] for word in AWAY):
            run({**one, "text": one["text"].replace("demo-pi", name)}, said)
            return
    wait_for("they are away", lambda: not any(house.device(n).get("online") for n in (name, "old-pi", "new-pi")))
    run({**one, "text": one["text"].replace("demo-pi", name)}, said)


@pytest.mark.skipif(NODE is None, reason="no node")
def test_every_socket_example_that_is_shown_runs(browser: Any, house: RelayProcess) -> None:
    """Those that ask get an ack; those that listen connect, and the ones that come by themselves are heard."""
    snippets = [one for one in shown(browser, house) if one["language"] == "js"]
    asking = [one for one in snippets if "emitWithAck" in one["text"]]
    hearing = [one for one in snippets if "socket.on(" in one["text"]]
    assert len(asking) >= 20
    assert len(hearing) >= 25
    script = "\n".join(f"{{ {wrapped(one)} }}" for one in asking)
    acks = node('import { io } from "socket.io-client";\n' + script + "\nprocess.exit(0);")
    assert len(acks) == len(asking)
    for one, line in zip(asking, acks, strict=True):
        ack = json.loads(line)
        assert ack.get("ok") is True or "code" not in ack or ack["code"] in NOT_THERE, (one, ack)
    heard = "".join(
        f"{{ {wrapped(one, str(number))} socket.on('connect_error', () => process.exit(2)); }}\n"
        for number, one in enumerate(hearing)
    )
    told = node('import { io } from "socket.io-client";\n' + heard + "setTimeout(() => process.exit(0), 6000);")
    names = {hearing[int(line.partition(" ")[0])]["entry"] for line in told}
    assert {"client_snapshot_pub_client_sent", "client_sensor_data_pub_client_sent", "doors_temperature_sent"} <= names


def wrapped(one: dict[str, str], number: str = "") -> str:
    text = one["text"].replace('import { io } from "socket.io-client";\n', "")
    text = re.sub(r"console\.log\((await .*)\);\n", r"console.log(JSON.stringify(\1));\n", text)
    return text.replace("console.log(body)", f'console.log("{number} " + JSON.stringify(body))')


def node(script: str) -> list[str]:
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", script], cwd=DASHBOARD, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="no mosquitto_pub")
def test_every_mqtt_example_that_is_shown_runs(browser: Any, house: RelayProcess) -> None:
    lines = [one["text"] for one in shown(browser, house) if one["text"].startswith("mosquitto")]
    assert len(lines) >= 10
    for line in lines:
        done = subprocess.run(
            ["bash", "-c", line + (" -W 5 -C 1" if "_sub" in line else "")], capture_output=True, text=True, timeout=20
        )
        # 27: nothing came in time, as where nothing is said just now.
        assert done.returncode in (0, 27), (line, done.stderr)
    wait_for("what was published is there", lambda: house.device("shed").get("readings"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_searches_and_loads_nothing_from_elsewhere(
    browser: Any, house: RelayProcess, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab = browsers.watched(context)
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(house.url + "/docs")
    tab.locator("[data-testid=entries][data-loaded=true]").wait_for()
    everything = tab.get_by_test_id("entry").count()
    tab.get_by_label("Search").fill("alerts acknowledge")
    wait_for("fewer", lambda: 0 < tab.get_by_test_id("entry").count() < 8 < everything)
    tab.get_by_test_id("entry").first.click()
    assert tab.get_by_test_id("example").first.inner_text().count(house.url) == 1
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert all(url.startswith(house.url) for url in asked)
    assert tab.errors == []
    context.close()


def test_the_browser_client_does_what_its_page_shows(browser: Any, tmp_path: Path) -> None:
    """The page's own file, served from another address; then the relay is killed, and nothing is missed or doubled."""
    from playwright.sync_api import expect

    [page] = re.findall(r"^```html\n(.*?)^```", (ROOT / "docs/client-browser.md").read_text("utf-8"), re.M | re.S)
    port, elsewhere = free_port(), free_port()
    (tmp_path / "www").mkdir()
    (tmp_path / "www/favicon.ico").touch()
    counting = "relay.on('sensor_data_pub_client', (body) => (window.seen ??= []).push(body.id));\n"
    page = page.replace("http://127.0.0.1:5000", f"http://127.0.0.1:{port}")
    (tmp_path / "www/index.html").write_text(page.replace("const told =", counting + "  const told ="), "utf-8")
    handler = partial(Quiet, directory=str(tmp_path / "www"))
    site = http.server.ThreadingHTTPServer(("127.0.0.1", elsewhere), handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    origins = {"ALLOWED_ORIGINS": json.dumps([f"http://127.0.0.1:{elsewhere}"])}
    relay = processes.start_relay(tmp_path / "relay", port=port, **origins)
    try:
        with processes.agent(tmp_path / "agent", relay.url, "demo-pi"):
            wait_for("it reports", lambda: relay.device("demo-pi").get("accessories"))
            tab = browsers.watched(browser.new_context())
            tab.goto(f"http://127.0.0.1:{elsewhere}/")
            expect(tab.locator("#now")).to_contain_text("demo-pi:", timeout=20_000)
            expect(tab.locator("#told")).to_contain_text("points in °C")
            tab.locator("#on").click()
            expect(tab.locator("#told")).to_have_text("demo-pi: verified", timeout=20_000)
            assert tab.errors == []
            relay.process.kill()
            relay = processes.start_relay(tmp_path / "relay", port=port, **origins)
            count = len(tab.evaluate("window.seen"))
            wait_for("more came", lambda: len(tab.evaluate("window.seen")) > count + 30, 40)
            seen = tab.evaluate("window.seen")
            rounds = stored(relay, seen[0], max(seen))
            assert sorted(seen) == rounds, "each round once"
            tab.context.close()
    finally:
        site.shutdown()
        site.server_close()
        relay.process.stop()


def stored(relay: RelayProcess, first: int, last: int) -> list[int]:
    """The ids of rounds that the relay has, by its own replay."""
    from shared.client import Client
    from shared.contract.payloads import ClientSensorData

    with Client(relay.url, since=0) as client:
        ids = []
        for event in client.events(timeout_s=3):
            if isinstance(event.body, ClientSensorData) and first <= event.body.id <= last:
                ids.append(event.body.id)
                if event.body.id == last:
                    break
    return ids


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of its requests."""

    def log_message(self, *_: object) -> None:
        """Nothing."""
