"""Devices over HTTP: what the relay knows of each, and what people say of it."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as, fields
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.profiles import Profiles
from server.services.snapshot import Snapshots
from server.state.devices import Registry
from shared.contract.payloads import DeviceId, Payload
from shared.errors import Code, Refusal


class Replacement(Payload, frozen=True, kw_only=True):
    """The body of `POST /api/devices/{id}/replace`."""

    old: DeviceId
    """The device whose history goes on under this one's name."""


class Merge(Payload, frozen=True, kw_only=True):
    """The body of `POST /api/devices/{id}/merge`."""

    into: DeviceId
    """The device under whose name this one's history goes on."""


def device_routes(gatekeeper: Gatekeeper, registry: Registry, snapshots: Snapshots, profiles: Profiles) -> Blueprint:
    """`/api/devices`: list, show, change, retire, replace, merge, delete."""
    routes = Blueprint("devices", __name__)

    @routes.get("/api/devices")
    def every() -> Response:
        identity = allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(snapshots.take(identity.role))

    @routes.get("/api/devices/<device>")
    def one(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(registry.get(device).snapshot())

    @routes.patch("/api/devices/<device>")
    def change(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.change(device, fields('{"title": "Kitchen", "tags": ["ground floor"]}'), by))

    @routes.post("/api/devices/<device>/retire")
    def retire(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.change(device, {"retired": True}, by))

    @routes.post("/api/devices/<device>/replace")
    def replace(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.replace(body_as(Replacement).old, device, by))

    @routes.post("/api/devices/<device>/merge")
    def merge(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.replace(device, body_as(Merge).into, by))

    @routes.delete("/api/devices/<device>")
    def delete(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        if request.args.get("confirm") != device:
            raise Refusal(Code.INVALID_PAYLOAD, f"nothing was deleted: say so with ?confirm={device}")
        profiles.delete(device, by)
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes
