"""The card of the documents shows their use and what is missing, of what the viewer may read."""

from __future__ import annotations

from datetime import timedelta

from board_env import ENGINEER, PM, BoardEnv
from search_env import CERTIFICATE, DISK, publish

from guardia.board.dashboard.cards import NO_FILTERS
from guardia.board.dashboard.documents_card import DocumentsCard
from guardia.board.knowledge import usage
from guardia.board.search import questions
from guardia.board.search.questions import FoundAnswer, FoundPassage


def test_the_card_shows_use_and_gaps(env: BoardEnv) -> None:
    used, unused = publish(env, *CERTIFICATE), publish(env, *DISK)
    old = publish(env, "지난 지침", "끝", expires_at=env.board.clock() - timedelta(days=1))
    secret = publish(env, "팀장 지침", "내부", audience="roles", roles=["team_lead"])
    for text, fits in (("인증서", True), ("점심", False), ("점심", False)):
        number = questions.ask(env.board, ENGINEER, text)
        found = FoundAnswer((FoundPassage(1, 1.0, ()),), fits, 1.0)
        questions.answer(env.board, number, found)
    cited, missed = env.create_issue(), env.create_issue(text="프린터 연결")
    usage.cite(env.board, cited, [1])
    usage.cite(env.board, missed, [])
    card = DocumentsCard()
    data = card.read(env.board, PM, NO_FILTERS)
    assert (data.people.answered, data.people.unanswered) == (1, 2)
    assert (data.agents.answered, data.agents.unanswered) == (1, 1)
    assert [one.number for one in data.used] == [used]
    assert [one.number for one in data.unused] == [unused]
    assert [(one.number, one.reasons) for one in data.stale] == [(old, ("expired",))]
    assert data.stale_count == 1
    assert [(one.text, one.times) for one in data.questions] == [("점심", 2)]
    assert [one.sr_id for one in data.issues] == [missed]
    rows = card.table(data, NO_FILTERS).rows
    assert any(row[1:] == ("점심", 2) for row in rows)
    assert not any("팀장 지침" in str(row) for row in rows) and secret
