"""Certificates in files: the installed chain, and one that is to replace it.

Private keys are never read as such: the server derives the public key, and that is compared.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Annotated, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.certificate.expiry import Days, covers, names_of
from guardia.tools.families.paths import AbsolutePath
from guardia.tools.families.service_shell import LISTENER
from guardia.tools.findings import FindingsModel, Line, Moment, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser

KINDS: Final = ("tls",)
_MAX_CHAIN = 10
_PEM = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PUBLIC = re.compile("-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)

_READ = Script(
    "certificate.files",
    AS_ROOT
    + LISTENER
    + r"""
openssl=$1 chain=$2 key=$3 source=$4 source_key=$5 port=$6 names=$7 address=$8
certificates() {
  sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' | head -c 65536
}
if ! command -v -- "$openssl" >/dev/null; then echo "openssl is not installed" >&2; exit 3; fi
printf 'now %s\nnames %s\nsource %s\nsource_key %s\n' "$(date +%s)" "$names" "$source" "$source_key"
echo '== installed'
if [ -r "$chain" ]; then certificates < "$chain"; fi
echo '== key'
as_root "$openssl" pkey -in "$key" -pubout 2>/dev/null || true
echo '== served'
if [ -n "$address" ] || address=$(listener "$port"); then
  case $address in *:*) to="[$address]:$port" ;; *) to=$address:$port ;; esac
  words=(-noservername)
  if [ -n "${names%% *}" ]; then words=(-servername "${names%% *}"); fi
  { timeout -k 1 5 "$openssl" s_client "${words[@]}" -connect "$to" </dev/null || true; } 2>&1 |
    certificates
fi
if [ -z "$source" ]; then exit 0; fi
[ -r "$source" ] && [ -f "$source" ] || { echo "cannot read $source" >&2; exit 3; }
echo '== candidate'
certificates < "$source"
echo '== candidate key'
if [ -n "$source_key" ]; then
  "$openssl" pkey -in "$source_key" -pubout -passin pass: 2>/dev/null || true
else
  as_root "$openssl" pkey -in "$key" -pubout 2>/dev/null || true
fi
echo '== trusted'
if timeout -k 1 5 "$openssl" verify -untrusted "$source" "$source" >/dev/null 2>&1; then echo 1; fi
""",
)


class ChainFindings(FindingsModel):
    """A chain of certificates, seen from its first one."""

    sha256: Word
    subject: Line
    issuer: Line
    names: Annotated[list[Line], Field(max_length=200)]
    not_before: Moment
    not_after: Moment
    days: Days
    """Until the first certificate of the chain ends."""
    certificates: Annotated[int, Field(ge=1, le=_MAX_CHAIN)]
    valid: bool
    """Whether all of them are valid now."""
    ordered: bool
    """Whether each is signed by the next."""
    covers: bool
    """Whether it covers every registered name of the site."""
    key_matches: bool | None
    """`None`: the key could not be read."""


class FilesFindings(FindingsModel):
    """What the files hold, and what the port presents."""

    installed: ChainFindings | None
    served_sha256: Word | None


class CandidateArgs(ServiceArgs):
    """The new chain, and its key if that is new as well."""

    source: AbsolutePath
    source_key: AbsolutePath | None = None


class CandidateFindings(FilesFindings):
    """Whether a chain can replace the installed one."""

    candidate: ChainFindings | None
    source: Line
    source_key: Line | None
    complete: bool
    """Whether clients can build the path: ordered, and its end is trusted, or the same as now."""
    newer: bool
    usable: bool


def names(service: Service) -> str:
    """Return the registered names of a site, divided by blanks."""
    return " ".join(target.tls_names(service))


def files_of(service: Service) -> tuple[str, str]:
    """Return the paths of chain and key. Raises `Refused` if they are the same file."""
    chain, key = target.certificate(service), target.certificate_key(service)
    if chain == key:
        raise Refused(why=t("tools.certificate.one_file", service=service.name))
    return chain, key


def _command(args: ServiceArgs, host: Host, source: str = "", source_key: str = "") -> Command:
    service = service_on(host, args.service, KINDS)
    paths = (*files_of(service), source, source_key)
    openssl, port = host.facts.program("openssl"), target.port(service)
    address = target.address(service)
    return privileged_script(host, _READ, openssl, *paths, port, names(service), address)


def read_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return the right to derive the public key."""
    if service is None:
        return ()
    key = files_of(service)[1]
    return ((host.facts.program("openssl"), "pkey", "-in", key, "-pubout"),)


