"""The page's views in a real browser, at a relay that says what the test tells it to.

States that real devices rarely reach; the same page at real processes is in `test_browser`.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.clock import iso_utc
from shared.contract.payloads import (
    AccessoryInfo,
    AccessoryState,
    Alert,
    CommandResult,
    DeviceProfile,
    DeviceSnapshot,
    DeviceStatus,
    LastReading,
    Payload,
    SafeState,
    SensorData,
    Snapshot,
)
from shared.wire import StrictJson
from tests.support import browser as browsers
from tests.support.processes import ROOT
from tests.support.scripted_relay import ORIGIN, ScriptedRelay

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browsers.chromium() is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.skipif(not browsers.built(), reason="the page is not built: make dashboard"),
]

AXE = ROOT / "server" / "dashboard" / "node_modules" / "axe-core" / "axe.min.js"
FAN = AccessoryInfo.build(accessory="fan", kind="switch", title="Fan", safe=SafeState.OFF)
LIGHT = AccessoryInfo.build(accessory="breath_light", kind="breathing_light", safe=SafeState.OFF)


def stamp(seconds: float = 0) -> str:
    """The time so many seconds from now."""
    return iso_utc(datetime.now(UTC) + timedelta(seconds=seconds))


def plain(body: Payload) -> dict[str, Any]:
    """A contract's body as the wire has it."""
    decoded = json.loads(StrictJson.dumps(body))
    assert isinstance(decoded, dict)
    return decoded


def reported(accessory: str, status: bool, **more: Any) -> AccessoryState:
    at = stamp(-1)
    return AccessoryState.build(
        accessory=accessory, status=status, datatime="2026-03-01 12:00:00", reported_at=at, **more
    )


def device(name: str, online: bool = True, **more: Any) -> DeviceSnapshot:
    fields: dict[str, Any] = {
        "device": name,
        "online": online,
        "since": stamp(-600),
        "sample_interval_s": 30,
        "status_interval_s": 10,
        "infos": (LIGHT, FAN),
        "accessories": (reported("breath_light", True, cause="user", by="ann", id=1), reported("fan", False)),
        "readings": {"temperature": LastReading.build(value=21.4, unit="°C", taken_at=stamp(-1))},
    }
    return DeviceSnapshot.build(**(fields | more))


def learned() -> DeviceSnapshot:
    """A device that forecasts, finds things unusual, and has just been trained to no avail in one respect."""
    course = [21.0 + number / 10 for number in range(48)]
    points = [(minutes, {"value": 21.5, "low": 21.0, "high": 22.0}) for minutes in (10, 60)]
    kinds = (("stuck", "warning"), ("silent", "critical"), ("spike", "info"), ("unusual_motion", "warning"))
    names = ("temperature", "humidity")
    reading = LastReading.build(value=48.0, unit="%RH", taken_at=stamp(-1))
    return device(
        "pi-1",
        readings={"temperature": LastReading.build(value=21.4, unit="°C", taken_at=stamp(-1)), "humidity": reading},
        insight={
            "scores": {"temperature": 0.62},
            "findings": [
                {
                    "kind": kind,
                    "active": True,
                    "severity": severity,
                    "quantity": name,
                    "cause": "seen",
                    "at": stamp(-60),
                }
                for (kind, severity), name in zip(kinds, (*names, "temperature", "motion"), strict=True)
            ],
            "forecast": [{"quantity": name, "minutes": minutes} | point for name in names for minutes, point in points],
            "forecast_at": stamp(-60),
            "model": 3,
        },
        training={
            "status": False,
            "datatime": "2026-03-01 12:00:00",
            "accessory": "face_model",
            "phase": "finished",
            "job": "j",
            "taken_at": stamp(-60),
            "model_version": 3,
            "horizons": [
                {"quantity": name, "minutes": 60, "mae": 0.2, "mae_persistence": 0.3, "gate": gate}
                for name, gate in zip(names, (1.0, 0.0), strict=True)
            ],
            "plot": [
                {
                    "quantity": name,
                    "at_ms": [number * 600_000 for number in range(48)],
                    "truth": course,
                    "forecast": course,
                }
                for name in names
            ],
        },
    )


