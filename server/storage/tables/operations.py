"""What people, rules and the relay itself do, and who may."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Table,
    Text,
    text,
)

from server.storage.tables.base import Big, metadata

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

insights = Table(
    "insights",
    metadata,
    Column("device", Text, primary_key=True),
    # JSON: the DeviceInsight.
    Column("body", Text, nullable=False),
)
"""What each device has last made of its readings."""

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