def _read_files(text: str) -> Findings:
    facts, parts = _sections(text)
    return _files(facts, parts)


def _files(facts: dict[str, str], parts: dict[str, str]) -> Findings:
    served = _PEM.search(parts.get("served", ""))
    return {
        "installed": _chain(parts.get("installed", ""), parts.get("key", ""), facts),
        "served_sha256": _digest(served[0]) if served else None,
    }


def _read_candidate(text: str) -> Findings:
    facts, parts = _sections(text)
    found = _files(facts, parts)
    new, old = _chain(parts["candidate"], parts["candidate key"], facts), found["installed"]
    trusted = parts.get("trusted", "").strip() == "1"
    complete = bool(new and new["ordered"] and (trusted or _ends_alike(parts)))
    newer = bool(new and (old is None or new["not_after"] > old["not_after"]))
    usable = bool(new and new["valid"] and new["covers"] and new["key_matches"])
    return found | {
        "candidate": new,
        "source": facts["source"],
        "source_key": facts["source_key"] or None,
        "complete": complete,
        "newer": newer,
        "usable": usable and complete and newer,
    }


def _sections(text: str) -> tuple[dict[str, str], dict[str, str]]:
    head, *parts = re.split(r"^== (.+)$", text, flags=re.MULTILINE)
    facts = dict(line.partition(" ")[::2] for line in head.splitlines() if line)
    return facts, dict(zip(parts[::2], parts[1::2], strict=True))


def _load(text: str) -> list[x509.Certificate]:
    found = _PEM.findall(text)[:_MAX_CHAIN]
    return [x509.load_pem_x509_certificate(pem.encode()) for pem in found]


def _digest(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(SHA256()).hex()


def _chain(text: str, key: str, facts: dict[str, str]) -> Findings | None:
    chain = _load(text)
    if not chain:
        return None
    leaf, now = chain[0], datetime.fromtimestamp(int(facts["now"]), UTC)
    ends = min(c.not_valid_after_utc for c in chain)
    begins = max(c.not_valid_before_utc for c in chain)
    known = list(names_of(leaf))
    return {
        "sha256": leaf.fingerprint(SHA256()).hex(),
        "subject": leaf.subject.rfc4514_string()[:300],
        "issuer": leaf.issuer.rfc4514_string()[:300],
        "names": [name[:300] for name in known[:200]],
        "not_before": begins.isoformat(),
        "not_after": ends.isoformat(),
        "days": (ends - now).days,
        "certificates": len(chain),
        "valid": begins <= now <= ends,
        "ordered": all(_is_issued(a, b) for a, b in pairwise(chain)),
        "covers": all(any(covers(p, name) for p in known) for name in facts["names"].split()),
        "key_matches": _matches(leaf, key),
    }


def _is_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _matches(leaf: x509.Certificate, key: str) -> bool | None:
    found = _PUBLIC.search(key)
    if found is None:
        return None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = load_pem_public_key(found[0].encode())
    return leaf.public_key().public_bytes(*form) == public.public_bytes(*form)


def _ends_alike(parts: dict[str, str]) -> bool:
    """Return whether both chains end at the same authority, or the new one at a root."""
    old, new = _load(parts.get("installed", "")), _load(parts["candidate"])
    end = new[-1].issuer
    return (bool(old) and old[-1].issuer == end) or (len(new) > 1 and new[-1].subject == end)


def _candidate(args: CandidateArgs, host: Host) -> Command:
    return _command(args, host, args.source, args.source_key or "")


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="certificate.files",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_command,
        parse=stdout_parser("certificate.files", _read_files),
        findings=FilesFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        requires=("openssl",),
        rights=read_rights,
    ),
    Tool(
        name="certificate.candidate",
        risk=Risk.READ,
        args=CandidateArgs,
        command=_candidate,
        parse=stdout_parser("certificate.candidate", _read_candidate),
        findings=CandidateFindings,
        tried_on=("debian-12",),
        kinds=KINDS,
        requires=("openssl",),
        rights=read_rights,
    ),
)
