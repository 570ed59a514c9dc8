"""Lifecycle move from work in progress back to a plan that a person changed."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Remove the move; tasks that made it stay where they are."""
    op.execute("delete from tb_lifecycle where (before, after) = ('IN_PROGRESS', 'PARSED')")
