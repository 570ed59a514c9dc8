"""Names of time zones in org_chart.yaml."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def is_zone(name: str) -> bool:
    """Return whether this host knows a time zone of that name."""
    try:
        datetime.now(UTC).astimezone(ZoneInfo(name))
    # A folder of zones, such as `Asia`, is an `OSError`.
    except (KeyError, ValueError, OSError):
        return False
    return True
