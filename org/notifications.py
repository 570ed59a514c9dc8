"""The chart's rules of notifications: media, quiet hours, escalation, the site's own gateways."""

from __future__ import annotations

from datetime import timedelta
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from guardia.i18n import t
from guardia.org.approvals import Period
from guardia.org.heartbeats import QuietHours
from guardia.text import CleanStr

Medium = Literal["sms", "mail", "messenger"]
EscalationStep = Literal["duty", "team_lead", "pm", "security_officer", "admin"]
GATEWAY_FIELDS = ("phone", "mail", "name", "text", "title", "sr", "kind")
"""Names in braces that a gateway's fields and address may contain."""


def _template(text: str) -> str:
    known = ", ".join(f"{{{name}}}" for name in GATEWAY_FIELDS)
    try:
        parts = [(name, spec, how) for _, name, spec, how in Formatter().parse(text)]
    except ValueError:
        raise ValueError(t("org.notifications.template", known=known)) from None
    if any(n is not None and (n not in GATEWAY_FIELDS or spec or how) for n, spec, how in parts):
        raise ValueError(t("org.notifications.template", known=known))
    return text


def _positive(length: timedelta) -> timedelta:
    if length < timedelta(minutes=1):
        raise ValueError(t("org.notifications.after"))
    return length


Template = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_template)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Escalation(_Entry):
    """Whom an emergency calls, one step after the other, until a person acknowledges it."""

    after: Annotated[Period, AfterValidator(_positive)] = Field(
        default=timedelta(minutes=10), json_schema_extra={"default": "10m"}
    )
    """How long a step waits."""
    steps: tuple[EscalationStep, ...] = ("duty", "duty", "team_lead", "admin")
    """`duty`: the next person on duty; a role: everyone who has it."""


class Gateway(_Entry):
    """The site's own SMS or mail gateway, called over HTTP."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=500)]
    method: Literal["POST", "PUT", "GET"] = "POST"
    format: Literal["json", "form"] = "json"
    fields: dict[CleanStr, Template] = {"to": "{phone}", "text": "{text}"}
    headers: dict[CleanStr, CleanStr] = {}
    secret_headers: dict[CleanStr, CleanStr] = {}
    """By name, the credential whose text is the header's value."""
    encoding: Literal["utf-8", "euc-kr", "cp949"] = "utf-8"
    """Encoding of a form."""
    max_bytes: int = Field(default=90, ge=20, le=100_000)
    """Longest text, in bytes of EUC-KR; a longer one is cut."""


class NotificationRules(_Entry):
    """Who is notified how, unless a person has chosen otherwise."""

    media: tuple[Medium, ...] = ("messenger", "mail")
    """Media of ordinary notices, in addition to the page of the person."""
    emergency_media: tuple[Medium, ...] = ("sms", "messenger", "mail")
    quiet: QuietHours | None = None
    digest: Period | None = None
    """Ordinary notices of this time are sent together; unset: each at once."""
    rooms: tuple[CleanStr, ...] = ()
    """Rooms on duty, which learn of every emergency."""
    escalation: Escalation = Escalation()
    sms: Gateway | None = None
    mail: Gateway | None = None
    """Unset: mail is sent by the channel for e-mail, if it is open."""
