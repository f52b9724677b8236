"""Care for agents over HTTP: settings, log level, restart, diagnostics, and which version runs where."""

from http import HTTPStatus

import msgspec
from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.bodies import body_as, fields
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.care import Care
from server.state.devices import Registry
from shared.contract.payloads import CareAction, Payload
from shared.logs import LogLevel


class WantedLevel(Payload, frozen=True, kw_only=True):
    """The body of `PUT /api/devices/{id}/log-level`."""

    level: LogLevel


def care_routes(gatekeeper: Gatekeeper, registry: Registry, care: Care) -> Blueprint:
    """`/api/devices/{id}/settings`, `log-level`, `restart`, `diagnostics`; `/api/versions`."""
    routes = Blueprint("care", __name__)

    @routes.get("/api/devices/<device>/settings")
    def show(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.SETTINGS, by))

    @routes.patch("/api/devices/<device>/settings")
    def change(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.CHANGE, by, change=fields('{"sample_interval_s": 10}')))

    @routes.put("/api/devices/<device>/log-level")
    def level(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.LOG_LEVEL, by, level=str(body_as(WantedLevel).level)))

    @routes.post("/api/devices/<device>/restart")
    def restart(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.RESTART, by), HTTPStatus.ACCEPTED)

    @routes.get("/api/devices/<device>/diagnostics")
    def diagnostics(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(care.ask(device, CareAction.DIAGNOSTICS, by))

    @routes.get("/api/versions")
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
