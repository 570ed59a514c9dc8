"""Attempts that never started a command, such as one on a server that refused the connection."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file: plain statements are the clearest schema to review."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: migrations only go forward."""
    raise NotImplementedError("restore a backup instead")
