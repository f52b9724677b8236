"""Training from afar: asked for on the page, by program and by hand, seen live on every page, whatever restarts."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support import browser as browsers
from tests.support import processes
from tests.support.processes import RelayProcess, wait_for

PAST = {"HARDWARE__SIMULATION__PAST_DAYS": "8"}
NOTE_PROGRESS = """
window.seen = [];
new MutationObserver(() => {
  const bar = document.querySelector('[data-testid="training-progress-pi-1"]');
  if (bar && window.seen.at(-1) !== bar.value) window.seen.push(bar.value);
}).observe(document.body, {subtree: true, childList: true, attributes: true});
"""

on_the_page = [
    pytest.mark.browser,
    pytest.mark.skipif(browsers.chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not browsers.built(), reason="the page is not built: make dashboard"),
]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with processes.relay(tmp_path / "relay") as running:
        yield running


@pytest.fixture
def agent(relay: RelayProcess, tmp_path: Path) -> Iterator[None]:
    """A simulated agent with a past; it has trained once, by itself, and forecasts."""
    with processes.agent(tmp_path / "agent", relay.url, **PAST):
        wait_for("it forecasts", lambda: relay.device("pi-1").get("insight", {}).get("forecast"), 60)
        yield


@pytest.fixture
def pages() -> Iterator[list[Any]]:
    with browsers.launched() as running:
        yield [browsers.watched(running.new_context(viewport={"width": 1280, "height": 900})) for _ in range(2)]


def version(relay: RelayProcess) -> int:
    return relay.device("pi-1")["training"].get("model_version") or 0


@pytest.mark.usefixtures("agent")
class TestOnePage:
    pytestmark = on_the_page

    def test_a_job_that_one_page_asks_for_is_seen_by_all_from_its_start_to_its_plot(
        self, relay: RelayProcess, pages: list[Any]
    ) -> None:
        from playwright.sync_api import expect

        for page in pages:
            page.goto(relay.url)
            expect(page.get_by_test_id("forecast-pi-1")).to_contain_text("in 60 min")
            expect(page.get_by_test_id("training-pi-1")).to_contain_text("model 1")
            page.evaluate(NOTE_PROGRESS)
        asking, watching = pages
        asking.get_by_test_id("train-pi-1").focus()
        asking.keyboard.press("Enter")
        for page in pages:
            expect(page.get_by_test_id("training-pi-1")).to_contain_text("model 2", timeout=30_000)
            assert page.evaluate("window.seen.length") > 1, "the bar moved"
            result = page.get_by_test_id("training-result-pi-1")
            expect(result.locator("svg")).to_have_count(2)
            expect(result.locator("svg").first).to_be_visible()
            expect(result).to_contain_text("as it stays")
            assert page.errors == []
        watching.goto(f"{relay.url}/#/log/pi-1")
        log = relay.get("/api/devices/pi-1/log?kind=training&kind=profile")["entries"]
        news = [entry["training"]["phase"] for entry in log if entry["kind"] == "training"]
        assert news == ["finished", "started"] * 2, "how far it was is no news"
        [asked] = [entry["profile"] for entry in log if entry["kind"] == "profile"]
        assert asked["change"]["train"] == log[0]["training"]["command"]
        assert asked["by"]

    def test_a_relay_that_restarts_in_the_middle_shows_the_end_all_the_same(
        self, relay: RelayProcess, pages: list[Any]
    ) -> None:
        from playwright.sync_api import expect

        page = pages[0]
        page.goto(relay.url)
        expect(page.get_by_test_id("training-pi-1")).to_contain_text("model 1")
        page.get_by_test_id("train-pi-1").click()
        expect(page.get_by_test_id("training-pi-1")).to_have_attribute("data-running", "true")
        relay.process.kill()
        with processes.relay(relay.state, port=relay.port) as again:
            told = again.device("pi-1")["insight"]
            assert {one["minutes"] for one in told["forecast"]} == {10, 60}, "kept, not told anew"
            expect(page.get_by_test_id("training-pi-1")).to_contain_text("model 2", timeout=40_000)
            expect(page.get_by_test_id("training-pi-1")).to_have_attribute("data-running", "false")


@pytest.mark.usefixtures("agent")
def test_one_job_at_a_time_and_every_refusal_has_its_code(relay: RelayProcess) -> None:
    before = version(relay)
    with ThreadPoolExecutor(4) as askers:
        answers = list(askers.map(lambda _: relay.http("POST", "/api/devices/pi-1/train"), range(4)))
    taken = [body for status, body in answers if status == 202]
    refused = [(status, body["code"]) for status, body in answers if status != 202]
    assert [body["code"] for body in taken] == ["accepted"]
    assert refused == [(409, "busy")] * 3
    wait_for("the end", lambda: version(relay) == before + 1, 30)
    assert relay.device("pi-1")["training"]["command"] == taken[0]["command"]
    status, body = relay.http("POST", "/api/devices/nobody/train")
    assert (status, body["code"]) == (404, "unknown_device")


@pytest.mark.usefixtures("agent")
def test_the_command_line_waits_for_the_result(relay: RelayProcess) -> None:
    done = relay.cli("device", "train", "pi-1", "--wait", timeout_s=60)
    assert done.returncode == 0, done.stderr
    assert "model 2" in done.stdout
    assert done.stdout.count("temperature") == done.stdout.count("humidity") == 2


def test_a_device_without_a_history_says_why_it_does_not_train(relay: RelayProcess, tmp_path: Path) -> None:
    with processes.agent(tmp_path / "agent", relay.url):
        wait_for("it is there", lambda: relay.device("pi-1").get("online"))
        done = relay.cli("device", "train", "pi-1", "--wait", timeout_s=60)
        assert (done.returncode, "insufficient data" in done.stderr) == (1, True), done.stderr
    wait_for("it is gone", lambda: not relay.device("pi-1")["online"])
    status, body = relay.http("POST", "/api/devices/pi-1/train")
    assert (status, body["code"]) == (409, "device_offline")
