"""Commands over HTTP: the same service, and so the same answers, as `/client`."""

from http import HTTPStatus

import msgspec
from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.commands import Commands
from shared.contract.payloads import CommandRequest, parse
from shared.errors import Code, Refusal
from shared.wire import StrictJson


def command_routes(gatekeeper: Gatekeeper, commands: Commands) -> Blueprint:
    """`POST /api/devices/{id}/commands`, `GET /api/commands/{id}`."""
    routes = Blueprint("commands", __name__)

    @routes.post("/api/devices/<device>/commands")
    def create(device: str) -> Response:
        identity = allow(gatekeeper, Role.OPERATOR)
        body = StrictJson.loads(request.get_data())
        if not isinstance(body, dict):
            raise Refusal(Code.INVALID_PAYLOAD, 'the body is an object: {"action": "off", "accessory": "breath_light"}')
        ack = commands.request(parse(CommandRequest, {**body, "device": device}), by=identity.name)
        response = answer(ack, HTTPStatus.ACCEPTED)
        response.headers["Location"] = f"/api/commands/{ack.command}"
        return response

    @routes.get("/api/commands/<command>")
    def show(command: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        found = commands.get(command)
        return answer(
            {
                "command": found.id,
                "by": found.by,
                "final": found.final,
                "request": msgspec.to_builtins(found.request),
                "results": [msgspec.to_builtins(result) for result in found.results.values()],
            }
        )

    return routes
