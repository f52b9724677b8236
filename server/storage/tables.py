"""The tables. Times are milliseconds since 1970, UTC; how they come to be is in `migrations/versions/`.

`events` is the log and the truth. `readings` is written with it. All else that is derived (`minutes`, `hours`,
`stored_ranges`, `latest`, `last_readings`, `late`, `last_seen`) is folded in some seconds later, in one transaction
with the watermark `folded`: after a crash the log is read again from there.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from shared.contract.events import SENSOR_DATA_PUB_PI

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

Big = BigInteger().with_variant(Integer, "sqlite")
"""64 bits. SQLite's row id must be called INTEGER."""

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

tokens = Table(
    "tokens",
    metadata,
    Column("id", Big, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("created_at", Big, nullable=False),
    Column("last_used_at", Big),
    Column("revoked_at", Big),
    CheckConstraint("role IN ('device', 'viewer', 'operator')", name="role"),
    Index(
        "ix_tokens_unrevoked_name",
        "name",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)

commands = Table(
    "commands",
    metadata,
    # Increasing: the order in which they were asked for.
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("command", Text, nullable=False, index=True),
    # By name: it may be asked of a device whose row is still on its way.
    Column("device", Text, nullable=False),
    # Per device and ledger, increasing.
    Column("seq", Big, nullable=False),
    # JSON: the CommandRequest.
    Column("request", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("asked_at", Big, nullable=False),
    # In the relay's time, which a clock that is set does not change.
    Column("expires_ms", Big, nullable=False),
    Column("state", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("status", Big),
    # JSON: when it came to each state.
    Column("times", Text, nullable=False),
    Column("ended_at", Big),
    # What the device said after the command had its result.
    Column("late", Text),
    Index("ix_commands_device_id", "device", "id"),
    Index("ix_commands_open", "id", sqlite_where=text("ended_at IS NULL"), postgresql_where=text("ended_at IS NULL")),
)
"""One row per command and device; who and what it was asked for, and what became of it."""

profiles = Table(
    "profiles",
    metadata,
    # By name: people may describe a device before it has stored anything.
    Column("device", Text, primary_key=True),
    # JSON: the DeviceProfile.
    Column("body", Text, nullable=False),
)

profile_changes = Table(
    "profile_changes",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("device", Text, nullable=False),
    Column("changed_by", Text, nullable=False),
    # JSON: the fields that were changed, with their new values.
    Column("change", Text, nullable=False),
    Index("ix_profile_changes_device_at", "device", "at"),
)

availability = Table(
    "availability",
    metadata,
    Column("id", Big, primary_key=True),
    Column("device", Text, nullable=False),
    Column("at", Big, nullable=False),
    Column("online", Big, nullable=False),
    Column("reason", Text),
    Column("flapping", Big, nullable=False),
    Index("ix_availability_device_at", "device", "at"),
    Index("ix_availability_at", "at"),
)
"""Each time that a device came or went."""

alerts = Table(
    "alerts",
    metadata,
    # Increasing: the order in which they were opened.
    Column("id", Big, primary_key=True, autoincrement=False),
    Column("alert", Text, nullable=False, index=True),
    Column("rule", Text, nullable=False),
    # Null: the site.
    Column("device", Text),
    Column("state", Text, nullable=False),
    Column("opened_at", Big, nullable=False),
    Column("closed_at", Big),
    # JSON: the Alert.
    Column("body", Text, nullable=False),
    Index("ix_alerts_device_id", "device", "id"),
    Index("ix_alerts_rule_device_id", "rule", "device", "id"),
    Index("ix_alerts_open", "id", sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
)

alert_rules = Table(
    "alert_rules",
    metadata,
    Column("name", Text, primary_key=True),
    # JSON: the Rule.
    Column("body", Text, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("at", Big, nullable=False),
)
"""The rules that were made while the relay ran; those of the settings are not here."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", Big, primary_key=True),
    Column("alert", Text, nullable=False, index=True),
    # The target's name: its address may be a secret.
    Column("target", Text, nullable=False),
    Column("at", Big, nullable=False),
    # waiting, sent, dead
    Column("state", Text, nullable=False),
    Column("attempts", Big, nullable=False),
    Column("ended_at", Big),
    Column("error", Text, nullable=False),
    # JSON: what is said.
    Column("body", Text, nullable=False),
    Index("ix_notifications_state_id", "state", "id"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Big, primary_key=True),
    Column("at", Big, nullable=False),
    Column("door", Text, nullable=False),
    # The topic it came by.
    Column("topic", Text, nullable=False),
    # The beginning of it, what is no text escaped.
    Column("payload", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
)
"""Messages that can never be stored and that nobody could be told about."""

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
