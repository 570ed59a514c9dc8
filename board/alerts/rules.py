"""Settings of alerts: what a severity means, and for how long what is silenced or reopened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from guardia.board.alerts.policy import parse_ranks
from guardia.settings import Settings

_DEFAULT_RANK = 3


@dataclass(frozen=True, slots=True)
class AlertRules:
    """How alerts of an installation are handled."""

    ranks: Mapping[str, int] = field(default_factory=dict)
    after_change: timedelta = timedelta(minutes=10)
    """How long after our own change alerts of its server open no issue."""
    reopen_within: timedelta = timedelta(minutes=60)
    """How long a closed issue is reopened if its alert fires again."""
    issues_per_minute: int = 20
    """Issues that one source may open before one issue takes all further alerts."""

    @classmethod
    def of(cls, settings: Settings) -> AlertRules:
        """Return the rules of an installation."""
        return cls(
            ranks=parse_ranks(settings.alert_priorities),
            after_change=timedelta(minutes=settings.alert_quiet_minutes),
            reopen_within=timedelta(minutes=settings.alert_reopen_minutes),
            issues_per_minute=settings.alert_issues_per_minute,
        )

    def rank_of(self, severity: str) -> int:
        """Return the rank of a severity; an unknown one means P3."""
        return self.ranks.get(severity.strip().lower(), _DEFAULT_RANK)
