"""Zabbix: the webhook media type in, with the parameters of the script in docs/alerts.md.

Format: https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from guardia.board.alerts.incoming import MAX_NAME, IncomingAlert, summary_of, text_of
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.intake import alert_senders
from guardia.board.intake.channels import Endpoint, InboundReply, InboundRequest
from guardia.settings import Settings

CHANNEL = "zabbix"
_SEVERITIES = ("not classified", "information", "warning", "average", "high", "disaster")
_UNRESOLVED = re.compile(r"\{[A-Z#$.][^{}]*\}|\*UNKNOWN\*")
"""A macro without a value arrives as its own name."""
_FIRING = {"1": True, "0": False, "problem": True, "resolved": False, "ok": False}
_SOURCES = ("", "0", "3", "4")
"""Events of triggers, of Zabbix itself and of services; discovery is no alert."""
# The default message of Zabbix, for media types that send only a subject and a message.
_MESSAGE = {
    "event_id": re.compile(r"^Original problem ID:\s*(\d+)", re.MULTILINE),
    "host_name": re.compile(r"^Host:\s*(\S.*)$", re.MULTILINE),
    "event_name": re.compile(r"^Problem name:\s*(\S.*)$", re.MULTILINE),
    "event_severity": re.compile(r"^Severity:\s*(\S.*)$", re.MULTILINE),
}
_SUBJECT = re.compile(r"^(Problem|Resolved)\b", re.IGNORECASE)


def _verify(settings: Settings, request: InboundRequest) -> None:
    alert_senders.require_token(settings.zabbix_token, request)


def _receive(
    board: BoardContext, _settings: Settings, request: InboundRequest, _verified: None
) -> InboundReply:
    """Store the alert of an event."""
    alert = _parse(_parameters(alert_senders.json_object(request)))
    return alert_senders.accept_alerts(board, CHANNEL, request.body, [alert])


def _parameters(payload: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that have a value; those that are missing come from the message."""
    given = {str(name).lower(): text_of(value, 2000) for name, value in payload.items()}
    found = {n: v for n, v in given.items() if v and not _UNRESOLVED.fullmatch(v)}
    message = found.get("message", "").replace("\r", "")
    for name, pattern in _MESSAGE.items():
        if name not in found and (match := pattern.search(message)):
            found[name] = match[1].strip()
    if "event_value" not in found and (match := _SUBJECT.match(found.get("subject", ""))):
        found["event_value"] = match[1].lower()
    return found


def _parse(given: Mapping[str, str]) -> IncomingAlert:
    firing = _FIRING.get((given.get("event_value") or given.get("event_status", "")).lower())
    if firing is None:
        raise alert_senders.refuse_field("event_value")
    if given.get("event_source", "") not in _SOURCES:
        raise alert_senders.refuse_field("event_source")
    event, trigger = given.get("event_id", ""), given.get("trigger_id", "")
    if not event and not trigger:
        raise alert_senders.refuse_field("event_id")
    host = alert_senders.first_text(given.get(n, "") for n in ("host_host", "host_name", "host_ip"))
    rule = alert_senders.first_text(
        (given.get("event_name", ""), given.get("subject", ""), trigger, "-")
    )
    hosts = (given.get(n, "") for n in ("host_host", "host_name", "host_ip", "host_dns"))
    return IncomingAlert(
        # A trigger that fires again is the same alert; an event is one occurrence of it.
        key=f"{trigger}@{host}"[:MAX_NAME] if trigger else f"event:{event}"[:MAX_NAME],
        rule=rule[:MAX_NAME],
        firing=firing,
        episode=event[:MAX_NAME],
        severity=_severity(given),
        summary=summary_of(given.get("event_opdata"), given.get("message"), rule),
        hosts=tuple(dict.fromkeys(one[:MAX_NAME] for one in hosts if one)),
        labels=_labels(given),
        url=given.get("event_url", "") or given.get("zabbix_url", ""),
        group=f"trigger:{trigger}"[:MAX_NAME] if trigger else "",
        started_at=_start(given),
    )


def _severity(given: Mapping[str, str]) -> str:
    number = given.get("event_nseverity", "")
    if number.isascii() and number.isdigit() and int(number[:3]) < len(_SEVERITIES):
        return _SEVERITIES[int(number[:3])]
    return given.get("event_severity", "").lower()[:MAX_NAME]


def _labels(given: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of an event, and the ids of event and trigger."""
    try:
        tags = json.loads(given.get("event_tags", "") or "[]")
    except (ValueError, RecursionError):
        tags = []
    named = [one for one in tags if isinstance(one, dict)] if isinstance(tags, list) else []
    found = {text_of(one.get("tag"), MAX_NAME): text_of(one.get("value")) for one in named[:40]}
    known = {name: given[name] for name in ("event_id", "trigger_id", "host_ip") if name in given}
    return {name: text for name, text in {**found, **known}.items() if name}


def _start(given: Mapping[str, str]) -> datetime | None:
    """Return when a problem began; Zabbix writes the time of its server, which is Korea's."""
    text = f"{given.get('event_date', '')} {given.get('event_time', '')}"
    try:
        return datetime.strptime(text, "%Y.%m.%d %H:%M:%S").replace(tzinfo=SEOUL).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


class ZabbixChannel(alert_senders.AlertSource):
    """The problems of a Zabbix."""

    name = CHANNEL
    settings = ("zabbix_token",)
    endpoints: ClassVar[Mapping[str, Endpoint[Any]]] = {
        "/intake/zabbix": Endpoint("An event of a Zabbix", _verify, _receive)
    }
