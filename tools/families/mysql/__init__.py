"""MySQL and MariaDB: sessions, locks, capacity, replication, and ending a query or a connection."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.mysql import capacity, ending, sessions
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*sessions.TOOLS, *capacity.TOOLS, *ending.TOOLS)
