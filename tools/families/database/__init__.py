"""PostgreSQL: locks, sessions, queries, capacity, replication, and maintenance of a table."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.database import capacity, maintenance, queries, sessions
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (
    *sessions.TOOLS,
    *queries.TOOLS,
    *capacity.TOOLS,
    *maintenance.TOOLS,
)
