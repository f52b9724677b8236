"""What agents have last made of their readings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "insights",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """There is no way back; see `server.storage.migrate`."""
    raise NotImplementedError("put back the copy that was made before the upgrade")
