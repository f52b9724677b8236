"""History over HTTP: charts, exports, and the ledger that proves what is there."""

from datetime import datetime, timedelta

import msgspec
from flask import Blueprint, Response, request

from server.doors.http.answers import answer
from server.doors.http.bodies import Moment, number
from server.doors.http.describe import VIEWERS, Query, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Chart, Ledger
from server.security.identity import Gatekeeper, Role
from server.state.devices import Registry
from server.storage.export import ExportFormat
from server.storage.history import History
from shared.clock import Clock, parse_iso_utc, to_ms
from shared.contract.payloads import Count, Label
from shared.contract.quantities import QUANTITIES
from shared.errors import Code, Refusal

_POINTS = 400
_SPAN = timedelta(days=1)
_NOT_YET = (Code.UNKNOWN_DEVICE, Code.UNKNOWN_QUANTITY)
_GROUP = "History"
_SPANNED = (
    Query("from", Moment, "From when; 24 hours before the end unless said."),
    Query("to", Moment, "Until when; now unless said."),
)
_MIMETYPES = {ExportFormat.CSV: "text/csv", ExportFormat.NDJSON: "application/x-ndjson"}


def history_routes(gatekeeper: Gatekeeper, registry: Registry, history: History, clock: Clock) -> Blueprint:
    """`GET /api/devices/{id}/readings`, `readings.csv`, `readings.ndjson`, `ledger`."""
    routes = Blueprint("history", __name__)

    @routes.get("/api/devices/<device>/readings")
    @operation(
        "A chart of one quantity: downsampled, its extremes kept, with the known gaps.",
        Reply(Chart),
        group=_GROUP,
        roles=VIEWERS,
        query=(
            Query("quantity", Label, "Which one.", required=True, example="temperature"),
            *_SPANNED,
            Query("points", Count, f"How many at most; {_POINTS} unless said."),
        ),
        refusals=_NOT_YET,
    )
    def readings(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        quantity = request.args.get("quantity") or ""
        if not quantity:
            raise Refusal(Code.INVALID_PAYLOAD, "name a quantity: ?quantity=temperature")
        start, end = _span(clock.now())
        try:
            chart = history.readings(device, quantity, start, end, number("points", _POINTS))
        except Refusal as refusal:
            # A device that has just come for the first time: what it will measure is known, nothing is stored yet.
            if refusal.code in _NOT_YET and registry.knows(device) and quantity in QUANTITIES:
                unit = QUANTITIES[quantity].unit
                return answer({"device": device, "quantity": quantity, "unit": unit, "points": [], "gaps": []})
            raise
        return answer(
            {
                "device": chart.device,
                "quantity": chart.quantity,
                "unit": QUANTITIES[quantity].unit if quantity in QUANTITIES else "",
                "resolution": chart.resolution,
                "interval_ms": chart.interval_ms,
                "points": [[point.at_ms, point.mean, point.low, point.high] for point in chart.points],
                "gaps": [[gap.from_ms, gap.to_ms, gap.cause, gap.reason] for gap in chart.gaps],
            }
        )

    @routes.get("/api/devices/<device>/readings.<any(csv, ndjson):form>")
    @operation(
        "The readings as they were taken, as a text of any length.",
        Reply(media="text/csv"),
        Reply(media="application/x-ndjson"),
        group=_GROUP,
        roles=VIEWERS,
        query=(Query("quantity", Label, "Which ones; none: all.", many=True, example="temperature"), *_SPANNED),
        refusals=_NOT_YET,
        download=True,
    )
    def export(device: str, form: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        chosen = ExportFormat(form)
        start, end = _span(clock.now())
        quantities = tuple(request.args.getlist("quantity"))
        pieces = history.export(device, quantities, start, end, chosen)
        response = Response(pieces, mimetype=_MIMETYPES[chosen])
        response.headers["Content-Disposition"] = f'attachment; filename="{device}.{form}"'
        return response

    @routes.get("/api/devices/<device>/ledger")
    @operation(
        "Per stream: which ids are stored, missing, late or dropped, and why.",
        Reply(Ledger),
        group=_GROUP,
        roles=VIEWERS,
        refusals=(Code.UNKNOWN_DEVICE,),
    )
    def ledger(device: str) -> Response:
        allow(gatekeeper, Role.VIEWER, Role.OPERATOR)
        return answer({"device": device, "streams": msgspec.to_builtins(history.completeness(device))})

    return routes


def _span(now: datetime) -> tuple[int, int]:
    """`from` and `to` in milliseconds; by default the last 24 hours."""
    end = _moment("to", now)
    return to_ms(_moment("from", end - _SPAN)), to_ms(end)


def _moment(name: str, default: datetime) -> datetime:
    text = request.args.get(name)
    if text is None:
        return default
    try:
        return parse_iso_utc(text)
    except (ValueError, OverflowError):
        raise Refusal(
            Code.INVALID_PAYLOAD, f"{name}={text[:40]!r} is no ISO 8601 time with a zone, such as 2026-01-31T12:00:00Z"
        ) from None
