"""Have a device train, over HTTP."""

from http import HTTPStatus

from flask import Blueprint, Response

from server.doors.http.answers import answer
from server.doors.http.describe import OPERATORS, Reply, operation
from server.doors.http.session import allow
from server.security.identity import Gatekeeper, Role
from server.services.training import Training
from shared.contract.payloads import Ack
from shared.errors import Code


def training_routes(gatekeeper: Gatekeeper, training: Training) -> Blueprint:
    """`POST /api/devices/{id}/train`."""
    routes = Blueprint("training", __name__)

    @routes.post("/api/devices/<device>/train")
    @operation(
        "Have a device train its forecaster now.",
        Reply(Ack, status=HTTPStatus.ACCEPTED, description="It has been told; what comes of it is an event."),
        group="Care",
        roles=OPERATORS,
        refusals=(
            Code.UNKNOWN_DEVICE,
            Code.DEVICE_OFFLINE,
            Code.NO_ANSWER,
            Code.UNKNOWN_EVENT,
            Code.BUSY,
            Code.QUEUE_FULL,
            Code.RETIRED,
        ),
    )
    def train(device: str) -> Response:
        by = allow(gatekeeper, Role.OPERATOR).name
        return answer(training.request(device, by), HTTPStatus.ACCEPTED)

    return routes
