"""An emergency reaches a room of every messenger that the installation has."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import slack_server
from board_env import BoardEnv
from slack_server import TOKEN, SlackApi
from sqlalchemy import select

from guardia.board.core import outbox
from guardia.board.core.actors import Actor
from guardia.board.core.model import OutboxEntry
from guardia.board.core.notice_kinds import NoticeKind
from guardia.board.intake.duty_rooms import duty_rooms
from guardia.board.organization import chart as organization_chart
from guardia.heartbeat.deliver import deliver
from guardia.org import chart
from guardia.settings import Settings

HOOK = "http://127.0.0.1:1/hook"
MATTERMOST, SLACK, JANDI = {"messenger_url": HOOK}, {"slack_token": "xoxb"}, {"jandi_url": HOOK}


@pytest.mark.parametrize(
    ("opened", "listed", "rooms"),
    [
        # One messenger: a room needs no channel before it, whichever messenger that is.
        (MATTERMOST, ["ops"], ["mattermost:ops"]),
        (SLACK, ["C01"], ["slack:C01"]),
        (JANDI, ["당직"], ["jandi:당직"]),
        # Several: each has its own, and one that was forgotten is reached or named as failed.
        ({**MATTERMOST, **SLACK}, ["ops", "slack:C01"], ["mattermost:ops", "slack:C01"]),
        ({**SLACK, **JANDI}, ["C01"], ["slack:C01", "jandi:"]),
        ({**MATTERMOST, **SLACK, **JANDI}, [], ["mattermost:", "slack:", "jandi:"]),
        # A colon alone names no channel.
        (MATTERMOST, ["당직: 야간"], ["mattermost:당직: 야간"]),
        # The alert itself goes to the webhook for alerts.
        ({**MATTERMOST, "alert_url": HOOK}, [], []),
        ({}, ["ops"], [":ops"]),
    ],
)
def test_every_open_messenger_has_a_room(
    opened: dict[str, str], listed: list[str], rooms: list[str]
) -> None:
    settings = Settings.model_validate(opened)
    assert [":".join(one) for one in duty_rooms(settings, listed)] == rooms


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with slack_server.slack_api() as found:
        yield found


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [NoticeKind.FAILED_ROLLBACK, NoticeKind.KILL_SWITCH, NoticeKind.AUDIT_BROKEN]
)
def test_a_site_with_slack_alone_reads_every_emergency(
    env: BoardEnv, slack: SlackApi, kind: NoticeKind
) -> None:
    given = chart.shipped_chart_path().read_text("utf-8")
    rules = json.dumps({"rooms": ["C0DUTY"]})
    organization_chart.apply_chart(
        env.board, f"{given}\nnotifications: {rules}\n", Actor.operator("test")
    )
    settings = Settings.model_validate({"slack_token": TOKEN, "slack_api": f"{slack.address}/api"})
    with env.board.database.transaction() as session:
        now = env.board.clock()
        first = outbox.send(session, "alert", "원복 실패", now, sr_id=None, notice=kind)
    slack.messages["C0DUTY"] = []
    deliver(env.board, settings, first)
    with env.board.database.reading() as session:
        o = OutboxEntry
        copied = session.scalars(select(o.outbox_id).where(o.cause_id == first, o.room != "")).all()
    for number in copied:
        deliver(env.board, settings, number)
    history = slack.client().conversations_history(channel="C0DUTY")["messages"]
    assert "원복 실패" in json.dumps(history, ensure_ascii=False)
    with env.board.database.reading() as session:
        assert session.get_one(OutboxEntry, first).delivered_at is not None
