"""External agents: their tokens and what they asked for."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file: plain statements are the clearest schema to review."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Refuse: a tool must not drop what agents were refused."""
    raise NotImplementedError("outside calls would be lost; restore a backup instead")
