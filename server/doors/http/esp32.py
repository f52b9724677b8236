"""The HTTP side of the stress monitor: the fallback for a reading, what there is, and the test page."""

from flask import Blueprint, Response, request

from server.doors.esp32 import Esp32Door, refused
from server.doors.http.answers import STATUS, answer
from server.doors.http.bodies import body_as
from server.doors.http.describe import EVERYBODY, VIEWERS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import StressDoor, StressHealth
from server.doors.root import ESP32, FRONTEND
from server.metrics import Metrics
from server.security.identity import Gatekeeper, Role, token_from
from server.security.rate import RateLimit
from server.services.stress import DOOR
from shared import VERSION
from shared.contract.door_events import ESP32_SENSOR_DATA, STRESS_MONITOR
from shared.contract.door_payloads import DataReceived, StressReading
from shared.contract.spec import Role as Party
from shared.errors import Code, Refusal

DATA = "/api/esp32/data"
_GROUP = "Stress monitor"
_REFUSALS = (Code.FORBIDDEN, Code.RATE_LIMITED, Code.CONFLICT, Code.RETIRED, Code.QUEUE_FULL)


def esp32_routes(gatekeeper: Gatekeeper, door: Esp32Door, rate: RateLimit, metrics: Metrics) -> Blueprint:
    """`POST /api/esp32/data`, `GET /api/websocket/info`, `GET /api/system/status`."""
    routes = Blueprint("esp32", __name__)

    @routes.post(DATA)
    @operation(
        "One reading, from a device that has no websocket. A refusal is an object with `status` `error`.",
        Reply(DataReceived, description="It was judged and stored."),
        group=_GROUP,
        roles=(Role.DEVICE,),
        body=StressReading,
        refusals=_REFUSALS,
        refused_with=DataReceived,
        example={"hr": 71, "temp": 33.1, "eda": 0.4},
    )
    def data() -> Response:
        try:
            identity = gatekeeper.identify(token_from(request.environ), Role.DEVICE)
            body = body_as(StressReading)
            rate.hit(identity.name if identity.token is not None else body.device_id or DOOR)
            taken = door.receive(identity, body)
        except Refusal as refusal:
            metrics.refusal(DOOR, refusal.code)
            return answer(refused(refusal), STATUS.get(refusal.code, STATUS[Code.UNAVAILABLE]))
        metrics.event(DOOR, ESP32_SENSOR_DATA.name, Code.STORED)
        return answer(taken)

    @routes.get("/api/websocket/info")
    @operation("How to connect, and who is.", Reply(StressDoor), group=_GROUP, roles=EVERYBODY)
    def info() -> Response:
        allow(gatekeeper, *Role)
        taken = [spec.name for spec in STRESS_MONITOR if spec.subscriber is Party.RELAY]
        return answer(
            {
                "status": "success",
                "path": "/socket.io/",
                "namespace": "/",
                "types": [ESP32, FRONTEND],
                "events": {"to_relay": taken, "from_relay": [s.name for s in STRESS_MONITOR if s.name not in taken]},
                "http_fallback": DATA,
                "test_page": "/api/websocket/test",
                "clients": door.stats(),
            }
        )

    @routes.get("/api/system/status")
    @operation("How the stress monitor is.", Reply(StressHealth), group=_GROUP, roles=VIEWERS)
    def status() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        health = door.health()
        return answer(
            {
                "status": health.status,
                "timestamp": health.timestamp,
                "version": VERSION,
                "uptime_s": round(door.uptime_s, 1),
                "model": health.model,
                "clients": door.stats(),
            }
        )

    return routes
