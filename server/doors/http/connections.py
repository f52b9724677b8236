"""Who keeps up with what is sent."""

from collections.abc import Iterable
from datetime import timedelta

from flask import Blueprint, Response

from server.doors.guard import Guard
from server.doors.http.answers import answer
from server.doors.http.describe import OPERATORS, Reply, operation
from server.doors.http.session import allow
from server.doors.http.shapes import Connections, SlowConnection
from server.fanout.port import Port
from server.fanout.slow import Behind
from server.security.identity import Gatekeeper, Role
from shared.clock import Clock, iso_utc


def connection_routes(gatekeeper: Gatekeeper, port: Port, guards: Iterable[Guard], clock: Clock) -> Blueprint:
    """`GET /api/connections`."""
    routes = Blueprint("connections", __name__)

    @routes.get("/api/connections")
    @operation("Connections that do not keep up.", Reply(Connections), group="Service", roles=OPERATORS)
    def connections() -> Response:
        allow(gatekeeper, Role.OPERATOR)
        terms = port.terms
        return answer(
            Connections(
                connections=port.connections(),
                behind=tuple(map(described, port.behind())),
                dropped=terms.tally.dropped,
                conflated=terms.tally.conflated,
                notices=terms.tally.noticed,
                closed=port.slow_consumers,
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
