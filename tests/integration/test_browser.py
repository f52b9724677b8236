"""The page in a real browser: values change, a switch shows what the device reported, nothing else."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import browser as browsers
from tests.support import processes
from tests.support.processes import Process, RelayProcess, wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browsers.chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not browsers.built(), reason="the page is not built: make dashboard"),
]


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that collects the errors of its console, for tests to look at."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield browsers.watched(context)
    context.close()


def accessory(page: Any, name: str) -> Any:
    return page.get_by_test_id(f"accessory-pi-1-{name}")


def press(page: Any, name: str, action: str) -> None:
    page.get_by_test_id(f"btn-pi-1-{name}-{action}").click()


@pytest.mark.usefixtures("agent")
def test_values_change_and_switches_show_what_the_device_reports(relay: RelayProcess, page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(relay.url)
    expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
    tile = page.get_by_test_id("tile-pi-1-temperature")
    expect(tile).to_be_visible()
    assert 5 < float(tile.get_attribute("data-value")) < 40
    first = tile.get_attribute("data-at")
    expect(tile).not_to_have_attribute("data-at", first)

    light = accessory(page, "breath_light")
    for action, state in (("on", "on"), ("off", "off"), ("on", "on")):
        press(page, "breath_light", action)
        expect(light).to_have_attribute("data-reported", state)
        expect(light).to_have_attribute("data-pending", "false")
    page.get_by_test_id("btn-pi-1-clean").click()
    page.get_by_test_id("btn-pi-1-clean-confirm").click()
    expect(light).to_have_attribute("data-reported", "off")
    assert page.errors == []


def test_a_dead_device_is_never_shown_as_switched(relay: RelayProcess, page: Any, tmp_path: Any) -> None:
    from playwright.sync_api import expect

    victim = processes.start_agent(tmp_path, relay.url, "victim")
    wait_for("it reports", lambda: relay.device("victim").get("accessories"))
    page.goto(relay.url + "/?device=victim")
    light = page.get_by_test_id("accessory-victim-breath_light")
    expect(light).to_have_attribute("data-reported", "off")
    os.kill(victim.popen.pid, 19)
    page.get_by_test_id("btn-victim-breath_light-on").click()
    expect(light).to_have_attribute("data-pending", "true")
    expect(light).to_have_attribute("data-reported", "off")
    victim.kill()
    # The link is cut, and whether the device had taken it is not known: the answer is awaited until the command's end.
    expect(light).to_have_attribute("data-pending", "false", timeout=40_000)
    expect(light).to_have_attribute("data-reported", "off")
    assert page.errors == []


def test_an_off_for_a_device_that_is_away_waits_until_it_is_back(relay: RelayProcess, page: Any, tmp_path: Any) -> None:
    from playwright.sync_api import expect

    with processes.agent(tmp_path, relay.url, "away"):
        wait_for("it reports", lambda: relay.device("away").get("accessories"))
        relay.cli("on", "led", "--device", "away")
    page.goto(relay.url + "/?device=away")
    light = page.get_by_test_id("accessory-away-breath_light")
    expect(light.get_by_test_id("truth-link")).to_contain_text("offline")
    page.get_by_test_id("btn-away-breath_light-off").click()
    page.get_by_test_id("btn-away-breath_light-off-confirm").click()
    expect(light).to_have_attribute("data-queued", "true")
    expect(light).to_contain_text("cancelled by a newer command")
    with processes.agent(tmp_path, relay.url, "away"):
        expect(light).to_have_attribute("data-queued", "false", timeout=20_000)
        expect(light).to_have_attribute("data-reported", "off")
    assert page.errors == []


@pytest.mark.usefixtures("agent")
def test_the_log_says_why_and_goes_on_while_one_looks(relay: RelayProcess, page: Any) -> None:
    from playwright.sync_api import expect

    relay.cli("on", "led", "--device", "pi-1")
    page.goto(relay.url)
    page.get_by_test_id("why-pi-1").click()
    lines = page.get_by_test_id("log-lines")
    expect(lines).to_contain_text("Breathing light is on")
    relay.cli("off", "led", "--device", "pi-1")
    expect(lines.locator("[data-kind=state]").first).to_contain_text("Breathing light is off")
    page.get_by_test_id("log-command").click()
    expect(lines.locator("[data-kind=command]").first).to_contain_text("Breathing light off: confirmed")
    expect(lines.locator("[data-kind=state]")).to_have_count(0)
    assert page.errors == []


@pytest.mark.usefixtures("agent")
def test_an_alert_comes_live_is_acknowledged_and_closed(relay: RelayProcess, page: Any) -> None:
    from playwright.sync_api import expect

    page.goto(relay.url)
    bell = page.get_by_test_id("bell")
    expect(bell).to_have_attribute("data-open", "0")
    relay.http("PUT", "/api/alerts/rules/warm", {"quantity": "temperature", "above": -30, "severity": "critical"})
    expect(bell).to_have_attribute("data-open", "1", timeout=15_000)
    alerts = page.get_by_test_id("device-alerts-pi-1")
    alerts.get_by_role("button", name="Acknowledge").click()
    expect(bell).to_have_attribute("data-open", "0")
    expect(alerts).to_contain_text("acknowledged by")
    relay.http("DELETE", "/api/alerts/rules/warm")
    bell.click()
    page.get_by_test_id("alerts-closed").click()
    expect(page.get_by_test_id("alerts-view")).to_contain_text("warm", timeout=15_000)
    assert page.errors == []


@pytest.mark.usefixtures("agent")
def test_a_name_and_a_calibration_are_seen_at_once_by_every_page(relay: RelayProcess, page: Any, browser: Any) -> None:
    from playwright.sync_api import expect

    other = browser.new_page()
    other.goto(relay.url)
    page.goto(relay.url + "/#settings/pi-1")
    row = page.get_by_test_id("calibration-temperature")
    expect(row.get_by_test_id("raw")).to_contain_text("°C")
    page.get_by_test_id("field-title").fill("Kitchen window")
    row.get_by_test_id("offset-temperature").fill("-2.5")
    page.get_by_test_id("profile-save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    expect(other.get_by_role("heading", name="Kitchen window")).to_be_visible()
    profile = relay.device("pi-1")["profile"]
    assert (profile["title"], profile["calibration"]) == ("Kitchen window", {"temperature": -2.5})
    relay.http("PATCH", "/api/devices/pi-1", {"title": None, "calibration": {}})
    expect(other.get_by_role("heading", name="pi-1")).to_be_visible()
    other.close()
    assert page.errors == []


@pytest.mark.usefixtures("agent")
def test_the_chart_is_not_empty_after_a_reload(relay: RelayProcess, page: Any) -> None:
    quarter = (datetime.now(UTC) - timedelta(minutes=15)).isoformat().replace("+00:00", "Z")
    path = f"/api/devices/pi-1/readings?quantity=temperature&from={quarter}"
    wait_for("a few points", lambda: len(relay.get(path)["points"]) > 3, 30)
    page.goto(relay.url)
    page.locator("[data-testid=chart-pi-1][data-loading=loaded]").wait_for()
    with page.expect_response(lambda response: "/readings?" in response.url and response.ok) as history:
        page.reload()
    assert history.value.json()["points"], "the chart's buckets are wide: a few may hold all that there is"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_sideways(relay: RelayProcess, browser: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    tab = context.new_page()
    tab.goto(relay.url)
    tab.get_by_test_id("tile-pi-1-temperature").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_the_page_asks_for_a_token_once_and_keeps_it(browser: Any, tmp_path: Any) -> None:
    from playwright.sync_api import expect

    with processes.relay(tmp_path, demo=False) as relay:
        token = relay.cli("token", "add", "ann", "--role", "viewer").stdout.strip()
        context = browser.new_context()
        tab = context.new_page()
        tab.goto(relay.url)
        tab.get_by_label("Token").fill("bl_wrong")
        tab.get_by_label("Token").press("Enter")
        # While it asks, Enter does nothing.
        expect(tab.get_by_role("alert")).to_have_attribute("data-bad", "true")
        expect(tab.get_by_test_id("token-form")).to_have_attribute("aria-busy", "false")
        tab.get_by_label("Token").fill(token)
        tab.get_by_label("Token").press("Enter")
        expect(tab.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        tab.reload()
        expect(tab.get_by_test_id("connection")).to_have_attribute("data-state", "connected")
        assert tab.evaluate("document.cookie") == ""
        context.close()


@pytest.mark.usefixtures("agent")
def test_the_page_says_when_the_relay_is_gone_and_comes_back_by_itself(page: Any, tmp_path: Any) -> None:
    from playwright.sync_api import expect

    first = processes.start_relay(tmp_path)
    page.goto(first.url)
    connection = page.get_by_test_id("connection")
    expect(connection).to_have_attribute("data-state", "connected")
    first.process.kill()
    expect(connection).not_to_have_attribute("data-state", "connected", timeout=15_000)
    second = processes.start_relay(tmp_path, port=first.port)
    expect(connection).to_have_attribute("data-state", "connected", timeout=40_000)
    second.process.stop()


def test_the_agent_is_still_well(agent: Process) -> None:
    assert agent.popen.poll() is None