def alert(name: str, of: str | None, severity: str = "warning", **more: Any) -> Alert:
    fields = {"alert": name, "rule": "too-hot", "device": of, "severity": severity, "state": "open"}
    return Alert.build(**(fields | {"opened_at": stamp(-300), "message": f"{name} is the matter"} | more))


def result(relay: ScriptedRelay, name: str, state: str, **more: Any) -> None:
    command = f"c{len(relay.commands)}"
    fields = {"command": command, "device": name, "action": "off", "state": state, "code": state, "at": stamp()}
    relay.tell("command_result_pub_client", plain(CommandResult.build(**(fields | more))))


Answers = Mapping[str, Callable[[Mapping[str, list[str]], Any], tuple[int, Any]]]
Joined = tuple[ScriptedRelay, Any]
Joins = Callable[..., Joined]


@pytest.fixture
def join(browser: Any) -> Iterator[Joins]:
    """Open the page at a relay that knows these devices and alerts."""
    contexts: list[Any] = []

    def joined(
        *devices: DeviceSnapshot,
        alerts: tuple[Alert, ...] = (),
        role: str = "operator",
        view: str = "",
        answers: Answers | None = None,
        **context: Any,
    ) -> Joined:
        contexts.append(browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context)))
        snapshot = Snapshot.build(at=stamp(), role=role, cursor=1, devices=devices, contract="1.0", alerts=alerts)
        known = answers or {}
        relay = ScriptedRelay(
            contexts[-1], plain(snapshot), lambda name, query, body: known[name](query, body) if name in known else None
        )
        tab = browsers.watched(contexts[-1])
        tab.goto(f"{ORIGIN}/{view}")
        return relay, tab

    yield joined
    for context in contexts:
        context.close()


def test_an_off_for_a_device_that_is_away_waits_only_if_somebody_says_so(join: Joins) -> None:
    from playwright.sync_api import expect

    relay, page = join(device("pi-1", online=False, reason="connection_lost", flapping=True))
    expect(page.get_by_test_id("since-pi-1")).to_contain_text("the connection was lost")
    expect(page.get_by_text("flapping")).to_be_visible()
    expect(page.get_by_test_id("btn-pi-1-breath_light-on")).to_be_disabled()
    page.get_by_test_id("btn-pi-1-breath_light-off").click()
    page.keyboard.press("Escape")
    assert relay.commands == []
    page.get_by_test_id("btn-pi-1-breath_light-off").click()
    dialog = page.get_by_role("dialog", name="Breath light of pi-1 off?")
    dialog.get_by_test_id("queue-span").select_option("28800")
    dialog.get_by_test_id("btn-pi-1-breath_light-off-confirm").click()
    tile = page.get_by_test_id("accessory-pi-1-breath_light")
    expect(tile).to_have_attribute("data-pending", "true")
    assert relay.commands == [
        {"action": "off", "accessory": "breath_light", "device": "pi-1", "queue": True, "ttl_s": 28800}
    ]
    result(relay, "pi-1", "queued", accessory="breath_light", expires_at=stamp(28800))
    expect(tile).to_have_attribute("data-queued", "true")
    expect(tile).to_contain_text("cancelled by a newer command")
    expect(tile).to_have_attribute("data-reported", "on")
    result(relay, "pi-1", "expired", accessory="breath_light", message="Its time ended before the device came back.")
    expect(tile).to_contain_text("Its time ended before the device came back. expired")
    expect(tile).to_have_attribute("data-reported", "on")


def test_a_light_is_turned_on_with_a_lease_and_as_it_shall_breathe(join: Joins) -> None:
    from playwright.sync_api import expect

    relay, page = join(device("pi-1"))
    page.get_by_test_id("btn-pi-1-breath_light-lease").select_option("600")
    page.get_by_test_id("btn-pi-1-breath_light-light").click()
    page.get_by_test_id("btn-pi-1-breath_light-light-level").fill("0.4")
    page.get_by_test_id("btn-pi-1-breath_light-light-apply").click()
    tile = page.get_by_test_id("accessory-pi-1-breath_light")
    expect(tile).to_have_attribute("data-pending", "true")
    assert relay.commands == [
        {"action": "on", "accessory": "breath_light", "device": "pi-1", "lease_s": 600, "light": {"level": 0.4}}
    ]
    state = reported("breath_light", True, device="pi-1", cause="user", by="ann", lease_left_s=599, desired=True, id=9)
    relay.tell("accessory_status_pub_client", plain(state))
    result(relay, "pi-1", "verified", action="on", accessory="breath_light", elapsed_ms=23.0)
    expect(tile.get_by_test_id("lease")).to_have_text("for another 9 min, then off")
    expect(tile.get_by_test_id("why")).to_contain_text("by ann")


