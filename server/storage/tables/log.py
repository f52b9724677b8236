"""The log of what devices say, and what is derived from it."""

from sqlalchemy import (
    Column,
    Double,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from server.storage.tables.base import Big, metadata
from shared.contract.events import SENSOR_DATA_PUB_PI

NEWS = f"event != '{SENSOR_DATA_PUB_PI.name}'"
"""What is in the index of `events`; a query uses it that says the same in the same words."""

devices = Table(
    "devices",
    metadata,
    Column("id", Big, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("first_seen", Big, nullable=False),
    Column("last_seen", Big, nullable=False),
    Column("info", Text, nullable=False, server_default="{}"),
)

streams = Table(
    "streams",
    metadata,
    Column("id", Big, primary_key=True),
    Column("device_id", Big, ForeignKey("devices.id"), nullable=False),
    Column("name", Text, nullable=False),
    # Events that came after one with a higher id.
    Column("late", Big, nullable=False, server_default="0"),
    UniqueConstraint("device_id", "name"),
)

series = Table(
    "series",
    metadata,
    Column("id", Big, primary_key=True),
    Column("device_id", Big, ForeignKey("devices.id"), nullable=False),
    Column("quantity", Text, nullable=False),
    # Before these times retention has removed the readings, and the minutes.
    Column("raw_since", Big),
    Column("minutes_since", Big),
    UniqueConstraint("device_id", "quantity"),
)

events = Table(
    "events",
    metadata,
    Column("cursor", Big, primary_key=True, autoincrement=False),
    Column("stream_id", Big, ForeignKey("streams.id"), nullable=False),
    Column("id", Big, nullable=False),
    Column("event", Text, nullable=False),
    Column("taken_at", Big, nullable=False),
    Column("received_at", Big, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("stream_id", "id"),
    # What is no round: a device's log and the answers to commands are few among them.
    Index("ix_events_news", "stream_id", "cursor", sqlite_where=text(NEWS), postgresql_where=text(NEWS)),
)

readings = Table(
    "readings",
    metadata,
    Column("series_id", Big, ForeignKey("series.id"), primary_key=True),
    Column("taken_at", Big, primary_key=True),
    # Part of the key: two rounds of one millisecond are two readings.
    Column("cursor", Big, primary_key=True),
    Column("value", Double, nullable=False),
    sqlite_with_rowid=False,
)


def _rollup(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("series_id", Big, ForeignKey("series.id"), primary_key=True),
        Column("start", Big, primary_key=True),
        Column("count", Big, nullable=False),
        Column("total", Double, nullable=False),
        Column("low", Double, nullable=False),
        Column("high", Double, nullable=False),
        sqlite_with_rowid=False,
    )


minutes = _rollup("minutes")
hours = _rollup("hours")

stored_ranges = Table(
    "stored_ranges",
    metadata,
    Column("stream_id", Big, ForeignKey("streams.id"), primary_key=True),
    Column("first", Big, primary_key=True),
    Column("last", Big, nullable=False),
    Column("seal", Big, nullable=False),
    sqlite_with_rowid=False,
)

drops = Table(
    "drops",
    metadata,
    # The event that told of it.
    Column("cursor", Big, primary_key=True, autoincrement=False),
    Column("stream_id", Big, ForeignKey("streams.id"), nullable=False, index=True),
    Column("first", Big, nullable=False),
    Column("last", Big, nullable=False),
    Column("reason", Text, nullable=False),
)

latest = Table(
    "latest",
    metadata,
    Column("device_id", Big, ForeignKey("devices.id"), primary_key=True),
    Column("event", Text, primary_key=True),
    Column("cursor", Big, nullable=False),
    Column("stream_id", Big, ForeignKey("streams.id"), nullable=False),
    Column("id", Big, nullable=False),
    Column("taken_at", Big, nullable=False),
    Column("received_at", Big, nullable=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

last_readings = Table(
    "last_readings",
    metadata,
    Column("series_id", Big, ForeignKey("series.id"), primary_key=True, autoincrement=False),
    Column("taken_at", Big, nullable=False),
    Column("cursor", Big, nullable=False),
    Column("value", Double, nullable=False),
)

erased = Table(
    "erased",
    metadata,
    Column("first", Big, primary_key=True, autoincrement=False),
    Column("last", Big, nullable=False),
)
"""Cursors whose events were deleted on purpose, with their device: the examination does not miss them."""

marks = Table(
    "marks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Big, nullable=False),
)
"""`folded`: the log is folded up to this cursor. `pruned`: retention has removed the log up to this one. `floor`: no
cursor up to this one is given again. `retention_at`: when retention last ran, in milliseconds.
`ledger`: the commands' numbering; a database with another one counts anew."""
