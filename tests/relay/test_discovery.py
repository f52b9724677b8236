"""What Home Assistant is told of a device is what its documentation says it takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.doors.mqtt.discovery import Topics, config, state
from shared.contract.payloads import AccessoryInfo, DeviceProfile, DeviceSnapshot, LastReading
from shared.contract.quantities import QUANTITIES
from tests.support.home_assistant import problems

AT = "2026-03-01T12:00:00.000Z"


def snapshot(*quantities: str, device: str = "kitchen", accessories: tuple[AccessoryInfo, ...] = ()) -> DeviceSnapshot:
    reading = LastReading(value=21.0, taken_at=AT, stale_after_s=6.0)
    profile = DeviceProfile(device=device, title="Küche", place="ground floor")
    return DeviceSnapshot(
        device=device,
        online=True,
        since=AT,
        readings=dict.fromkeys(quantities, reading),
        infos=accessories,
        profile=profile,
    )


@pytest.mark.parametrize("quantity", [*QUANTITIES, "temperature.attic", "something else"])
def test_every_quantity_is_a_sensor_that_home_assistant_takes(quantity: str) -> None:
    assert problems(config(snapshot(quantity), Topics("breathlight", "homeassistant", "kitchen"))) == []


def test_accessories_are_a_light_a_switch_a_motion_sensor_and_a_button() -> None:
    infos = (
        AccessoryInfo(accessory="breath_light", kind="breathing_light"),
        AccessoryInfo(accessory="infrared_sensor", sensor=True, kind="infrared_watch"),
        AccessoryInfo(accessory="fan", title="Big fan", kind="switch"),
    )
    topics = Topics("breathlight", "homeassistant", "kitchen")
    told = config(snapshot("temperature", accessories=infos), topics)
    assert problems(told) == []
    platforms = {name: component["p"] for name, component in told["cmps"].items()}
    assert platforms == {
        "temperature": "sensor",
        "breath_light": "light",
        "infrared_sensor": "switch",
        "fan": "switch",
        "motion": "binary_sensor",
        "clean": "button",
    }
    assert told["cmps"]["fan"]["name"] == "Big fan"
    assert told["dev"]["name"] == "Küche"
    assert told["dev"]["sa"] == "ground floor"
    assert not any(component.get("optimistic") for component in told["cmps"].values())


def test_a_value_that_is_not_fresh_is_null() -> None:
    said = state(snapshot("temperature", "PM2.5"), {"temperature"})
    assert said == {"temperature": 21.0, "PM2_5": None}


_NAMES = st.from_regex(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", fullmatch=True)


@given(one=_NAMES, other=_NAMES)
def test_topics_are_allowed_and_two_devices_never_share_one(one: str, other: str) -> None:
    topics = [Topics("breathlight", "homeassistant", name) for name in (one, other)]
    assert all(re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", topic.config) for topic in topics)
    assert (topics[0].state == topics[1].state) is (one == other)
