"""The bodies of the other doors: stress monitor, temperature page, telemetry, MQTT sensors.

As in `shared.contract.payloads`: the original's fields have no default, what is added is optional.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from shared.contract.payloads import Count, DeviceId, Key, Label, Payload, Text, Timestamp, Value
from shared.errors import Code

HeartRate = Annotated[float, Meta(ge=0, le=300, extra_json_schema={"unit": "1/min"})]
SkinTemperature = Annotated[float, Meta(ge=-40, le=125, extra_json_schema={"unit": "°C"})]
Eda = Annotated[float, Meta(ge=0, le=1000, extra_json_schema={"unit": "µS"})]
Share = Annotated[float, Meta(ge=0, le=1)]
Percent = Annotated[float, Meta(ge=0, le=100, extra_json_schema={"unit": "%"})]
Instant = Annotated[float, Meta(ge=0, le=1e13)] | Annotated[str, Meta(max_length=40)]
"""Unix time in seconds or in milliseconds, or ISO 8601."""


class Empty(Payload, frozen=True, kw_only=True):
    """An event that says all by its name. It may come without a body."""


# --- stress monitor -------------------------------------------------------------------------------------------------


class StressReading(Payload, frozen=True, kw_only=True):
    """What an ESP32 measured: heart rate, skin temperature, electrodermal activity."""

    hr: HeartRate
    temp: SkinTemperature
    eda: Eda
    timestamp: Instant | None = None
    """When; null: now."""
    device_id: DeviceId | None = None
    """Its name, in demo mode; elsewhere the token decides."""
    stream: Key | None = None
    """With `id`: a reading that is sent again is stored once."""
    id: Count | None = None


class StressPrediction(Payload, frozen=True, kw_only=True):
    """What the model makes of the last minute."""

    label: Label
    """normal, mild_stress, high_stress, or unknown."""
    confidence: Share
    """In percent in `new_sensor_data` and `stress_alert`."""
    reason: Text = ""
    """Why it is unknown, as a stable word: warming_up, gap, out_of_range, constant, late, clock_step, no_model, …"""


class DataReceived(Payload, frozen=True, kw_only=True):
    """The answer to a reading."""

    status: Literal["success", "error"]
    record_id: Count | None = None
    stress_prediction: StressPrediction | None = None
    code: Code | None = None
    message: Text | None = None


class StressSample(Payload, frozen=True, kw_only=True):
    """A stored reading with its prediction, as pages see it."""

    id: Count
    timestamp: Timestamp
    hr: HeartRate
    temp: SkinTemperature
    eda: Eda
    stress_level: Label
    confidence: Percent
    """In percent; in `data_received` it is a share."""
    device_id: DeviceId
    reason: Text = ""


class StressAlert(Payload, frozen=True, kw_only=True):
    """Stress that lasted, to those who subscribed."""

    type: Label
    """The event's own name, as the original says it twice."""
    level: Label
    confidence: Percent
    message: Text
    sensor_data: StressSample


class ClientStats(Payload, frozen=True, kw_only=True):
    """Who is connected to the stress monitor."""

    total_clients: Count
    esp32_clients: Count
    frontend_clients: Count
    subscribers: Count
    """Of alerts."""


class StressHistoryRequest(Payload, frozen=True, kw_only=True):
    """Ask for stored readings, newest first."""

    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100
    start_date: Annotated[str, Meta(max_length=40)] | None = None
    end_date: Annotated[str, Meta(max_length=40)] | None = None
    device_id: DeviceId | None = None


class StressHistory(Payload, frozen=True, kw_only=True):
    """Stored readings."""

    data: tuple[StressSample, ...]


class Pong(Payload, frozen=True, kw_only=True):
    """The answer to a ping."""

    timestamp: Timestamp


class Subscribed(Payload, frozen=True, kw_only=True):
    """The answer to a subscription."""

    status: Literal["subscribed"]


class HealthStatus(Payload, frozen=True, kw_only=True):
    """How the relay is."""

    status: Literal["healthy", "degraded"]
    timestamp: Timestamp
    model: Label | None = None
    """The stress model in use; null: none."""
    clients: Count = 0


# --- temperature page -----------------------------------------------------------------------------------------------


class LiveTemperature(Payload, frozen=True, kw_only=True):
    """The temperature now."""

    data: Annotated[str, Meta(pattern=r"^-?\d{1,3}\.\d{2}$", examples=["23.45"])]
    unit: Label = "°C"
    taken_at: Timestamp | None = None
    device: DeviceId | None = None
    simulated: bool = False


# --- telemetry ------------------------------------------------------------------------------------------------------


class TelemetryPacket(Payload, frozen=True, kw_only=True):
    """One packet of a producer. It is passed on as it is; these are the fields that the relay looks at."""

    source: Label | None = None
    """Whose: loggers choose by it."""
    time: Timestamp | None = None
    seq: Count | None = None
    values: Annotated[dict[Label, Value | None], Meta(max_length=256)] | None = None


class TelemetryChoice(Payload, frozen=True, kw_only=True):
    """Which sources a logger wants; none: all."""

    sources: Annotated[tuple[Label, ...], Meta(max_length=64)] = ()


# --- MQTT sensors ---------------------------------------------------------------------------------------------------


class MqttSensorData(Payload, frozen=True, kw_only=True):
    """What came in over MQTT from one device, as pages see it."""

    timestamp: Timestamp
    data: dict[str, Any]
    """`_id`, then each quantity of the original (temperature, aqi, coPpm, …), null where it is not known."""
    device: DeviceId | None = None


class ConnectionInfo(Payload, frozen=True, kw_only=True):
    """To a page that connects."""

    clientId: Label  # noqa: N815  # the original's name
    totalClients: Count  # noqa: N815  # the original's name
