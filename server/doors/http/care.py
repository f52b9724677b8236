"""Care for agents over HTTP: settings, log level, restart, diagnostics, and which version runs where."""

from http import HTTPStatus
from typing import Any

import msgspec
from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as, fields
from server.doors.http.describe import OPERATORS, VIEWERS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Version
from server.security.identity import Gatekeeper, Role
from server.services.care import Care
from server.state.devices import Registry
from shared.contract.payloads import CareAction, Payload
from shared.errors import Code
from shared.logs import LogLevel

_GROUP = "Care"
_SAID = Reply(Any, description="What the agent says.")
_REFUSALS = (
    *(Code.UNKNOWN_DEVICE, Code.DEVICE_OFFLINE, Code.NO_ANSWER, Code.UNKNOWN_EVENT),
    *(Code.INVALID_PAYLOAD, Code.CONFLICT, Code.BUSY, Code.QUEUE_FULL),
)


class WantedLevel(Payload, frozen=True, kw_only=True):
    """The body of `PUT /api/devices/{id}/log-level`."""

    level: LogLevel


def care_routes(gatekeeper: Gatekeeper, registry: Registry, care: Care) -> Blueprint:
    """`/api/devices/{id}/settings`, `log-level`, `restart`, `diagnostics`; `/api/versions`."""
    routes = Blueprint("care", __name__)

    @routes.get("/api/devices/<device>/settings")
    @operation(
        "The settings that an agent uses, without secrets.", _SAID, group=_GROUP, roles=OPERATORS, refusals=_REFUSALS
    )
    def show(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.SETTINGS, by))

    @routes.patch("/api/devices/<device>/settings")
    @operation(
        "Change settings of an agent: checked, applied, and taken back when it does not come back with them.",
        _SAID,
        group=_GROUP,
        roles=OPERATORS,
        body=dict[str, Any],
        refusals=(*_REFUSALS, Code.INVALID_SETTING),
        example={"sample_interval_s": 2},
    )
    def change(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.CHANGE, by, change=fields('{"sample_interval_s": 10}')))

    @routes.put("/api/devices/<device>/log-level")
    @operation(
        "How much an agent logs, until it is restarted.",
        _SAID,
        group=_GROUP,
        roles=OPERATORS,
        body=WantedLevel,
        refusals=_REFUSALS,
        example={"level": "info"},
    )
    def level(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.LOG_LEVEL, by, level=str(body_as(WantedLevel).level)))

    @routes.post("/api/devices/<device>/restart")
    @operation(
        "Restart an agent.",
        Reply(Any, status=HTTPStatus.ACCEPTED, description="It restarts."),
        group=_GROUP,
        roles=OPERATORS,
        refusals=_REFUSALS,
    )
    def restart(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.RESTART, by), HTTPStatus.ACCEPTED)

    @routes.get("/api/devices/<device>/diagnostics")
    @operation(
        "Everything that helps to find an agent's fault, without secrets.",
        _SAID,
        group=_GROUP,
        roles=OPERATORS,
        refusals=_REFUSALS,
        download=True,
    )
    def diagnostics(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.DIAGNOSTICS, by))

    @routes.get("/api/versions")
    @operation("Which version runs where.", Reply(list[Version]), group=_GROUP, roles=VIEWERS)
    def versions() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer(
            [
                {
                    "device": device.name,
                    "online": device.online,
                    "version": device.hello.version,
                    "contract": device.hello.contract,
                    "about": msgspec.to_builtins(device.hello.about),
                }
                for device in registry
                if device.hello.door is None
            ]
        )

    return routes
