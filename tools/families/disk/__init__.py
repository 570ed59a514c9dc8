"""Full volumes: what fills them, which files may be archived, and archiving without loss."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.disk import archive, largest, usage
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*usage.TOOLS, *largest.TOOLS, *archive.TOOLS)
