"""Goals with their plans, hire requests, and issues that have a parent."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file: plain statements are the clearest schema to review."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a tool must not drop goals."""
    raise NotImplementedError("goals would be lost; restore a backup instead")
