"""What the forms about servers send, as values; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from guardia.board.cmdb.changes import problem_of
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.org.directory import Host, Service

LINES = ("unit", "address", "control", "health", "root", "config", "logs", "login", "credential",
         "database", "encoding", "product", "layout", "drain", "certificate",
         "certificate_key")  # fmt: skip
"""Fields of a service that a form shows as one line each."""
_OPTIONAL = frozenset(LINES) - {"encoding", "product"}
MAX_SERVICES = 100


def service_fields(service: Service) -> dict[str, str]:
    """Return a service as the fields of a form."""
    given = {name: getattr(service, name) or "" for name in LINES}
    return {
        "name": service.name,
        "kind": service.kind,
        "port": str(service.port or ""),
        "start_seconds": str(service.start_seconds),
        "journal": "on" if service.journal else "",
        "tls_names": " ".join(service.tls_names),
        "log_files": " ".join(service.log_files),
        "balancer_files": " ".join(service.balancer_files),
        **given,
    }


def parse_services(texts: Mapping[str, str], known: Iterable[Service] = ()) -> tuple[Service, ...]:
    """Return the services of a form: of each number, those that are kept.

    What a form does not show stays as it is in `known`. Raises `Invalid`.
    """
    by_name = {service.name: service for service in known}
    found = []
    for number in range(MAX_SERVICES):
        if texts.get(f"s{number}-keep"):
            found.append(_service(texts, number, by_name))
    return tuple(found)


def _service(texts: Mapping[str, str], number: int, known: Mapping[str, Service]) -> Service:
    def text(name: str) -> str:
        return texts.get(f"s{number}-{name}", "").strip()

    name = text("name")
    before = known.get(text("was")) or known.get(name)
    fields: dict[str, Any] = before.model_dump() if before else {}
    fields |= {name_: text(name_) or (None if name_ in _OPTIONAL else "") for name_ in LINES}
    fields |= {
        "name": name,
        "kind": text("kind"),
        "port": parse_number(text("port"), t("cmdb.field.port")) if text("port") else None,
        "journal": bool(text("journal")),
        "encoding": text("encoding") or "utf-8",
        "tls_names": tuple(text("tls_names").split()),
        "log_files": tuple(text("log_files").split()),
        "balancer_files": tuple(text("balancer_files").split()),
    }
    if seconds := text("start_seconds"):
        fields["start_seconds"] = parse_number(seconds, t("cmdb.field.start_seconds"))
    try:
        return Service.model_validate(fields)
    except ValidationError as error:
        found = problem_of(0, error.errors()[0])
        raise Invalid(what=name or "-", why=f"{found.what}. {found.remedy}") from None


def parse_host(texts: Mapping[str, str]) -> Host:
    """Return the server of the form that begins its enrolment. Raises `Invalid`."""

    def text(name: str) -> str:
        return texts.get(name, "").strip()

    return Host(
        server_id=text("server_id"),
        institution=text("institution"),
        kind=text("kind") or "WAS",
        address=text("address"),
        port=parse_number(text("port") or "22", t("cmdb.field.port")),
        account=text("account"),
        credential=text("credential"),
    )


def parse_number(text: str, what: str) -> int:
    """Return a number of a form. Raises `Invalid`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise Invalid(what=what, why=t("cmdb.rule.number"))
    return int(text)


def parse_aliases(text: str) -> tuple[str, ...]:
    """Return the names of a line, separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
