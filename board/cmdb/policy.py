"""Rules of entries of the CMDB: what a server, a service or an institution may be called."""

from __future__ import annotations

import codecs
import re
from ipaddress import ip_address

from guardia.errors import Invalid, Missing
from guardia.i18n import t
from guardia.org import host_key
from guardia.org.directory import Host, InstitutionInfo, Service
from guardia.text import is_blank, trim

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_KIND = re.compile(r"[A-Z][A-Z0-9_]{1,19}")
_SERVICE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_SERVICE_KIND = re.compile(r"[a-z][a-z0-9_]{0,30}")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}\.?)([A-Za-z0-9_-]{1,63}\.?){0,8}")
_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]{0,63}\$?")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{0,500}")
_HEALTH = re.compile(r"/[A-Za-z0-9._~/?&=%+-]{0,300}")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]{1,200}\.service")
_TLS_NAME = re.compile(r"(\*\.)?[\w][\w.-]{0,252}")
_MAX_NAME, _MAX_ALIASES, _MAX_SERVICES, _MAX_START = 64, 20, 100, 3600


def validated_institution(value: InstitutionInfo) -> InstitutionInfo:
    """Return an institution with its texts trimmed. Raises `Invalid`."""
    _require(_ID.fullmatch(value.id), value.id, "cmdb.rule.id")
    name = trim(value.name)
    if not name:
        raise Missing(what=t("cmdb.field.name"))
    _require(len(name) <= _MAX_NAME, name[:_MAX_NAME], "cmdb.rule.name")
    return InstitutionInfo(id=value.id, name=name, aliases=_aliases(value.aliases))


def validated_host(value: Host) -> Host:
    """Return a server in the form in which it is stored. Raises `Invalid` for the first fault."""
    _require(_ID.fullmatch(value.server_id), value.server_id, "cmdb.rule.id")
    _require(_KIND.fullmatch(value.kind), value.kind, "cmdb.rule.kind")
    _require(_is_address(value.address), value.address, "cmdb.rule.address")
    _require(0 < value.port < 65536, str(value.port), "cmdb.rule.port")
    _require(_ACCOUNT.fullmatch(value.account), value.account, "cmdb.rule.account")
    _require(_CREDENTIAL.fullmatch(value.credential), value.credential, "cmdb.rule.credential")
    _require(len(value.services) <= _MAX_SERVICES, str(len(value.services)), "cmdb.rule.services")
    names = [service.name for service in value.services]
    twice = next((name for name in names if names.count(name) > 1), None)
    _require(twice is None, twice or "", "cmdb.rule.twice")
    key = host_key.normalized(value.host_key) if value.host_key else ""
    return value.model_copy(
        update={
            "host_key": key,
            "aliases": _aliases(value.aliases),
            "services": tuple(map(validated_service, value.services)),
        }
    )


def validated_service(value: Service) -> Service:
    """Return a service. Raises `Invalid` for its first fault."""
    _require(_SERVICE_NAME.fullmatch(value.name), value.name, "cmdb.rule.service")
    _require(_SERVICE_KIND.fullmatch(value.kind), value.kind, "cmdb.rule.service_kind")
    _require(value.port is None or 0 < value.port < 65536, str(value.port), "cmdb.rule.port")
    _require(not value.unit or _UNIT.fullmatch(value.unit), value.unit or "", "cmdb.rule.unit")
    _require(
        not value.address or _is_address(value.address), value.address or "", "cmdb.rule.address"
    )
    for path in (value.control, value.root, value.config, value.logs, *value.log_files):
        _require(not path or _is_path(path), path or "", "cmdb.rule.path")
    _require(
        not value.health or _HEALTH.fullmatch(value.health), value.health or "", "cmdb.rule.health"
    )
    for name in value.tls_names:
        _require(_TLS_NAME.fullmatch(name), name, "cmdb.rule.tls_name")
    _require(_is_encoding(value.encoding), value.encoding, "cmdb.rule.encoding")
    _require(
        1 <= value.start_seconds <= _MAX_START, str(value.start_seconds), "cmdb.rule.start_seconds"
    )
    return value


def _aliases(aliases: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(trim(alias) for alias in aliases if not is_blank(alias)))
    _require(len(kept) <= _MAX_ALIASES, str(len(kept)), "cmdb.rule.aliases")
    for alias in kept:
        _require(len(alias) <= _MAX_NAME, alias[:_MAX_NAME], "cmdb.rule.name")
    return kept


def _is_address(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return len(text) <= 253 and _HOST_NAME.fullmatch(text) is not None
    return True


def _is_path(text: str) -> bool:
    return _PATH.fullmatch(text) is not None and ".." not in text.split("/")


def _is_encoding(text: str) -> bool:
    try:
        return bool(text) and codecs.lookup(text).name is not None
    except LookupError:
        return False


def _require(holds: object, value: str, rule: str) -> None:
    if not holds:
        raise Invalid(what=value[:80] or t("cmdb.empty"), why=t(rule))
