"""The stress monitor's door: readings of ESP32s come in, pages see them and are told of stress that lasts."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from server.doors.guard import Answer, Connection, Handler, Tell
from server.doors.moment import moment
from server.doors.root import ESP32, EVERYTHING, FRONTEND, STRESS_PAGES, sender, watches
from server.fanout.broadcast import Broadcast
from server.fanout.port import Port
from server.security.identity import Identity, Role
from server.services.stress import DOOR, StressMonitor, Taken, prediction_of
from shared.clock import Clock, iso_utc, monotonic_s
from shared.contract.door_events import (
    ALERTS_SUBSCRIBED,
    CLIENT_STATS,
    DATA_RECEIVED,
    ESP32_SENSOR_DATA,
    FRONTEND_REQUEST_HISTORY,
    FRONTEND_SUBSCRIBE_ALERTS,
    HEALTH_CHECK,
    HEALTH_STATUS,
    HISTORY_DATA,
    NEW_SENSOR_DATA,
    PING,
    PONG,
    STRESS_ALERT,
)
from shared.contract.door_payloads import (
    ClientStats,
    DataReceived,
    Empty,
    HealthStatus,
    Pong,
    StressAlert,
    StressHistory,
    StressHistoryRequest,
    StressReading,
    Subscribed,
)
from shared.contract.payloads import DeviceId, Payload, parse
from shared.contract.spec import EventSpec, Namespace
from shared.errors import Code, Refusal

ALERTS: Final = "doors:stress:alerts"
"""The room of pages that subscribed to alerts."""
_STATS_S = 0.5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Esp32Door:
    """Takes readings, by Socket.IO and for the HTTP fallback, and serves the stress monitor's pages."""

    def __init__(
        self, port: Port, broadcast: Broadcast, stress: StressMonitor, clock: Clock, healthy: Callable[[], bool]
    ) -> None:
        self._port = port
        self._broadcast = broadcast
        self._stress = stress
        self._clock = clock
        self._healthy = healthy
        self._kinds: dict[str, str | None] = {}
        self._subscribers: set[str] = set()
        self._told: ClientStats | None = None
        self._began_s = self._next_s = monotonic_s(clock)

    @property
    def uptime_s(self) -> float:
        """How long it has been served."""
        return monotonic_s(self._clock) - self._began_s

    def handlers(self) -> Mapping[EventSpec, Handler]:
        """See `Part`."""
        return {
            ESP32_SENSOR_DATA: self._sensor_data,
            FRONTEND_REQUEST_HISTORY: self._history,
            FRONTEND_SUBSCRIBE_ALERTS: self._subscribe,
            PING: self._ping,
            HEALTH_CHECK: self._health,
        }

    def tells(self) -> Mapping[EventSpec, Tell]:
        """See `Guard.bind`: a reading that is refused is answered like one that is taken."""
        return {ESP32_SENSOR_DATA: lambda sid, refusal: self._say(sid, DATA_RECEIVED, refused(refusal))}

    def joined(self, connection: Connection, kind: str | None) -> None:
        """See `Part`."""
        self._kinds[connection.sid] = kind
        if kind in (None, FRONTEND) and watches(connection.identity):
            self._broadcast.to_page(CLIENT_STATS, self.stats(), connection.sid)

    def left(self, connection: Connection) -> None:
        """See `Part`."""
        self._kinds.pop(connection.sid, None)
        self._subscribers.discard(connection.sid)

    def tick(self) -> None:
        """Tell pages who is here when that has changed, at most twice a second. Call it several times a second."""
        now = monotonic_s(self._clock)
        if now >= self._next_s and (stats := self.stats()) != self._told:
            self._next_s = now + _STATS_S
            self._told = stats
            self._broadcast.to_rooms(CLIENT_STATS, stats, EVERYTHING, STRESS_PAGES)

    def stats(self) -> ClientStats:
        """Who is connected."""
        kinds = list(self._kinds.values())
        return ClientStats.build(
            total_clients=len(kinds),
            esp32_clients=kinds.count(ESP32),
            frontend_clients=kinds.count(FRONTEND),
            subscribers=len(self._subscribers),
        )

    def health(self) -> HealthStatus:
        """How the relay is."""
        return HealthStatus.build(
            status="healthy" if self._healthy() else "degraded",
            timestamp=iso_utc(self._clock.now()),
            model=self._stress.model,
            clients=len(self._kinds),
        )

    # --- a reading ----------------------------------------------------------------------------------------------

    def receive(self, identity: Identity, body: StressReading) -> DataReceived:
        """Take a reading of `identity`, show it, and say what became of it. Raises `Refusal`."""
        name = parse(DeviceId, sender(identity, body.device_id, DOOR))
        if (body.stream is None) is not (body.id is None):
            raise Refusal(Code.INVALID_PAYLOAD, "`stream` and `id` belong together: without one the other says nothing")
        at = self._clock.now() if body.timestamp is None else moment(body.timestamp)
        taken = self._stress.take(name, body, at)
        self._show(taken)
        if taken.sample is None:
            return DataReceived.build(status="success")
        return DataReceived.build(
            status="success", record_id=taken.sample.id, stress_prediction=prediction_of(taken.sample)
        )

    def _show(self, taken: Taken) -> None:
        if taken.sample is None or not taken.fresh:
            return
        self._broadcast.to_rooms(NEW_SENSOR_DATA, taken.sample, EVERYTHING, STRESS_PAGES)
        if taken.alert is not None:
            alert = StressAlert.build(
                type=STRESS_ALERT.name,
                level=taken.alert.label,
                confidence=round(100 * taken.alert.confidence, 1),
                message=taken.alert.message,
                sensor_data=taken.sample,
            )
            self._broadcast.to_rooms(STRESS_ALERT, alert, ALERTS)

    # --- events -------------------------------------------------------------------------------------------------

    def _say(self, sid: str, spec: EventSpec, body: Payload) -> Payload:
        """Answer by an event, as the original does, and by the ack where one was asked for."""
        self._broadcast.to_page(spec, body, sid)
        return body

    def _sensor_data(self, connection: Connection, body: StressReading) -> Answer:
        return self._say(connection.sid, DATA_RECEIVED, self.receive(connection.identity, body))

    def _history(self, connection: Connection, body: StressHistoryRequest) -> Answer:
        _require_watching(connection)
        start = _EPOCH if body.start_date is None else _day(body.start_date)[0]
        # A device's clock may be ahead.
        end = self._clock.now() + timedelta(days=366) if body.end_date is None else _day(body.end_date)[1]
        samples = self._stress.newest(body.device_id, (start, end), body.limit)
        return self._say(connection.sid, HISTORY_DATA, StressHistory.build(data=samples))

    def _subscribe(self, connection: Connection, _: Empty) -> Answer:
        _require_watching(connection)
        self._subscribers.add(connection.sid)
        self._port.join(connection.sid, Namespace.ROOT, ALERTS)
        return self._say(connection.sid, ALERTS_SUBSCRIBED, Subscribed.build(status="subscribed"))

    def _ping(self, connection: Connection, _: Empty) -> Answer:
        return self._say(connection.sid, PONG, Pong.build(timestamp=iso_utc(self._clock.now())))

    def _health(self, connection: Connection, _: Empty) -> Answer:
        return self._say(connection.sid, HEALTH_STATUS, self.health())


def refused(refusal: Refusal) -> DataReceived:
    """What the sender of a reading is told that was not taken."""
    return DataReceived.build(status="error", code=refusal.code, message=refusal.message[:500])


def _require_watching(connection: Connection) -> None:
    if not watches(connection.identity):
        connection.identity.require(Role.VIEWER, Role.OPERATOR)


def _day(text: str) -> tuple[datetime, datetime]:
    """From when to when a date lasts; a moment lasts no time. UTC, where no zone is told. Raises `Refusal`."""
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        # No longer text than this is a date alone.
        return at, at + timedelta(days=1 if len(text) <= len("2026-01-31") else 0, milliseconds=1)
    except (ValueError, OverflowError):
        raise Refusal(
            Code.INVALID_PAYLOAD, f"{text[:40]!r} is no date and no time, such as 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from None
