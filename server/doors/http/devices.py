"""Devices and their history over HTTP."""

from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.snapshot import Snapshots
from server.state.devices import Registry


def device_routes(gatekeeper: Gatekeeper, registry: Registry, snapshots: Snapshots) -> Blueprint:
    """`GET /api/devices`, `GET /api/devices/{id}`."""
    routes = Blueprint("devices", __name__)

    @routes.get("/api/devices")
    def every() -> Response:
        identity = allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(snapshots.take(identity.role))

    @routes.get("/api/devices/<device>")
    def one(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(registry.get(device).snapshot())

    return routes
