"""The events of the other doors, in the default namespace, each written once.

A door's events join `EVERY_DOOR` together with their handlers.
"""

from typing import Final

from shared.contract import door_payloads as bodies
from shared.contract.payloads import Payload
from shared.contract.spec import Delivery, EventSpec, Namespace, Role, WhenSlow


def _up(
    name: str, publisher: Role, body: type[Payload], description: str, *, addition: bool = False, raw: bool = False
) -> EventSpec:
    """An event that the relay takes."""
    return EventSpec(
        *(name, Namespace.ROOT, publisher, Role.RELAY, None, False, description, body, Delivery.LIVE),
        addition=addition,
        raw=raw,
    )


def _down(
    name: str,
    subscriber: Role,
    body: type[Payload],
    description: str,
    *,
    when_slow: WhenSlow,
    to_one: bool = False,
    addition: bool = False,
) -> EventSpec:
    """An event that the relay sends: to everyone whom the door serves, or to the one who asked."""
    return EventSpec(
        *(name, Namespace.ROOT, Role.RELAY, subscriber, None, not to_one, description, body, Delivery.LIVE),
        addition=addition,
        when_slow=when_slow,
    )


# --- stress monitor -------------------------------------------------------------------------------------------------

ESP32_SENSOR_DATA: Final = _up("esp32_sensor_data", Role.ESP32, bodies.StressReading, "One reading of a wearer.")
DATA_RECEIVED: Final = _down(
    "data_received", Role.ESP32, bodies.DataReceived, "What became of a reading.", to_one=True, when_slow=WhenSlow.KEEP
)
NEW_SENSOR_DATA: Final = _down(
    "new_sensor_data", Role.CLIENT, bodies.StressSample, "A reading was stored.", when_slow=WhenSlow.DROP
)
STRESS_ALERT: Final = _down(
    "stress_alert", Role.CLIENT, bodies.StressAlert, "Stress that lasted, to subscribers.", when_slow=WhenSlow.KEEP
)
CLIENT_STATS: Final = _down(
    "client_stats", Role.CLIENT, bodies.ClientStats, "Somebody came or went.", when_slow=WhenSlow.CONFLATE
)
FRONTEND_REQUEST_HISTORY: Final = _up(
    "frontend_request_history", Role.CLIENT, bodies.StressHistoryRequest, "Ask for stored readings."
)
HISTORY_DATA: Final = _down(
    "history_data", Role.CLIENT, bodies.StressHistory, "Stored readings.", to_one=True, when_slow=WhenSlow.KEEP
)
FRONTEND_SUBSCRIBE_ALERTS: Final = _up(
    "frontend_subscribe_alerts", Role.CLIENT, bodies.Empty, "Get stress alerts from now on."
)
ALERTS_SUBSCRIBED: Final = _down(
    "alerts_subscribed",
    Role.CLIENT,
    bodies.Subscribed,
    "It gets them.",
    to_one=True,
    addition=True,
    when_slow=WhenSlow.KEEP,
)
PING: Final = _up("ping", Role.CLIENT, bodies.Empty, "Is the relay there?")
PONG: Final = _down("pong", Role.CLIENT, bodies.Pong, "It is.", to_one=True, when_slow=WhenSlow.KEEP)
HEALTH_CHECK: Final = _up("health_check", Role.CLIENT, bodies.Empty, "How is the relay?")
HEALTH_STATUS: Final = _down(
    "health_status", Role.CLIENT, bodies.HealthStatus, "How it is.", to_one=True, when_slow=WhenSlow.KEEP
)

STRESS_MONITOR: Final = (
    ESP32_SENSOR_DATA,
    DATA_RECEIVED,
    NEW_SENSOR_DATA,
    STRESS_ALERT,
    CLIENT_STATS,
    FRONTEND_REQUEST_HISTORY,
    HISTORY_DATA,
    FRONTEND_SUBSCRIBE_ALERTS,
    ALERTS_SUBSCRIBED,
    PING,
    PONG,
    HEALTH_CHECK,
    HEALTH_STATUS,
)

# --- temperature page -----------------------------------------------------------------------------------------------

TEMPERATURE: Final = _down(
    "temperature",
    Role.CLIENT,
    bodies.LiveTemperature,
    "The temperature now, once a second.",
    when_slow=WhenSlow.CONFLATE,
)

TEMPERATURE_PAGE: Final = (TEMPERATURE,)

# --- telemetry ------------------------------------------------------------------------------------------------------

LOG_TELEMETRY: Final = _up(
    "log_telemetry", Role.PRODUCER, bodies.TelemetryPacket, "A packet for the loggers.", raw=True
)
LOG_TELEMETRY_OUT: Final = _down(
    LOG_TELEMETRY.name, Role.LOGGER, bodies.TelemetryPacket, "A packet of a producer.", when_slow=WhenSlow.DROP
)
TELEMETRY_LOG: Final = _up(
    "telemetry_log",
    Role.PRODUCER,
    bodies.TelemetryPacket,
    "The same, under the name that the original's code used.",
    raw=True,
)
TELEMETRY_LOG_OUT: Final = _down(
    TELEMETRY_LOG.name, Role.LOGGER, bodies.TelemetryPacket, "The same for loggers.", when_slow=WhenSlow.DROP
)
TELEMETRY_CHOOSE: Final = _up(
    "telemetry_choose", Role.LOGGER, bodies.TelemetryChoice, "Which sources a logger wants.", addition=True
)

TELEMETRY: Final = (LOG_TELEMETRY, LOG_TELEMETRY_OUT, TELEMETRY_LOG, TELEMETRY_LOG_OUT, TELEMETRY_CHOOSE)

# --- MQTT sensors ---------------------------------------------------------------------------------------------------

SENSOR_DATA: Final = _down(
    "sensorData", Role.CLIENT, bodies.MqttSensorData, "Readings that came in over MQTT.", when_slow=WhenSlow.DROP
)
CONNECTION_INFO: Final = _down(
    "connectionInfo",
    Role.CLIENT,
    bodies.ConnectionInfo,
    "To a page that connects.",
    to_one=True,
    when_slow=WhenSlow.KEEP,
)

MQTT_SENSORS: Final = (SENSOR_DATA, CONNECTION_INFO)

EVERY_DOOR: Final[tuple[EventSpec, ...]] = STRESS_MONITOR + TEMPERATURE_PAGE + TELEMETRY + MQTT_SENSORS
"""What the relay serves in the default namespace."""
