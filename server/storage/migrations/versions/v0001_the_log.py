"""The log of events, what is derived from it, and tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")

_INTAKE = (
    "CREATE VIEW intake AS SELECT NULL AS first, NULL AS received_at, NULL AS events, NULL AS readings, NULL AS drops"
)
# One statement writes a group of events: one step, one transaction, one wait for the interpreter lock.
_INTAKE_INSERT = """
CREATE TRIGGER intake_insert INSTEAD OF INSERT ON intake BEGIN
    INSERT INTO events (cursor, stream_id, id, event, taken_at, received_at, body, hash)
    SELECT NEW.first + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, NEW.received_at,
           value ->> 4, value ->> 5
    FROM json_each(NEW.events);
    INSERT INTO readings (series_id, taken_at, cursor, value)
    SELECT value ->> 0, value ->> 1, NEW.first + (value ->> 2), value ->> 3
    FROM json_each(NEW.readings);
    INSERT INTO drops (cursor, stream_id, first, last, reason)
    SELECT NEW.first + (value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4
    FROM json_each(NEW.drops);
END
"""


def upgrade() -> None:
    """Make the tables."""
    _who()
    _log()
    _derived()
    _access()
    if op.get_context().dialect.name == "sqlite":
        op.execute(_INTAKE)
        op.execute(_INTAKE_INSERT)


def downgrade() -> None:
    """There is no way back; see `server.storage.migrate`."""
    raise NotImplementedError("put back the copy that was made before the upgrade")


def _who() -> None:
    op.create_table(
        "devices",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("first_seen", _Big, nullable=False),
        sa.Column("last_seen", _Big, nullable=False),
        sa.Column("info", sa.Text, nullable=False, server_default="{}"),
        sa.UniqueConstraint("name", name="uq_devices_name"),
    )
    op.create_table(
        "streams",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("device_id", _Big, sa.ForeignKey("devices.id", name="fk_streams_device_id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("late", _Big, nullable=False, server_default="0"),
        sa.UniqueConstraint("device_id", "name", name="uq_streams_device_id_name"),
    )
    op.create_table(
        "series",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("device_id", _Big, sa.ForeignKey("devices.id", name="fk_series_device_id"), nullable=False),
        sa.Column("quantity", sa.Text, nullable=False),
        sa.Column("raw_since", _Big),
        sa.Column("minutes_since", _Big),
        sa.UniqueConstraint("device_id", "quantity", name="uq_series_device_id_quantity"),
    )


def _log() -> None:
    op.create_table(
        "events",
        sa.Column("cursor", _Big, primary_key=True, autoincrement=False),
        sa.Column("stream_id", _Big, sa.ForeignKey("streams.id", name="fk_events_stream_id"), nullable=False),
        sa.Column("id", _Big, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("taken_at", _Big, nullable=False),
        sa.Column("received_at", _Big, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("stream_id", "id", name="uq_events_stream_id_id"),
    )
    op.create_table(
        "readings",
        sa.Column("series_id", _Big, sa.ForeignKey("series.id", name="fk_readings_series_id"), primary_key=True),
        sa.Column("taken_at", _Big, primary_key=True),
        sa.Column("cursor", _Big, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "drops",
        sa.Column("cursor", _Big, primary_key=True, autoincrement=False),
        sa.Column("stream_id", _Big, sa.ForeignKey("streams.id", name="fk_drops_stream_id"), nullable=False),
        sa.Column("first", _Big, nullable=False),
        sa.Column("last", _Big, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("ix_drops_stream_id", "drops", ["stream_id"])


def _derived() -> None:
    for name in ("minutes", "hours"):
        op.create_table(
            name,
            sa.Column("series_id", _Big, sa.ForeignKey("series.id", name=f"fk_{name}_series_id"), primary_key=True),
            sa.Column("start", _Big, primary_key=True),
            sa.Column("count", _Big, nullable=False),
            sa.Column("total", sa.Double, nullable=False),
            sa.Column("low", sa.Double, nullable=False),
            sa.Column("high", sa.Double, nullable=False),
            sqlite_with_rowid=False,
        )
    op.create_table(
        "stored_ranges",
        sa.Column("stream_id", _Big, sa.ForeignKey("streams.id", name="fk_stored_ranges_stream_id"), primary_key=True),
        sa.Column("first", _Big, primary_key=True),
        sa.Column("last", _Big, nullable=False),
        sa.Column("seal", _Big, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latest",
        sa.Column("device_id", _Big, sa.ForeignKey("devices.id", name="fk_latest_device_id"), primary_key=True),
        sa.Column("event", sa.Text, primary_key=True),
        sa.Column("cursor", _Big, nullable=False),
        sa.Column("stream_id", _Big, sa.ForeignKey("streams.id", name="fk_latest_stream_id"), nullable=False),
        sa.Column("id", _Big, nullable=False),
        sa.Column("taken_at", _Big, nullable=False),
        sa.Column("received_at", _Big, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "last_readings",
        sa.Column(
            "series_id",
            _Big,
            sa.ForeignKey("series.id", name="fk_last_readings_series_id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("taken_at", _Big, nullable=False),
        sa.Column("cursor", _Big, nullable=False),
        sa.Column("value", sa.Double, nullable=False),
    )


def _access() -> None:
    tokens = op.create_table(
        "tokens",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("created_at", _Big, nullable=False),
        sa.Column("last_used_at", _Big),
        sa.Column("revoked_at", _Big),
        sa.UniqueConstraint("hash", name="uq_tokens_hash"),
        sa.CheckConstraint("role IN ('device', 'viewer', 'operator')", name="ck_tokens_role"),
    )
    unrevoked = tokens.c.revoked_at.is_(None)
    op.create_index(
        "ix_tokens_unrevoked_name", "tokens", ["name"], unique=True, sqlite_where=unrevoked, postgresql_where=unrevoked
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", _Big, nullable=False),
    )
