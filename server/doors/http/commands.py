"""Commands over HTTP: the same service, and so the same answers, as `/client`."""

from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response, request
from msgspec import Meta

from server.doors.http.answers import answer
from server.doors.http.bodies import device_wanted, number
from server.doors.http.describe import OPERATORS, VIEWERS, Query, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import CommandForDevice, CommandList, CommandRecord
from server.security.identity import Gatekeeper, Role
from server.services.commands import Commands, Records
from server.storage.commands import MAX_LISTED
from shared.contract.payloads import Ack, CommandRequest, CommandState, DeviceId, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_LISTED = 100
_GROUP = "Commands"
_REFUSALS = (
    *(Code.UNKNOWN_DEVICE, Code.UNKNOWN_ACCESSORY, Code.UNKNOWN_GROUP),
    *(Code.QUEUE_FULL, Code.RETIRED, Code.CONFLICT),
)
_TAKEN = Reply(
    Ack,
    status=HTTPStatus.ACCEPTED,
    description="On record, with its id; `GET /api/commands/{command}` tells what came of it.",
    headers={"Location": "Where to ask what came of it."},
)


def command_routes(gatekeeper: Gatekeeper, commands: Commands, records: Records) -> Blueprint:
    """`POST /api/commands`, `POST /api/devices/{id}/commands`, `GET /api/commands`, `GET /api/commands/{id}`."""
    routes = Blueprint("commands", __name__)

    @routes.post("/api/commands")
    @operation(
        "Ask for a command.",
        _TAKEN,
        group=_GROUP,
        roles=OPERATORS,
        body=CommandRequest,
        refusals=_REFUSALS,
        example={"device": "demo-pi", "action": "check", "accessory": "breath_light"},
    )
    def create() -> Response:
        return _create({})

    @routes.post("/api/devices/<device>/commands")
    @operation(
        "Ask one device for a command.",
        _TAKEN,
        group=_GROUP,
        roles=OPERATORS,
        body=CommandForDevice,
        refusals=_REFUSALS,
        example={"action": "on", "accessory": "breath_light", "lease_s": 60},
    )
    def create_for(device: str) -> Response:
        return _create({"device": device})

    def _create(target: dict[str, Any]) -> Response:
        identity = allow(gatekeeper, Role.OPERATOR)
        body = StrictJson.loads(request.get_data())
        if not isinstance(body, dict):
            raise Refusal(Code.INVALID_PAYLOAD, 'the body is an object: {"action": "off", "accessory": "breath_light"}')
        ack = commands.request(parse(CommandRequest, body | target), by=identity.name)
        response = answer(ack, HTTPStatus.ACCEPTED)
        response.headers["Location"] = f"/api/commands/{ack.command}"
        return response

    @routes.get("/api/commands")
    @operation(
        "The newest results.",
        Reply(CommandList),
        group=_GROUP,
        roles=VIEWERS,
        query=(
            Query("device", DeviceId, "Of one device."),
            Query("state", CommandState, "Of one state; several: of any of them.", many=True),
            Query("limit", Annotated[int, Meta(ge=1, le=MAX_LISTED)], f"How many at most; {_LISTED} unless said."),
        ),
    )
    def newest() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        states = tuple(parse(CommandState, state) for state in request.args.getlist("state"))
        return answer({"results": records.newest(device_wanted(), states, number("limit", _LISTED))})

    @routes.get("/api/commands/<command>")
    @operation(
        "One command, and where it stands at each device.",
        Reply(CommandRecord),
        group=_GROUP,
        roles=VIEWERS,
        refusals=(Code.UNKNOWN_COMMAND,),
    )
    def show(command: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        found = records.get(command)
        return answer(
            {
                "command": found.command,
                "by": found.by,
                "cause": found.cause,
                "final": found.final,
                "request": msgspec.to_builtins(found.request),
                "results": found.results,
                "silent": found.silent,
            }
        )

    return routes
