"""One person, several accounts: who is behind an account, messenger accounts, counted sign-ins."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the SQL beside this file: plain statements are the clearest schema to review."""
    sql = Path(__file__).with_suffix(".sql").read_text("utf-8")
    op.get_bind().exec_driver_sql(sql)


def downgrade() -> None:
    """Who is who is not dropped by a tool."""
    raise NotImplementedError("identities would be lost; restore a backup instead")
