"""Deployment: releases with a link, WARs of Tomcat, static sites and package files."""

from __future__ import annotations

from typing import Any

from guardia.tools.families.deploy import (
    front,
    packages,
    releases,
    running,
    site,
    stage,
    traffic,
    war,
    watch,
)
from guardia.tools.tool import Tool

TOOLS: tuple[Tool[Any], ...] = (
    *releases.TOOLS,
    *stage.TOOLS,
    *war.TOOLS,
    *site.TOOLS,
    *packages.TOOLS,
    *traffic.TOOLS,
    *front.TOOLS,
    *watch.TOOLS,
    *running.TOOLS,
)
