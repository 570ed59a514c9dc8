"""TLS certificates: what a port presents, what the files hold, and renewal from a given file."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.certificate import expiry, files, renewal
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*expiry.TOOLS, *files.TOOLS, *renewal.TOOLS)
