"""What was: charts, exports, replays, and all that the relay must know again after a restart."""

import logging
from collections.abc import Callable, Iterator

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, func, select, true

from server.storage import chart
from server.storage.chart import Chart
from server.storage.completeness import StreamLedger, stream_records
from server.storage.engine import Database
from server.storage.export import ExportFormat, export
from server.storage.failures import DatabaseFailed
from server.storage.fold import highest_given, marks_of
from server.storage.records import Device, LastValue, LoggedEvent, State
from server.storage.tables import devices, events, last_readings, latest, readings, series, streams
from shared import clock
from shared.clock import Clock
from shared.contract.events import SENSOR_DATA_PUB_PI
from shared.contract.payloads import SensorData
from shared.errors import Code, Refusal

log = logging.getLogger(__name__)

_SAME_AMONG = 10_000
"""Events among which a round without a value is looked for."""
MAX_REPLAY = 1_000
"""Events in one answer."""


class History:
    """Reads what the recorder wrote. Every call blocks the calling greenlet alone."""

    def __init__(self, database: Database, clock: Clock, settle: Callable[[], None] = lambda: None) -> None:
        """`settle` brings what is derived in line with the log: `Recorder.settle`, where there is one."""
        self._database = database
        self._clock = clock
        self._bring_in_line = settle
        self._behind = False

    def readings(self, device: str, quantity: str, from_ms: int, to_ms: int, points: int) -> Chart:
        """The readings of one quantity in at most `points` buckets, extremes kept, with the known gaps.

        Raises `Refusal`: `unknown_device`, `unknown_quantity`, `invalid_payload`.
        """
        self._settle()
        now_ms = clock.to_ms(self._clock.now())
        dialect = self._database.dialect
        return self._database.read(
            lambda connection: chart.draw(dialect, connection, device, quantity, (from_ms, to_ms), points, now_ms)
        )

    def export(
        self, device: str, quantities: tuple[str, ...], from_ms: int, to_ms: int, form: ExportFormat
    ) -> Iterator[bytes]:
        """The raw readings as text, piece by piece. Raises `Refusal`: `unknown_device`, `unknown_quantity`."""
        return export(self._database, device, quantities, from_ms, to_ms, form)

    def replay(self, since: int, limit: int) -> list[LoggedEvent]:
        """The events after cursor `since`, oldest first; fewer than `limit` (at most 1,000) at the end of the log.

        An event whose row is damaged is left out, and logged. Raises `Refusal` with `replay_incomplete` when retention
        has removed some of them, or when the cursor is one that this database never gave.
        """
        rows = self._database.read(lambda connection: self._after(connection, since, min(limit, MAX_REPLAY)))
        whole = [event for event, digest in rows if event.fingerprint() == digest]
        if len(whole) < len(rows):
            damaged = [event.cursor for event, digest in rows if event.fingerprint() != digest]
            log.error("damaged events left out of a replay: cursors=%s remedy=pi-relay doctor", damaged)
        return whole

    def has_round(self, device: str, body: SensorData) -> bool:
        """Whether a round of `device` says the same of the same moment; what calibration added aside.

        For what comes again from somebody who does not number what he sends.
        """
        if body.taken_at is None:
            return False
        taken_at = clock.to_ms(clock.parse_iso_utc(body.taken_at))
        measured = next((name for name, value in body.data.items() if value is not None), None)
        same = select(events.c.body).where(devices.c.name == device, events.c.event == SENSOR_DATA_PUB_PI.name)
        if measured is not None:
            # By the readings' key: however much there is of the device.
            found = events.join(readings, readings.c.cursor == events.c.cursor).join(series).join(devices)
            same = same.where(series.c.quantity == measured, readings.c.taken_at == taken_at)
        else:
            found = events.join(streams).join(devices)
            newest = select(func.max(events.c.cursor)).scalar_subquery()
            same = same.where(events.c.taken_at == taken_at, events.c.cursor > newest - _SAME_AMONG)
        rows = self._database.rows(same.select_from(found))
        return any(_raw(msgspec.json.decode(text, type=SensorData)) == _raw(body) for (text,) in rows)

    def latest_state(self, device: str | None = None) -> State:
        """What the relay must know again after a restart: of all devices, or of one."""
        self._settle()
        return self._database.read(lambda connection: self._state(connection, device))

    def devices(self) -> list[Device]:
        """All devices that were ever seen, by name."""
        return self._database.read(lambda connection: self._devices(connection, None))

    def completeness(self, device: str) -> list[StreamLedger]:
        """What became of each id of each stream of `device`. Raises `Refusal` with `unknown_device`."""
        self._settle()

        def run(connection: Connection) -> list[StreamLedger]:
            if connection.scalar(select(devices.c.id).where(devices.c.name == device)) is None:
                raise Refusal(Code.UNKNOWN_DEVICE)
            return [record.ledger() for record in stream_records(self._database.dialect, connection, device)]

        return self._database.read(run)

    def _settle(self) -> None:
        """On a full disk what is derived lags behind the log. It is shown as far as it goes: reading needs no room."""
        try:
            self._bring_in_line()
        except DatabaseFailed as failure:
            if not self._behind:
                self._behind = True
                log.warning("history lacks the newest events: reason=%s", failure.reason)
        else:
            self._behind = False

    def _after(self, connection: Connection, since: int, limit: int) -> list[tuple[LoggedEvent, str]]:
        if since < marks_of(connection).get("pruned", 0) or since > highest_given(connection):
            raise Refusal(Code.REPLAY_INCOMPLETE)
        chosen = logged().where(events.c.cursor > since).order_by(events.c.cursor).limit(limit)
        return [(LoggedEvent(*row), digest) for *row, digest in self._database.dialect.rows(connection, chosen)]

    def _devices(self, connection: Connection, device: str | None) -> list[Device]:
        chosen = select(devices.c.name, devices.c.first_seen, devices.c.last_seen, devices.c.info)
        rows = self._database.dialect.rows(connection, chosen.where(_of(device)).order_by(devices.c.name))
        return [Device(name, first, last, msgspec.json.decode(info)) for name, first, last, info in rows]

    def _state(self, connection: Connection, device: str | None) -> State:
        rows = self._database.dialect.rows
        values = (
            select(
                devices.c.name,
                series.c.quantity,
                last_readings.c.taken_at,
                last_readings.c.value,
                last_readings.c.cursor,
            )
            .select_from(last_readings.join(series).join(devices))
            .where(_of(device))
            .order_by(devices.c.name, series.c.quantity)
        )
        newest = (
            select(
                latest.c.cursor,
                devices.c.name,
                streams.c.name.label("stream"),
                latest.c.id,
                latest.c.event,
                latest.c.taken_at,
                latest.c.received_at,
                latest.c.body,
            )
            .select_from(
                latest.join(devices, devices.c.id == latest.c.device_id).join(
                    streams, streams.c.id == latest.c.stream_id
                )
            )
            .where(_of(device))
            .order_by(latest.c.cursor)
        )
        return State(
            devices=tuple(self._devices(connection, device)),
            readings=tuple(LastValue(*row) for row in rows(connection, values)),
            events=tuple(LoggedEvent(*row) for row in rows(connection, newest)),
        )


def _raw(body: SensorData) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value - body.calibration.get(name, 0.0), 6)
        for name, value in body.data.items()
    }


def _of(device: str | None) -> ColumnElement[bool]:
    return true() if device is None else devices.c.name == device


def logged() -> Select[tuple[object, ...]]:
    """The log: the fields of `LoggedEvent`, then the row's hash."""
    return select(
        events.c.cursor,
        devices.c.name,
        streams.c.name.label("stream"),
        events.c.id,
        events.c.event,
        events.c.taken_at,
        events.c.received_at,
        events.c.body,
        events.c.hash,
    ).select_from(events.join(streams).join(devices))
