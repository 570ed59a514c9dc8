"""Remaining validity of a service's TLS certificate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_EXPIRY = Script(
    "certificate.expiry",
    r"""
if ! command -v openssl >/dev/null; then echo "openssl is not installed" >&2; exit 3; fi
date +%s
shown=$(timeout -k 1 5 openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null || true)
if [ -z "${shown##*BEGIN CERTIFICATE*}" ] && [ -n "$shown" ]; then
  printf '%s\n' "$shown" | openssl x509 -noout -enddate -subject -nameopt RFC2253,-esc_msb
else
  echo "no certificate on port $1" >&2; exit 3
fi
""",
)

# Parsed by hand because strptime reads month names in the locale of this process.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _expiry(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_EXPIRY, target.port(service_on(host, args.service, ("tls",))))


def _read_expiry(text: str) -> Findings:
    now, *lines = text.splitlines()
    facts = dict(line.split("=", 1) for line in lines if "=" in line)
    not_after = _parse_time(facts["notAfter"])
    left = not_after - datetime.fromtimestamp(int(now), UTC)
    return {
        "subject": facts["subject"].strip()[:300],
        "not_after": not_after.isoformat(),
        "days": left.days,
    }


def _parse_time(text: str) -> datetime:
    """Parse a time as printed by openssl: `Nov 23 15:40:00 2026 GMT`."""
    month, day, clock, year, _zone = text.split()
    hour, minute, second = (int(part) for part in clock.split(":"))
    number = _MONTHS.index(month) + 1
    return datetime(int(year), number, int(day), hour, minute, second, tzinfo=UTC)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="certificate.expiry",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_expiry,
        parse=stdout_parser("certificate.expiry", _read_expiry),
        timeout=15.0,
    ),
)
