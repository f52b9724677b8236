"""Have a device train, over HTTP."""

from http import HTTPStatus

from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.training import Training


def training_routes(gatekeeper: Gatekeeper, training: Training) -> Blueprint:
    """`POST /api/devices/{id}/train`."""
    routes = Blueprint("training", __name__)

    @routes.post("/api/devices/<device>/train")
    def train(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(training.request(device, by), HTTPStatus.ACCEPTED)

    return routes
