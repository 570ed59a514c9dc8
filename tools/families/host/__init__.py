"""A server itself: load, memory, clock, package updates, and whether it must be rebooted."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.host import clock, load, packages
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*load.TOOLS, *clock.TOOLS, *packages.TOOLS)
