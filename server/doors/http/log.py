"""A device's log over HTTP."""

from typing import Annotated

from flask import Blueprint, Response, request
from msgspec import Meta

from server.doors.http.answers import answer
from server.doors.http.bodies import number
from server.doors.http.describe import VIEWERS, Query, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Cursor, LogKind, LogPage
from server.security.identity import Gatekeeper, Role
from server.services.log import DeviceLog
from server.state.devices import Registry
from server.storage.log import MAX_ENTRIES
from shared.errors import Code

_ENTRIES = 50


def log_routes(gatekeeper: Gatekeeper, registry: Registry, log: DeviceLog) -> Blueprint:
    """`GET /api/devices/{id}/log?kind=&limit=&before=`."""
    routes = Blueprint("log", __name__)

    @routes.get("/api/devices/<device>/log")
    @operation(
        "What happened at a device, and why; newest first.",
        Reply(LogPage),
        group="History",
        roles=VIEWERS,
        query=(
            Query("kind", LogKind, "Entries of one kind; several: of any of them.", many=True),
            Query("limit", Annotated[int, Meta(ge=1, le=MAX_ENTRIES)], f"How many at most; {_ENTRIES} unless said."),
            Query("before", Cursor, "The page after the one that ended with this."),
        ),
        refusals=(Code.UNKNOWN_DEVICE,),
    )
    def page(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        registry.get(device)
        kinds, before = request.args.getlist("kind"), request.args.get("before")
        entries, more = log.page(device, kinds, before, number("limit", _ENTRIES))
        return answer({"entries": entries, "before": more})

    return routes