def test_everything_off_names_those_that_did_not_answer(join: Joins) -> None:
    from playwright.sync_api import expect

    kitchen = DeviceProfile.build(device="pi-2", title="Kitchen window", tags=("fans",))
    relay, page = join(device("pi-1"), device("pi-2", profile=kitchen), device("pi-3", online=False))
    page.get_by_test_id("btn-all-clean").click()
    dialog = page.get_by_role("dialog", name="Turn everything off on all 3 devices?")
    expect(dialog).to_contain_text("Queue it for the one that is offline")
    page.get_by_test_id("btn-all-clean-confirm").click()
    note = page.get_by_test_id("all-note")
    expect(note).to_have_attribute("data-pending", "true")
    result(relay, "pi-1", "verified", action="clean")
    result(relay, "pi-2", "failed", action="clean", code="no_answer")
    result(relay, "pi-3", "queued", action="clean", expires_at=stamp(3600))
    expect(note).to_contain_text("1 of 3 confirmed, 1 queued, 1 not done")
    expect(page.get_by_test_id("all-silent")).to_have_text("Did not answer: Kitchen window")
    assert relay.commands == [{"action": "clean", "all": True, "queue": True, "ttl_s": 3600}]


def test_a_group_is_switched_as_a_group(join: Joins) -> None:
    from playwright.sync_api import expect

    profiles = [DeviceProfile.build(device=f"pi-{n}", tags=("fans",) if n < 3 else ()) for n in (1, 2, 3)]
    relay, page = join(*(device(one.device, profile=one) for one in profiles))
    page.get_by_test_id("filter-tag").select_option("fans")
    expect(page.get_by_test_id("device-pi-3")).to_have_count(0)
    page.get_by_test_id("all-accessory").select_option("fan")
    page.get_by_test_id("btn-all-fan-on").click()
    expect(page.get_by_test_id("all-note")).to_contain_text("Fan on")
    assert relay.commands == [{"action": "on", "accessory": "fan", "tag": "fans"}]


def test_alerts_come_live_and_are_acknowledged_and_closed(join: Joins) -> None:
    from playwright.sync_api import expect

    first = alert("a1", "pi-1")
    answers: Answers = {
        "POST /api/alerts/a1/acknowledge": lambda _, __: (
            200,
            plain(alert("a1", "pi-1", state="acknowledged", acknowledged_by="ann", acknowledged_at=stamp())),
        ),
        "GET /api/alerts": lambda query, _: (
            200,
            {"alerts": [plain(alert("a0", "pi-1", state="closed"))], "before": None},
        ),
    }
    relay, page = join(device("pi-1"), alerts=(first,), answers=answers)
    expect(page.get_by_test_id("device-alerts-pi-1")).to_contain_text("a1 is the matter")
    relay.tell("alert_pub_client", plain(alert("site", None, "critical", message="Site offline: 40 of 41 are away")))
    expect(page.get_by_test_id("site-alerts")).to_contain_text("Site offline")
    expect(page.get_by_test_id("bell")).to_have_attribute("data-open", "2")
    page.get_by_test_id("bell").click()
    page.get_by_test_id("btn-alert-a1-acknowledge").click()
    expect(page.get_by_test_id("bell")).to_have_attribute("data-open", "1")
    page.get_by_test_id("alerts-acknowledged").click()
    expect(page.get_by_test_id("alert-a1")).to_contain_text("acknowledged by ann")
    relay.tell("alert_pub_client", plain(alert("a1", "pi-1", state="closed", closed_at=stamp())))
    expect(page.get_by_test_id("alert-a1")).to_have_count(0)
    page.get_by_test_id("alerts-closed").click()
    expect(page.get_by_test_id("alert-a1")).to_contain_text("over by itself")
    expect(page.get_by_test_id("alert-a0")).to_be_visible()


