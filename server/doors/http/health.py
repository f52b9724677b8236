"""`/healthz` for whoever watches the service (open), `/metrics` for Prometheus (needs a viewer)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from server.doors.http.answers import answer
from server.doors.http.describe import OPEN, VIEWERS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Health
from server.metrics import Metrics
from server.security.identity import Gatekeeper, Role
from shared import VERSION
from shared.contract import CONTRACT_VERSION


def health_routes(gatekeeper: Gatekeeper, metrics: Metrics, database_ok: Callable[[], bool]) -> Blueprint:
    """Health and metrics."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    @operation(
        "Whether the relay works.",
        Reply(Health),
        Reply(Health, status=HTTPStatus.SERVICE_UNAVAILABLE, description="It cannot store anything just now."),
        group="Service",
        roles=OPEN,
    )
    def healthz() -> tuple[Response, int]:
        ok = database_ok()
        database: Literal["ok", "unavailable"] = "ok" if ok else "unavailable"
        body = Health(ok=ok, version=VERSION, contract=CONTRACT_VERSION, database=database)
        return answer(body), 200 if ok else 503

    @routes.get("/metrics")
    @operation("Figures for Prometheus.", Reply(media="text/plain"), group="Service", roles=VIEWERS, download=True)
    def show_metrics() -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return Response(metrics.text(), content_type=CONTENT_TYPE_LATEST)

    return routes
