"""What an institution demands of accounts: passwords, locks, time-outs, addresses. All settings."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from guardia.addresses import IPNetwork, is_within, parse_address, parse_networks
from guardia.settings import Settings

ADMINISTRATION = frozenset(
    {
        "account.link",
        "channel.test",
        "home.set_role",
        "institution.edit",
        "org.edit",
        "passkey.remove",
        "person.manage",
        "person.read",
        "right.decide",
        "right.review",
        "team.edit",
        "token.manage",
    }
)
"""Actions that only the configured addresses may do."""
PASSWORD_CHANGE = frozenset({"password.own", "session.end"})
"""All that a session may do while its person must change the password."""


_NOWHERE: tuple[IPNetwork, ...] = (ipaddress.ip_network("0.0.0.0/32"),)


def _networks(text: str) -> tuple[IPNetwork, ...]:
    """Return networks; none at all for a setting that cannot be read."""
    try:
        return parse_networks(text)
    except ValueError:
        return _NOWHERE


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """The numbers of the policy; the defaults are those of the rules for public institutions."""

    password_length: int = 9
    password_classes: int = 3
    password_history: int = 5
    password_days: int = 90
    lock_failures: int = 5
    lock_minutes: int = 10
    lock_known_devices: bool = False
    idle_minutes: int = 30
    idle_minutes_admin: int = 10
    idle_warning_minutes: int = 5
    sessions_per_person: int = 0
    vendor_days: int = 366
    review_months: int = 6
    history_years: int = 3
    administration: tuple[IPNetwork, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> AccountPolicy:
        """Return the policy of an installation."""
        return cls(
            password_length=settings.password_length,
            password_classes=settings.password_classes,
            password_history=settings.password_history,
            password_days=settings.password_days,
            lock_failures=settings.lock_failures,
            lock_minutes=settings.lock_minutes,
            lock_known_devices=settings.lock_known_devices,
            idle_minutes=settings.idle_minutes,
            idle_minutes_admin=settings.idle_minutes_admin,
            idle_warning_minutes=settings.idle_warning_minutes,
            sessions_per_person=settings.sessions_per_person,
            vendor_days=settings.vendor_days,
            review_months=settings.review_months,
            history_years=settings.rights_history_years,
            administration=_networks(settings.admin_networks),
        )

    def idle(self, role: str) -> timedelta | None:
        """Return how long a session of a role may do nothing; `None`: without a limit."""
        minutes = self.idle_minutes_admin if role == "admin" else self.idle_minutes
        return timedelta(minutes=minutes) if minutes else None

    def session_ends(self, role: str, used_at: datetime, expires_at: datetime) -> datetime:
        """Return when a session ends without a further action of its person."""
        idle = self.idle(role)
        return expires_at if idle is None else min(expires_at, used_at + idle)

    def warning(self, role: str) -> timedelta:
        """Return how long before its end a session warns; at most half of the time-out."""
        warning = timedelta(minutes=self.idle_warning_minutes)
        idle = self.idle(role)
        return warning if idle is None else min(warning, idle / 2)

    def password_expires(self, changed_at: datetime | None) -> datetime | None:
        """Return when a password must be changed; `None`: never, or its age is not known."""
        if changed_at is None or not self.password_days:
            return None
        return changed_at + timedelta(days=self.password_days)

    def permits_administration(self, address: str) -> bool:
        """Return whether a client's address may be used for administration."""
        return not self.administration or is_within(parse_address(address), self.administration)
