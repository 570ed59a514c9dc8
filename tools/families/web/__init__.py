"""Web servers: nginx and Apache. Configuration test, sites, upstreams, reload."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.web import sites, syntax
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*syntax.TOOLS, *sites.TOOLS)
