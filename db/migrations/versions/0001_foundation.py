"""The first tables: CMDB, organization, issues, tasks, approvals, runs and the audit log."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file: plain statements are the clearest schema to review."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a tool must not drop the audit log."""
    raise NotImplementedError("the first revision contains the audit log; restore a backup instead")
