"""How every HTTP answer and error looks: JSON, with the same stable codes as an ack."""

import logging
from http import HTTPStatus

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from server.metrics import Metrics
from shared.contract.payloads import Ack
from shared.errors import Code, Refusal
from shared.wire import StrictJson

log = logging.getLogger(__name__)

STATUS: dict[Code, HTTPStatus] = {
    Code.MALFORMED: HTTPStatus.BAD_REQUEST,
    Code.INVALID_PAYLOAD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    Code.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.UNKNOWN_DEVICE: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_ACCESSORY: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_GROUP: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_COMMAND: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_QUANTITY: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_ALERT: HTTPStatus.NOT_FOUND,
    Code.UNKNOWN_RULE: HTTPStatus.NOT_FOUND,
    Code.INVALID_SETTING: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.DEVICE_OFFLINE: HTTPStatus.CONFLICT,
    Code.NO_ANSWER: HTTPStatus.GATEWAY_TIMEOUT,
    Code.UNKNOWN_EVENT: HTTPStatus.CONFLICT,
    Code.BUSY: HTTPStatus.CONFLICT,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.RETIRED: HTTPStatus.CONFLICT,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.QUEUE_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of a refusal; 500 where none is named."""

_FROM_WERKZEUG = {
    400: Code.MALFORMED,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.TOO_LARGE,
    415: Code.MALFORMED,
}


def answer(body: object, status: HTTPStatus = HTTPStatus.OK, media: str = "application/json") -> Response:
    """`body` (a payload or what JSON can say) as a JSON response."""
    return Response(StrictJson.dumps(body), status=status, mimetype=media)


def handle_errors(app: Flask, metrics: Metrics) -> None:
    """Answer every error of a view in JSON."""

    def refused(refusal: Refusal) -> Response:
        metrics.refusal("http", refusal.code)
        return answer(Ack.refused(refusal), STATUS.get(refusal.code, HTTPStatus.INTERNAL_SERVER_ERROR))

    def of_werkzeug(error: HTTPException) -> Response:
        code = _FROM_WERKZEUG.get(error.code or 500, Code.INTERNAL)
        response = refused(Refusal(code))
        response.status_code = error.code or 500
        return response

    def unexpected(_: Exception) -> Response:
        # The caller gets a code, the log gets all of it.
        log.exception("view failed")
        return refused(Refusal(Code.INTERNAL))

    app.register_error_handler(Refusal, refused)
    app.register_error_handler(HTTPException, of_werkzeug)
    app.register_error_handler(Exception, unexpected)
