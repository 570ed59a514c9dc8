"""Logs in files and in the journal: last lines, words, and what repeats."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.logs import patterns, search, tail
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (*tail.TOOLS, *search.TOOLS, *patterns.TOOLS)
