"""Configuration files of a service: read, set a key, replace the text, always with a way back."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.config import keys, read, text
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*read.TOOLS, *keys.TOOLS, *text.TOOLS)
