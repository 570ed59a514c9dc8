"""Storage: bytes and inodes, folders, deleted files that are open, quotas, and old files."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.storage import cleanup, open_files, volumes
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*volumes.TOOLS, *open_files.TOOLS, *cleanup.TOOLS)