def test_a_device_is_named_and_calibrated_and_deleted_only_by_its_name(join: Joins) -> None:
    from playwright.sync_api import expect

    answers: Answers = {
        "PATCH /api/devices/pi-1": lambda _, __: (200, {}),
        "DELETE /api/devices/pi-1": lambda _, __: (204, None),
    }
    relay, page = join(device("pi-1"), view="#settings/pi-1", answers=answers)
    sample = SensorData.build(
        id=1,
        device="pi-1",
        stream="s",
        datetime="2026-03-01 12:00:00",
        taken_at=stamp(),
        fail=(),
        data={"temperature": 21.0},
    )
    page.get_by_test_id("profile-form").wait_for()
    relay.tell("sensor_data_pub_client", plain(sample))
    row = page.get_by_test_id("calibration-temperature")
    expect(row.get_by_test_id("raw")).to_have_text("21.0°C")
    row.get_by_test_id("offset-temperature").fill("−0,4")
    expect(row.get_by_test_id("shown")).to_have_text("20.6°C")
    page.get_by_test_id("field-title").fill("Kitchen window")
    page.get_by_test_id("field-tags").fill("fans, ground")
    page.get_by_test_id("profile-save").click()
    expect(page.get_by_text("Saved", exact=True)).to_be_visible()
    change = {"title": "Kitchen window", "tags": ["fans", "ground"], "calibration": {"temperature": -0.4}}
    assert relay.requests == [("PATCH /api/devices/pi-1", change)]
    expect(page.get_by_test_id("delete")).to_be_disabled()
    relay.tell("device_status_pub_client", plain(DeviceStatus.build(device="pi-1", online=False, since=stamp())))
    page.get_by_test_id("delete").click()
    expect(page.get_by_test_id("delete-confirm")).to_be_disabled()
    page.get_by_test_id("delete-name").fill("pi-1")
    page.get_by_test_id("delete-confirm").click()
    expect(page.get_by_test_id("settings-view")).to_have_count(0)
    assert relay.requests[-1] == ("DELETE /api/devices/pi-1", None)


def behind(name: str, **more: Any) -> dict[str, Any]:
    fields = {"name": name, "address": "192.168.1.42", "doors": ["/client"], "transport": "websocket"}
    waiting = {"waiting_events": 312, "waiting_bytes": 4_180_000, "dropped": 0, "conflated": 3}
    return fields | {"since": stamp(-95)} | waiting | more


def standing(*slow: dict[str, Any]) -> dict[str, Any]:
    totals = {"connections": 47, "dropped": 1280, "conflated": 3, "notices": 1, "closed": 0}
    return totals | {"behind": slow, "bound_events": 2000, "bound_bytes": 4_194_304}


def test_operators_see_who_is_behind_and_that_nobody_is(join: Joins) -> None:
    from playwright.sync_api import expect

    told = [standing(behind("kitchen-tablet", dropped=1280)), standing()]
    answers: Answers = {"GET /api/connections": lambda _, __: (200, told.pop(0) if len(told) > 1 else told[0])}
    _, page = join(device("pi-1"), answers=answers)
    page.get_by_test_id("to-connections").click()
    row = page.get_by_test_id("connections-behind").locator("li")
    expect(row).to_contain_text("kitchen-tablet")
    expect(row).to_contain_text("behind for 1 min")
    expect(row).to_contain_text("4.2 MB wait in 312 events")
    expect(row).to_contain_text("left out")
    expect(page.get_by_test_id("connections-fine")).to_contain_text("Everybody keeps up.")
    expect(row).to_have_count(0)


def test_a_page_that_was_left_something_out_asks_for_it_and_shows_all_of_it(join: Joins) -> None:
    from playwright.sync_api import expect

    relay, page = join(device("pi-1"))

    def motion(number: int, **more: Any) -> dict[str, Any]:
        return {"id": number, "stream": "s", "device": "pi-1", "motion": True, "count": number, "cursor": number} | more

    lines = page.get_by_test_id("activity").locator("li")
    relay.tell("motion_pub_client", motion(1))
    expect(lines).to_have_count(1)
    relay.replay = lambda _: [("motion_pub_client", motion(number, replayed=True)) for number in (1, 2, 3, 4)]
    relay.tell("error_pub", {"code": "missed", "message": "2 events were left out", "missed": 2, "since": 1})
    relay.tell("motion_pub_client", motion(4))
    relay.tell("motion_pub_client", motion(5))
    expect(lines).to_have_count(5)
    assert relay.replays == [1]


