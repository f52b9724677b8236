"""What happened at a device, newest first, merged from the tables that know of it.

A further source is one line of `SOURCES`: its kind, its table, when it was, its key, and what is told of it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Connection, and_, or_, select, text

from server.storage.dialect import Dialect
from server.storage.engine import Database
from server.storage.tables import (
    NEWS,
    alerts,
    availability,
    commands,
    devices,
    events,
    profile_changes,
    streams,
)
from shared.contract.events import ACCESSORIES, FURTHER, MODEL_TRAIN_PUB_PI, MOTION_PUB_PI

MAX_ENTRIES = 500
"""Entries in one answer."""


class Position(Struct, frozen=True, order=True):
    """Where in a log an entry stands; a later one is greater."""

    at_ms: int
    table: int
    id: int


class Entry(Struct, frozen=True):
    """One thing that happened. `fields` are what its source tells, in the order of its columns."""

    kind: str
    position: Position
    fields: list[Any]


@dataclass(frozen=True)
class Source:
    """One table with something to tell of a device."""

    kind: str
    at: Column[Any]
    id: Column[Any]
    columns: tuple[Column[Any], ...]
    of: Callable[[str], ColumnElement[bool]]
    """Which of its rows are a device's."""


def _by_name(column: Column[Any]) -> Callable[[str], ColumnElement[bool]]:
    return lambda device: column == device


def _logged(chosen: ColumnElement[bool]) -> Callable[[str], ColumnElement[bool]]:
    def of(device: str) -> ColumnElement[bool]:
        own = select(streams.c.id).join(devices).where(devices.c.name == device)
        return and_(text(NEWS), events.c.stream_id.in_(own), chosen)

    return of


_STATUSES = or_(
    events.c.event.in_([known.status.name for known in ACCESSORIES.values()]),
    events.c.event.startswith(f"{FURTHER.status.name}/", autoescape=True),
)
# How far a job is, is no news of the device: its beginning and its end are.
_TRAINED = and_(events.c.event == MODEL_TRAIN_PUB_PI.name, ~events.c.body.contains('"phase":"progress"'))
_EVENT = (events.c.event, events.c.body, events.c.cursor)

SOURCES: tuple[Source, ...] = (
    Source("state", events.c.received_at, events.c.cursor, _EVENT, _logged(_STATUSES)),
    Source("motion", events.c.received_at, events.c.cursor, _EVENT, _logged(events.c.event == MOTION_PUB_PI.name)),
    Source("training", events.c.received_at, events.c.cursor, _EVENT, _logged(_TRAINED)),
    Source("command", commands.c.asked_at, commands.c.id, tuple(commands.columns), _by_name(commands.c.device)),
    Source(
        "availability",
        availability.c.at,
        availability.c.id,
        (availability.c.online, availability.c.reason, availability.c.flapping),
        _by_name(availability.c.device),
    ),
    Source("alert", alerts.c.opened_at, alerts.c.id, (alerts.c.body,), _by_name(alerts.c.device)),
    Source(
        "profile",
        profile_changes.c.at,
        profile_changes.c.id,
        (profile_changes.c.changed_by, profile_changes.c.change),
        _by_name(profile_changes.c.device),
    ),
)
KINDS = tuple(source.kind for source in SOURCES)
_TABLES = list(dict.fromkeys(source.id.table for source in SOURCES))


class Log:
    """Reads the logs of devices. Every call blocks the calling greenlet alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, device: str, kinds: Iterable[str], before: Position | None, limit: int) -> list[Entry]:
        """The newest `limit` entries of `kinds` before a position. Raises `DatabaseFailed`."""
        wanted = [source for source in SOURCES if source.kind in set(kinds)]
        dialect = self._database.dialect

        def read(connection: Connection) -> list[list[Entry]]:
            return [_read(dialect, connection, source, device, before, limit) for source in wanted]

        # Each part is as long as the whole may be, so the newest of all are among them.
        parts = self._database.read(read)
        return list(islice(merge(*parts, key=lambda entry: entry.position, reverse=True), limit))


def _read(
    dialect: Dialect, connection: Connection, source: Source, device: str, before: Position | None, limit: int
) -> list[Entry]:
    table = _TABLES.index(source.id.table)
    chosen = (
        select(source.at.label("happened"), source.id.label("key"), *source.columns)
        .where(source.of(device), _earlier(table, source, before))
        .order_by(source.at.desc(), source.id.desc())
        .limit(limit)
    )
    return [
        Entry(source.kind, Position(at_ms, table, id_), fields)
        for at_ms, id_, *fields in dialect.rows(connection, chosen)
    ]


def _earlier(table: int, source: Source, before: Position | None) -> ColumnElement[bool]:
    """What stands before `before`: of one millisecond, by the tables' order, then by their keys."""
    if before is None:
        return source.at.is_not(None)
    if table < before.table:
        return source.at <= before.at_ms
    if table > before.table:
        return source.at < before.at_ms
    return or_(source.at < before.at_ms, and_(source.at == before.at_ms, source.id < before.id))
