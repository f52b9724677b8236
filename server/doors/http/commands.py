"""Commands over HTTP: the same service, and so the same answers, as `/client`."""

from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import number
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.commands import Commands, Records
from shared.contract.payloads import CommandRequest, CommandState, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson

_LISTED = 100


def command_routes(gatekeeper: Gatekeeper, commands: Commands, records: Records) -> Blueprint:
    """`POST /api/commands`, `POST /api/devices/{id}/commands`, `GET /api/commands`, `GET /api/commands/{id}`."""
    routes = Blueprint("commands", __name__)

    @routes.post("/api/commands")
    def create() -> Response:
        return _create({})

    @routes.post("/api/devices/<device>/commands")
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
    def newest() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        states = tuple(parse(CommandState, state) for state in request.args.getlist("state"))
        return answer({"results": records.newest(request.args.get("device"), states, number("limit", _LISTED))})

    @routes.get("/api/commands/<command>")
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
