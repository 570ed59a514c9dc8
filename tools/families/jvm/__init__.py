"""Java virtual machines and Tomcat: threads, heap, applications, the last start, restart."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.jvm import dump, tomcat
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*dump.TOOLS, *tomcat.TOOLS)
