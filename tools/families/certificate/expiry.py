"""Validity of the TLS certificates that a service presents: for each of its names, whole chains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Any

from cryptography import x509
from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service_shell import LISTENER
from guardia.tools.findings import FindingsModel, Line, Moment, Word
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

_MAX_CHAIN = 10
_MAX_CHARACTERS = 300

# The server is asked without a name first, then for each registered name and each name in the first
# certificate: sites on one port have certificates of their own.
_EXPIRY = Script(
    "certificate.expiry",
    LISTENER
    + r"""
if ! command -v openssl >/dev/null; then echo "openssl is not installed" >&2; exit 3; fi
port=$1 names=$2 address=$3
if [ -z "$address" ] && ! address=$(listener "$port"); then
  echo "nothing listens on port $port" >&2; exit 3
fi
case $address in *:*) to="[$address]:$port" ;; *) to=$address:$port ;; esac
shown() {
  { timeout -k 1 5 openssl s_client "$@" -showcerts -connect "$to" </dev/null || true; } 2>&1 |
    sed -n '/^-----BEGIN CERTIFICATE-----$/,/^-----END CERTIFICATE-----$/p'
}
first=$(shown -noservername)
one=${names%% *}
if [ -z "$first" ] && { [ -z "$one" ] || [ -z "$(shown -servername "$one")" ]; }; then
  echo "no certificate on port $port" >&2; exit 3
fi
printf 'now %s\nname -\n%s\n' "$(date +%s)" "$first"
other=$(printf '%s\n' "$first" | openssl x509 -noout -ext subjectAltName 2>/dev/null |
  tr ',' '\n' | sed -n 's/^ *DNS:\([A-Za-z0-9.-]*\)$/\1/p' | head -n 20 || true)
printf '%s\n' $names $other | awk 'NF && !seen[$0]++' | head -n 20 | while read -r name; do
  printf 'name %s\n%s\n' "$name" "$(shown -servername "$name")"
done
""",
)

_NAME_LINE = re.compile(r"^name (\S+)$", re.MULTILINE)
_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


Days = Annotated[int, Field(ge=-4_000_000, le=4_000_000)]
"""Days between any two dates of a calendar."""


class SiteFindings(FindingsModel):
    """The certificate that a server presents for a name; without one, most is `None`."""

    name: Word
    valid: bool
    matches: bool
    subject: Line | None
    not_before: Moment | None
    not_after: Moment | None
    days: Days | None
    starts_in_days: Days | None


class ExpiryFindings(SiteFindings):
    """The certificate that fails first, all of them, and the names without one."""

    sites: Annotated[list[SiteFindings], Field(max_length=1000)]
    silent: Annotated[list[Word], Field(max_length=1000)]


def _expiry(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, ("tls",))
    names = " ".join(target.tls_names(service))
    return Command.script(_EXPIRY, target.port(service), names, target.address(service))


def _read_expiry(text: str) -> Findings:
    head, *parts = _NAME_LINE.split(text)
    now = datetime.fromtimestamp(int(head.removeprefix("now ")), UTC)
    sites = [
        _site(name, _PEM.findall(shown), now)
        for name, shown in zip(parts[::2], parts[1::2], strict=True)
    ]
    shown = [site for site in sites if site["days"] is not None]
    # Report the worst site: invalid first, then a wrong name, then the earliest expiry.
    worst = min(shown, key=lambda site: (site["valid"], site["matches"], site["days"]))
    return {**worst, "sites": sites, "silent": [s["name"] for s in sites if s["days"] is None]}


def _site(name: str, chain: list[str], now: datetime) -> Findings:
    """Return what is known of the chain that the server presents for a name."""
    certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in chain[:_MAX_CHAIN]]
    if not certificates:
        nothing = dict.fromkeys(("subject", "not_before", "not_after", "days", "starts_in_days"))
        return {"name": name, "valid": False, "matches": False, **nothing}
    leaf = certificates[0]
    ends = min(c.not_valid_after_utc for c in certificates)
    begins = max(c.not_valid_before_utc for c in certificates)
    return {
        "name": name,
        "valid": begins <= now <= ends,
        "matches": name == "-" or any(covers(pattern, name) for pattern in names_of(leaf)),
        "subject": leaf.subject.rfc4514_string()[:_MAX_CHARACTERS],
        "not_before": begins.isoformat(),
        "not_after": ends.isoformat(),
        "days": (ends - now).days,
        "starts_in_days": max(0, -((now - begins).days)),
    }


def names_of(certificate: x509.Certificate) -> Iterator[str]:
    """Return the names that a certificate is for: its alternative names, without them its CN."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        for attribute in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
            yield str(attribute.value)
        return
    yield from found.get_values_for_type(x509.DNSName)
    yield from map(str, found.get_values_for_type(x509.IPAddress))


def covers(pattern: str, name: str) -> bool:
    """Return whether a certificate's name covers `name`; a wildcard matches one label."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        return "." in name and not _is_address(name) and name.split(".", 1)[1] == pattern[2:]
    return pattern == name


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="certificate.expiry",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_expiry,
        parse=stdout_parser("certificate.expiry", _read_expiry),
        findings=ExpiryFindings,
        tried_on=("fleet",),
        timeout=130.0,
    ),
)
