"""Who keeps up with what is sent."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from flask import Blueprint, Response

from server.doors.guard import Guard
from server.doors.http.answers import answer
from server.doors.http.describe import OPERATORS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Connections, SlowConnection
from server.fanout.port import Port
from server.fanout.slow import Behind, Totals
from server.security.identity import Gatekeeper, Role
from shared.clock import Clock, iso_utc


def connection_routes(
    gatekeeper: Gatekeeper, port: Port, guards: Iterable[Guard], totals: Callable[[], Totals], clock: Clock
) -> Blueprint:
    """`GET /api/connections`; `totals` are those of all workers."""
    routes = Blueprint("connections", __name__)

    @routes.get("/api/connections")
    @operation("Connections that do not keep up.", Reply(Connections), group="Service", roles=OPERATORS)
    def connections() -> Response:
        allow(gatekeeper, Role.OPERATOR)
        terms, all_ = port.terms, totals()
        return answer(
            Connections(
                connections=port.connections(),
                behind=tuple(map(described, port.behind())),
                dropped=all_.dropped,
                conflated=all_.conflated,
                notices=all_.noticed,
                closed=all_.closed,
                bound_events=terms.events,
                bound_bytes=terms.bytes,
            )
        )

    def described(behind: Behind) -> SlowConnection:
        names = (guard.name_of(sid) for _, sid in behind.joined for guard in guards)
        return SlowConnection(
            name=next((name for name in names if name), ""),
            address=behind.address,
            doors=tuple(str(namespace) for namespace, _ in behind.joined),
            transport="websocket" if behind.lag.websocket else "polling",
            since=iso_utc(clock.now() - timedelta(seconds=behind.lag.age_s)),
            waiting_events=behind.lag.waiting_events,
            waiting_bytes=behind.lag.waiting_bytes,
            dropped=behind.lag.dropped,
            conflated=behind.lag.conflated,
        )

    return routes
