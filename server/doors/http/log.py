"""A device's log over HTTP."""

from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import number
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.log import DeviceLog
from server.state.devices import Registry

_ENTRIES = 50


def log_routes(gatekeeper: Gatekeeper, registry: Registry, log: DeviceLog) -> Blueprint:
    """`GET /api/devices/{id}/log?kind=&limit=&before=`."""
    routes = Blueprint("log", __name__)

    @routes.get("/api/devices/<device>/log")
    def page(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        registry.get(device)
        kinds, before = request.args.getlist("kind"), request.args.get("before")
        entries, more = log.page(device, kinds, before, number("limit", _ENTRIES))
        return answer({"entries": entries, "before": more})

    return routes
