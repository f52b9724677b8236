"""The HTTP side of the MQTT sensors' door."""

from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.describe import VIEWERS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import SensorStatus
from server.doors.mqtt.sensors import MqttSensors
from server.security.identity import Gatekeeper, Role


def mqtt_routes(gatekeeper: Gatekeeper, sensors: MqttSensors) -> Blueprint:
    """`GET /websocket/status`."""
    routes = Blueprint("mqtt", __name__)

    @routes.get("/websocket/status")
    @operation("How the door of the MQTT sensors is.", Reply(SensorStatus), group="MQTT sensors", roles=VIEWERS)
    def status() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(
            {
                "success": True,
                "connectedClients": sensors.pages,
                "websocketEnabled": True,
                "brokerConnected": sensors.connected,
            }
        )

    return routes
