"""Registry of the intake channels."""

from __future__ import annotations

from guardia.board.intake.alert_senders import AlertSource
from guardia.board.intake.alertmanager import AlertmanagerChannel
from guardia.board.intake.channels import Channel
from guardia.board.intake.grafana import GrafanaChannel
from guardia.board.intake.jandi import JandiChannel
from guardia.board.intake.mail.channel import MailChannel
from guardia.board.intake.mattermost import MattermostChannel
from guardia.board.intake.slack import SlackChannel
from guardia.board.intake.zabbix import ZabbixChannel
from guardia.board.notifications.delivery import OutboundMessage

CHANNELS: tuple[Channel, ...] = (
    MattermostChannel(),
    SlackChannel(),
    JandiChannel(),
    MailChannel(),
    AlertmanagerChannel(),
    GrafanaChannel(),
    ZabbixChannel(),
)
"""All channels. The first one also sends alerts, and replies of issues without a channel here."""


def sender_of(message: OutboundMessage) -> Channel | None:
    """Return the channel that sends a message: a reply goes back where its issue came from.

    `None` if a person's medium is none of the channels.
    """
    if message.medium:
        return next((c for c in CHANNELS if c.name == message.medium), None)
    own = [c for c in CHANNELS if message.kind == "message" and c.name == message.channel]
    return next((c for c in own if not isinstance(c, AlertSource)), CHANNELS[0])
