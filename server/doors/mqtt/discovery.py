"""What Home Assistant is told of a device: pure functions, in the words of its MQTT device discovery.

Every component has a state of its own in one JSON message per device. Nothing but this discovery and the availability
is retained: a value that a broker kept would look fresh to a Home Assistant that was restarted.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from shared import VERSION
from shared.contract.payloads import AccessoryInfo, DeviceSnapshot
from shared.contract.quantities import known

ON, OFF = "ON", "OFF"
ONLINE, OFFLINE = "online", "offline"
PRESS = "PRESS"
CLEAN = "clean"
MOTION = "motion"

_CLASSES = {
    "temperature": "temperature",
    "skin_temperature": "temperature",
    "cpu_temperature": "temperature",
    "humidity": "humidity",
    "PM1.0": "pm1",
    "PM2.5": "pm25",
    "PM10": "pm10",
    "aqi": "aqi",
    "co2": "carbon_dioxide",
    "coPpm": "carbon_monoxide",
    "tvoc": "volatile_organic_compounds_parts",
    "uptime": "duration",
}
_UNITS = {"%RH": "%", "1/min": "bpm"}
"""Home Assistant's own word for a unit."""
_DIAGNOSTIC = ("cpu_", "memory_", "disk_", "uptime", "under_voltage", "throttled")


@dataclass(frozen=True)
class Topics:
    """Where what of one device is said."""

    prefix: str
    discovery: str
    device: str

    @property
    def slug(self) -> str:
        """The device's name as a level of a topic that Home Assistant takes: letters, digits, _ and -."""
        slug = re.sub(r"[^A-Za-z0-9_-]", "_", self.device)
        if slug == self.device:
            return slug
        # Two names must not become one.
        return f"{slug}_{hashlib.sha256(self.device.encode()).hexdigest()[:6]}"

    @property
    def config(self) -> str:
        """Where Home Assistant looks for it."""
        return f"{self.discovery}/device/{self.prefix}_{self.slug}/config"

    @property
    def state(self) -> str:
        """Where all of its values are."""
        return f"{self.prefix}/{self.slug}/state"

    @property
    def availability(self) -> str:
        """Where it is said to be there or not."""
        return f"{self.prefix}/{self.slug}/availability"

    def command(self, what: str) -> str:
        """Where Home Assistant says that an accessory is to be switched, or (`clean`) everything off."""
        return f"{self.prefix}/{self.slug}/{what}/set"


def bridge_topic(prefix: str) -> str:
    """Where the relay itself is said to be there."""
    return f"{prefix}/bridge/availability"


def config(device: DeviceSnapshot, topics: Topics) -> dict[str, Any]:
    """The discovery message of a device: what it is, and a component for each thing that it has."""
    profile = device.profile
    unique = f"{topics.prefix}_{topics.slug}"
    components: dict[str, Any] = {}
    for name in sorted(device.readings):
        components[_key(name)] = _sensor(name, device.readings[name].stale_after_s) | {
            "unique_id": f"{unique}_{_key(name)}"
        }
    for info in device.infos:
        components[_key(info.accessory)] = _switch(info, topics) | {"unique_id": f"{unique}_{_key(info.accessory)}"}
    if any(info.sensor for info in device.infos):
        components[MOTION] = {
            "p": "binary_sensor",
            "name": "Motion",
            "device_class": "motion",
            "payload_on": ON,
            "payload_off": OFF,
            "value_template": "{{ value_json.motion }}",
            "unique_id": f"{unique}_{MOTION}",
        }
    if any(not info.sensor for info in device.infos):
        components[CLEAN] = {
            "p": "button",
            "name": "Everything off",
            "command_topic": topics.command(CLEAN),
            "payload_press": PRESS,
            "unique_id": f"{unique}_{CLEAN}",
        }
    about: dict[str, Any] = {
        "ids": [unique],
        "name": (profile.title if profile else None) or device.device,
        "mf": "Breathlight",
        "mdl": "Simulated Pi" if device.simulated else "Device",
    }
    if profile is not None and profile.place:
        about["sa"] = profile.place
    return {
        "dev": about,
        "o": {"name": "breathlight", "sw": VERSION},
        "cmps": components,
        "state_topic": topics.state,
        "availability": [{"topic": bridge_topic(topics.prefix)}, {"topic": topics.availability}],
        "availability_mode": "all",
        "qos": 1,
    }


def state(device: DeviceSnapshot, fresh: set[str]) -> dict[str, Any]:
    """The state message: each reading that is in `fresh`, null where it is not; each accessory as it was read back."""
    said: dict[str, Any] = {
        _key(name): reading.value if name in fresh else None for name, reading in device.readings.items()
    }
    said |= {_key(one.accessory): ON if one.status else OFF for one in device.accessories}
    if device.motion is not None:
        said[MOTION] = ON if device.motion.motion else OFF
    return said


def _sensor(name: str, stale_after_s: float | None) -> dict[str, Any]:
    quantity = known(name)
    base = name if name in _CLASSES else name.rpartition(".")[0]
    told: dict[str, Any] = {
        "p": "sensor",
        "name": quantity.title if quantity is not None and quantity.name == name else name,
        "state_class": "measurement",
        "value_template": f"{{{{ value_json.{_key(name)} }}}}",
    }
    if base in _CLASSES:
        told["device_class"] = _CLASSES[base]
    if quantity is not None:
        told["suggested_display_precision"] = quantity.decimals
        if quantity.unit:
            told["unit_of_measurement"] = _UNITS.get(quantity.unit, quantity.unit)
    if name.startswith(_DIAGNOSTIC):
        told["entity_category"] = "diagnostic"
    if stale_after_s is not None:
        told["expire_after"] = max(1, round(stale_after_s))
    return told


def _switch(info: AccessoryInfo, topics: Topics) -> dict[str, Any]:
    return {
        "p": "light" if info.kind == "breathing_light" or info.accessory == "breath_light" else "switch",
        "name": info.title or info.accessory.replace("_", " ").capitalize(),
        "command_topic": topics.command(info.accessory),
        "payload_on": ON,
        "payload_off": OFF,
        # A switch shows what was read back, never what was asked for.
        "optimistic": False,
        **(
            {"state_value_template": f"{{{{ value_json.{_key(info.accessory)} }}}}"}
            if info.kind == "breathing_light" or info.accessory == "breath_light"
            else {"value_template": f"{{{{ value_json.{_key(info.accessory)} }}}}"}
        ),
    }


def _key(name: str) -> str:
    """A quantity's or accessory's name as a template can write it."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)
