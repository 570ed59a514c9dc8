"""The audit log is searched by keyset, and each entry leads to its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from audit_env import AuditEnv
from board_env import CUSTOMER, LEAD, BoardEnv
from page_env import PageClient, recorded_statements

from guardia.board.audit import log
from guardia.board.audit.kinds import EntryKind
from guardia.board.core.labels import SEOUL
from guardia.board.integrity import log_view
from guardia.board.integrity.log_view import LogFilter
from guardia.errors import Forbidden, NotFound

Browse = Callable[[str], PageClient]


def write(env: BoardEnv, count: int, actor: str = "person:lead", text: str = "기록") -> None:
    now = env.board.clock()
    with env.board.database.transaction() as session:
        for n in range(count):
            log.append(
                session,
                EntryKind.ACCOUNT_UNLOCKED,
                actor=actor,
                now=now + timedelta(milliseconds=n),
                person=str(n),
                name=text,
            )


def numbers(env: BoardEnv, before: int | None = None, **wanted: object) -> list[int]:
    found = log_view.search(
        env.board,
        LEAD,
        LogFilter(**wanted),  # type: ignore[arg-type]
        before=before,
        size=10,
    )
    return [row.seq for row in found.rows]


def test_pages_follow_each_other_and_filters_fit(env: BoardEnv) -> None:
    write(env, 25)
    write(env, 3, actor="operator:cli", text="다른 낱말")
    assert numbers(env) == list(range(29, 19, -1))
    assert numbers(env, before=20) == list(range(19, 9, -1))
    assert numbers(env, actor="operator:cli", kind="account_unlocked") == [29, 28, 27]
    assert numbers(env, actor="lead") == list(range(26, 16, -1))
    assert numbers(env, text="다른 낱말") == [29, 28, 27]
    assert numbers(env, text="100%") == []
    assert numbers(env, kind="none") == []
    today = env.board.clock().astimezone(SEOUL).date()
    assert numbers(env, first_day=today)[0] == 29
    assert numbers(env, first_day=today + timedelta(days=1)) == []
    assert numbers(env, last_day=today - timedelta(days=1)) == []
    with recorded_statements(env.board) as statements:
        numbers(env, text="기록")
    assert len(statements) <= 5, "no query for each row"


def test_words_are_looked_for_in_a_bounded_part(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "WINDOW", 10)
    write(env, 1, text="드문말")
    write(env, 25)
    first = log_view.search(env.board, LEAD, LogFilter(text="드문말"))
    assert (first.rows, first.searched_to) == ((), 18)
    second = log_view.search(env.board, LEAD, LogFilter(text="드문말"), before=first.before)
    third = log_view.search(env.board, LEAD, LogFilter(text="드문말"), before=second.before)
    assert [row.seq for row in third.rows] == [2] and third.before is None


def test_a_hash_leads_to_its_entry_and_checkpoint(audit_env: AuditEnv) -> None:
    env = audit_env.env
    write(env, 3)
    unsigned = log_view.entry(env.board, LEAD, 3)
    assert unsigned.checkpoint is None and not unsigned.altered
    audit_env.board.sign_checkpoint()
    write(env, 2)
    found = log_view.entry(env.board, LEAD, 3)
    assert found.checkpoint is not None and found.checkpoint.size == 4
    assert numbers(env, text=found.entry.current_hash[:12]) == [3]
    assert numbers(env, text=found.entry.current_hash) == [3]
    with pytest.raises(NotFound):
        log_view.entry(env.board, LEAD, 99)
    for act in (
        lambda: log_view.search(env.board, CUSTOMER, LogFilter()),
        lambda: log_view.entry(env.board, CUSTOMER, 1),
    ):
        with pytest.raises(Forbidden):
            act()


@pytest.mark.slow
def test_an_altered_entry_is_marked_on_the_page_and_the_log_is_exported(
    sign_in_as: Browse, web_env: BoardEnv, audit_env: AuditEnv
) -> None:
    lead = sign_in_as("lead")
    write(web_env, 3)
    verified = lead.submit_form("/audit/verify", "/audit")
    assert verified.status_code == 200 and "위·변조가 없습니다" in verified.text
    audit_env.attack("update tb_audit_log set log_content = '아무 일도 없었습니다' where seq = 3")
    assert "기록 후 변경되었습니다" in lead.get_page("/audit").text
    assert "기록 후 변경되었습니다" in lead.get_page("/audit/3").text
    assert "기록 당시와 같습니다" in lead.get_page("/audit/2").text
    assert "3번 항목" in lead.submit_form("/audit/verify", "/audit", part="all").text
    assert sign_in_as("cus").get_page("/audit").status_code == 403
