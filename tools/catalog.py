"""Catalog of all tools by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from guardia.errors import Refused
from guardia.i18n import t
from guardia.tools.enrolment import facts
from guardia.tools.families import (
    account,
    account_expiry,
    backup,
    certificate,
    config,
    crontab,
    cubrid,
    database,
    deploy,
    disk,
    host,
    integrity,
    jeus,
    jvm,
    logs,
    mysql,
    network,
    real_paths,
    schedule,
    security,
    service,
    service_log_level,
    service_restart,
    service_unit,
    storage,
    vendor_sessions,
    web,
    weblogic,
)
from guardia.tools.tool import Tool

_FAMILIES: tuple[tuple[Tool[Any], ...], ...] = (
    database.TOOLS,
    mysql.TOOLS,
    vendor_sessions.TOOLS,
    cubrid.TOOLS,
    service.TOOLS,
    service_restart.TOOLS,
    service_log_level.TOOLS,
    service_unit.TOOLS,
    disk.TOOLS,
    storage.TOOLS,
    deploy.TOOLS,
    logs.TOOLS,
    security.TOOLS,
    account.TOOLS,
    account_expiry.TOOLS,
    certificate.TOOLS,
    schedule.TOOLS,
    crontab.TOOLS,
    network.TOOLS,
    web.TOOLS,
    jvm.TOOLS,
    jeus.TOOLS,
    weblogic.TOOLS,
    config.TOOLS,
    host.TOOLS,
    real_paths.TOOLS,
    facts.TOOLS,
    backup.TOOLS,
    integrity.TOOLS,
)

CATALOG: Mapping[str, Tool[Any]] = MappingProxyType(
    {tool.name: tool for family in _FAMILIES for tool in family}
)


def find(name: str) -> Tool[Any]:
    """Return the tool called `name`. Raises `Refused` if there is none."""
    tool = CATALOG.get(name)
    if tool is None:
        raise Refused(why=t("tools.catalog.unknown", tool=name[:80]))
    return tool
