"""Signed checkpoints of the audit log."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a tool must not drop the audit log."""
    raise NotImplementedError("this revision contains audit checkpoints; restore a backup instead")
