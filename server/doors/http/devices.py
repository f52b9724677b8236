"""Devices over HTTP: what the relay knows of each, and what people say of it."""

from http import HTTPStatus

from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as, fields
from server.doors.http.describe import OPERATORS, VIEWERS, Query, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import ProfileChange
from server.security.identity import Gatekeeper, Role
from server.services.profiles import Profiles
from server.services.snapshot import Snapshots
from server.state.devices import Registry
from shared.contract.payloads import DeviceId, DeviceProfile, DeviceSnapshot, Payload, Snapshot
from shared.errors import Code, Refusal

_GROUP = "Devices"


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
    @operation("All that is known now, of every device.", Reply(Snapshot), group=_GROUP, roles=VIEWERS)
    def every() -> Response:
        identity = allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(snapshots.take(identity.role))

    @routes.get("/api/devices/<device>")
    @operation(
        "All that is known of one device now.",
        Reply(DeviceSnapshot),
        group=_GROUP,
        roles=VIEWERS,
        refusals=(Code.UNKNOWN_DEVICE,),
    )
    def one(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(registry.get(device).snapshot())

    @routes.patch("/api/devices/<device>")
    @operation(
        "Say of a device what it is called, where it is, what its groups are, what is added to its values.",
        Reply(DeviceProfile),
        group=_GROUP,
        roles=OPERATORS,
        body=ProfileChange,
        refusals=(Code.UNKNOWN_DEVICE,),
        example={"title": "Kitchen", "tags": ["ground floor"]},
    )
    def change(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.change(device, fields('{"title": "Kitchen", "tags": ["ground floor"]}'), by))

    @routes.post("/api/devices/<device>/retire")
    @operation(
        "Take a device out of service; its history stays.",
        Reply(DeviceProfile),
        group=_GROUP,
        roles=OPERATORS,
        refusals=(Code.UNKNOWN_DEVICE,),
    )
    def retire(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.change(device, {"retired": True}, by))

    @routes.post("/api/devices/<device>/replace")
    @operation(
        "Let the history of an old device go on under this one.",
        Reply(DeviceProfile),
        group=_GROUP,
        roles=OPERATORS,
        body=Replacement,
        refusals=(Code.UNKNOWN_DEVICE, Code.CONFLICT),
        example={"old": "old-pi"},
    )
    def replace(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.replace(body_as(Replacement).old, device, by))

    @routes.post("/api/devices/<device>/merge")
    @operation(
        "Let this device's history go on under another one's name: they were one all the time.",
        Reply(DeviceProfile),
        group=_GROUP,
        roles=OPERATORS,
        body=Merge,
        refusals=(Code.UNKNOWN_DEVICE, Code.CONFLICT),
        example={"into": "new-pi"},
    )
    def merge(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(profiles.replace(device, body_as(Merge).into, by))

    @routes.delete("/api/devices/<device>")
    @operation(
        "Remove a device that is not connected, with all that it has recorded.",
        Reply.empty("It is gone."),
        group=_GROUP,
        roles=OPERATORS,
        query=(Query("confirm", str, "The device's name once more.", required=True, example="demo-pi"),),
        refusals=(Code.UNKNOWN_DEVICE, Code.CONFLICT),
    )
    def delete(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        if request.args.get("confirm") != device:
            raise Refusal(Code.INVALID_PAYLOAD, f"nothing was deleted: say so with ?confirm={device}")
        profiles.delete(device, by)
        return Response(status=HTTPStatus.NO_CONTENT)

    return routes
