"""Send a notice through the site's own SMS or mail gateway, as the org chart describes it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

import httpx
from sqlalchemy.orm import Session

from guardia.board.core.context import BoardContext
from guardia.board.notifications.delivery import OutboundMessage
from guardia.board.notifications.dispatch import running_chart
from guardia.board.notifications.policy import cut_text
from guardia.i18n import t_default
from guardia.org.credential_store import CredentialStore
from guardia.org.model import Person
from guardia.org.notifications import Gateway


def gateway_for(board: BoardContext, medium: str) -> Gateway | None:
    """Return the gateway of a medium, or `None` if the org chart has none."""
    with board.database.reading() as session:
        chart = running_chart(session)
    if chart is None:
        return None
    return {"sms": chart.notifications.sms, "mail": chart.notifications.mail}.get(medium)


def send(
    board: BoardContext,
    keys: CredentialStore,
    gateway: Gateway,
    message: OutboundMessage,
    client: httpx.Client,
) -> None:
    """Send one message. Raises `httpx.HTTPError` if the gateway does not accept it."""
    with board.database.reading() as session:
        values = _values(session, gateway, message)
    headers = dict(gateway.headers)
    headers |= {name: keys.get(key).strip() for name, key in gateway.secret_headers.items()}
    fields = {name: template.format(**values) for name, template in gateway.fields.items()}
    url = gateway.url.format(**{k: quote(v, safe="") for k, v in values.items()})
    if gateway.method == "GET":
        query = urlencode(fields, encoding=gateway.encoding, errors="replace")
        joined = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
        answer = client.get(joined, headers=headers)
    elif gateway.format == "json":
        answer = client.request(gateway.method, url, json=fields, headers=headers)
    else:
        answer = client.request(
            gateway.method,
            url,
            content=urlencode(fields, encoding=gateway.encoding, errors="replace").encode("ascii"),
            headers={
                "Content-Type": f"application/x-www-form-urlencoded; charset={gateway.encoding}",
                **headers,
            },
        )
    answer.raise_for_status()


def _values(session: Session, gateway: Gateway, message: OutboundMessage) -> Mapping[str, str]:
    person = session.get(Person, message.person) if message.person else None
    issue = f"SR-{message.sr_id}" if message.sr_id is not None else ""
    return {
        "phone": message.room if message.medium == "sms" else "",
        "mail": message.room if message.medium == "mail" else "",
        "name": person.name if person is not None else "",
        "text": cut_text(message.text, gateway.max_bytes),
        "title": t_default(f"notices.kind.{message.notice}"),
        "sr": issue,
        "kind": message.notice,
    }
