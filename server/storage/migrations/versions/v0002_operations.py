"""What people and rules do: commands, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Big = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _commands()
    _profiles()
    _availability()
    _alerts()
    _dead_letters()


def downgrade() -> None:
    """There is no way back; see `server.storage.migrate`."""
    raise NotImplementedError("put back the copy that was made before the upgrade")


def _commands() -> None:
    commands = op.create_table(
        "commands",
        sa.Column("id", _Big, primary_key=True, autoincrement=False),
        sa.Column("command", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("seq", _Big, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("asked_at", _Big, nullable=False),
        sa.Column("expires_ms", _Big, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("status", _Big),
        sa.Column("times", sa.Text, nullable=False),
        sa.Column("ended_at", _Big),
        sa.Column("late", sa.Text),
    )
    still_open = commands.c.ended_at.is_(None)
    op.create_index("ix_commands_command", "commands", ["command"])
    op.create_index("ix_commands_device_id", "commands", ["device", "id"])
    op.create_index("ix_commands_open", "commands", ["id"], sqlite_where=still_open, postgresql_where=still_open)
    news = sa.text("event != 'sensor_data_pub_pi'")
    op.create_index("ix_events_news", "events", ["stream_id", "cursor"], sqlite_where=news, postgresql_where=news)


def _availability() -> None:
    op.create_table(
        "availability",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("at", _Big, nullable=False),
        sa.Column("online", _Big, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("flapping", _Big, nullable=False),
    )
    op.create_index("ix_availability_device_at", "availability", ["device", "at"])
    op.create_index("ix_availability_at", "availability", ["at"])


def _alerts() -> None:
    alerts = op.create_table(
        "alerts",
        sa.Column("id", _Big, primary_key=True, autoincrement=False),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("device", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("opened_at", _Big, nullable=False),
        sa.Column("closed_at", _Big),
        sa.Column("body", sa.Text, nullable=False),
    )
    still_open = alerts.c.closed_at.is_(None)
    op.create_index("ix_alerts_alert", "alerts", ["alert"])
    op.create_index("ix_alerts_device_id", "alerts", ["device", "id"])
    op.create_index("ix_alerts_rule_device_id", "alerts", ["rule", "device", "id"])
    op.create_index("ix_alerts_open", "alerts", ["id"], sqlite_where=still_open, postgresql_where=still_open)
    op.create_table(
        "alert_rules",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
        sa.Column("at", _Big, nullable=False),
    )
    op.create_table(
        "notifications",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("alert", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("at", _Big, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", _Big, nullable=False),
        sa.Column("ended_at", _Big),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("ix_notifications_alert", "notifications", ["alert"])
    op.create_index("ix_notifications_state_id", "notifications", ["state", "id"])


def _profiles() -> None:
    op.create_table(
        "profiles",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "profile_changes",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("at", _Big, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
    )
    op.create_index("ix_profile_changes_device_at", "profile_changes", ["device", "at"])
    op.create_table(
        "erased",
        sa.Column("first", _Big, primary_key=True, autoincrement=False),
        sa.Column("last", _Big, nullable=False),
    )


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _Big, primary_key=True),
        sa.Column("at", _Big, nullable=False),
        sa.Column("door", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
    )
