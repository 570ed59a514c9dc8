"""Read a fact about a server out of a sentence: what the CMDB says otherwise, or not at all. Pure.

Only fields that people edit are read: ports, folders, other names. How a server is reached and who
signs in there never comes from a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from guardia.org.directory import Host, Service

_IS = r"(?:\s*(?:번호|경로|위치|폴더|디렉터리|디렉토리|파일))*\s*(?:은|는|이|가|:|=)?\s*"
_NAME = r"[\"'“‘「]?([가-힣A-Za-z0-9][가-힣A-Za-z0-9 _-]{0,28}?[가-힣A-Za-z0-9])[\"'”’」]?"
_ALIAS = re.compile(rf"(?:별칭|별명|alias){_IS}{_NAME}\s*(?:입니다|이다|이며|이고|[.,]|$)", re.I)
_PORT = re.compile(rf"(?:포트|port){_IS}(\d{{2,5}})(?!\d)|(?<![\d.])(\d{{2,5}})\s*번?\s*포트", re.I)
_FOLDER = r"(/[\w.-]*\w(?:/[\w.-]*\w)*)"
_PATHS = (
    ("logs", re.compile(rf"로그{_IS}{_FOLDER}", re.I | re.ASCII)),
    ("config", re.compile(rf"설정{_IS}{_FOLDER}", re.I | re.ASCII)),
    ("root", re.compile(rf"설치{_IS}{_FOLDER}", re.I | re.ASCII)),
)
_MOST_PORT = 65535


def read_fact(sentence: str, host: Host) -> dict[str, str] | None:
    """Return server, service, field and value of what a sentence states; `None` if it is known."""
    for field, value in _stated(sentence):
        if field == "aliases":
            known = {one.casefold() for one in (*host.aliases, host.server_id)}
            if value.casefold() not in known:
                return {"server": host.server_id, "field": field, "value": value, "before": ""}
            continue
        service = _service(sentence, host)
        if service is None or _shown(service, field) == value:
            continue
        return {
            "server": host.server_id,
            "service": service.name,
            "field": field,
            "value": value,
            "before": _shown(service, field),
        }
    return None


def changes_of(host: Host, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return what a fact changes in the CMDB entry of its server; empty if it fits no more."""
    field, value = fields["field"], fields["value"]
    if field == "aliases":
        return {"aliases": (*host.aliases, value)} if value not in host.aliases else {}
    if fields["service"] not in {one.name for one in host.services}:
        return {}
    new = int(value) if field == "port" else value
    return {
        "services": tuple(
            one.model_copy(update={field: new}) if one.name == fields["service"] else one
            for one in host.services
        )
    }


def _stated(sentence: str) -> Iterator[tuple[str, str]]:
    if found := _ALIAS.search(sentence):
        yield "aliases", found[1].strip()
    if found := _PORT.search(sentence):
        port = int(found[1] or found[2])
        if 0 < port <= _MOST_PORT:
            yield "port", str(port)
    for field, pattern in _PATHS:
        if found := pattern.search(sentence):
            yield field, found[1]


def _service(sentence: str, host: Host) -> Service | None:
    """Return the service that a sentence is about: the one that it names, or the only one."""
    text = sentence.casefold()
    named = [
        one
        for one in host.services
        if any(word and word.casefold() in text for word in (one.name, one.product))
    ]
    found = named or list(host.services)
    return found[0] if len(found) == 1 else None


def _shown(service: Service, field: str) -> str:
    value = getattr(service, field)
    return "" if value is None else str(value)