def test_one_who_may_only_look_is_told_so_and_has_no_controls(join: Joins) -> None:
    from playwright.sync_api import expect

    _, page = join(device("pi-1"), device("pi-2"), alerts=(alert("a1", "pi-1"),), role="viewer")
    expect(page.get_by_test_id("viewer-note")).to_be_visible()
    expect(page.get_by_test_id("accessory-pi-1-fan")).to_be_visible()
    assert page.locator("[data-testid^=btn-]").count() == 0
    expect(page.get_by_test_id("edit-pi-1")).to_have_count(0)


def test_everything_can_be_done_with_the_keys_alone(join: Joins) -> None:
    from playwright.sync_api import expect

    relay, page = join(device("pi-1"), alerts=(alert("a1", "pi-1"),))
    breathing = page.get_by_test_id("btn-pi-1-breath_light-light")
    breathing.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="How the light of pi-1 breathes")
    expect(panel).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(breathing).to_be_focused()
    clean = page.get_by_test_id("btn-pi-1-clean")
    clean.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_test_id("btn-pi-1-clean-confirm")).to_be_focused()
    page.keyboard.press("Enter")
    expect(clean).to_have_attribute("data-pending", "true")
    assert relay.commands == [{"action": "clean", "device": "pi-1"}]
    page.get_by_test_id("bell").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Alerts")).to_be_focused()
    page.go_back()
    expect(page.get_by_test_id("device-pi-1")).to_be_visible()


def test_a_thousand_devices_are_a_page_of_rows_and_can_be_searched(join: Joins) -> None:
    from playwright.sync_api import expect

    crowd = [
        device(f"pi-{n}", profile=DeviceProfile.build(device=f"pi-{n}", place=f"Floor {n % 7}")) for n in range(1000)
    ]
    _, page = join(*crowd)
    expect(page.locator(".device")).to_have_count(50)
    expect(page.get_by_test_id("pager")).to_contain_text("1–50 of 1000")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_test_id("device-pi-50")).to_be_visible()
    page.get_by_test_id("filter").fill("pi-77 floor")
    expect(page.locator(".device")).to_have_count(11)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.skipif(not AXE.exists(), reason="npm ci in server/dashboard")
def test_no_view_overflows_and_axe_finds_nothing(join: Joins, width: int, scheme: str) -> None:
    queued = CommandResult.build(
        command="q",
        device="pi-2",
        action="off",
        accessory="fan",
        state="queued",
        code="queued",
        at=stamp(),
        expires_at=stamp(60),
    )
    away = device("pi-2", online=False, reason="heartbeat_missed", flapping=True, commands=(queued,))
    alerts = (
        alert("a1", "pi-1"),
        alert("a2", "pi-2", "critical"),
        alert("a3", "pi-2", "info"),
        alert("s", None, "critical"),
    )
    lines = [
        {"at": stamp(-5), "kind": "command", "command": plain(queued)},
        {"at": stamp(-9), "kind": "state", "state": plain(reported("fan", True, cause="rule", by="hot"))},
    ]
    answers: Answers = {
        "GET /api/devices/pi-1/log": lambda _, __: (200, {"entries": lines, "before": None}),
        "GET /api/alerts": lambda _, __: (200, {"alerts": [], "before": None}),
        "GET /api/connections": lambda _, __: (200, standing(behind("kitchen-tablet", dropped=1280), behind(""))),
    }
    _, page = join(
        learned(),
        away,
        alerts=alerts,
        answers=answers,
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    for view, shown in (
        ("", "device-pi-2"),
        ("#alerts", "alert-s"),
        ("#log/pi-1", "log-lines"),
        ("#settings/pi-2", "delete"),
        ("#connections", "connections-behind"),
    ):
        page.goto(f"{ORIGIN}/{view}")
        page.get_by_test_id(shown).wait_for()
        if view == "":
            assert page.get_by_test_id("findings-pi-1").locator("li").count() == 4
            page.get_by_test_id("training-result-pi-1").locator("summary").click()
            page.get_by_text("no better than").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate(
            "axe.run().then(({violations}) => violations.map(({id, nodes}) => [id, nodes.map((n) => n.html)]))"
        )
        assert found == [], view
    assert page.errors == []
