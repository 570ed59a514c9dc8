"""Control by people: the lifecycle in the database, the kill switch, directives."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql.replace("%", "%%"))


def downgrade() -> None:
    """Refuse: directives are part of the audit log and a tool must not drop them."""
    raise NotImplementedError(
        "this revision contains people's directives; restore a backup instead"
    )
