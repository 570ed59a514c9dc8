"""Words of a decision in a room: they decide nothing, and are answered with how to decide.

A line in a room carries neither the hash of the plan that its author read nor a proof of who wrote
it. So a line that is nothing but a decision opens no issue: it is answered with the summary of what
waits and the address of its page.
"""

from __future__ import annotations

import re

from guardia.board.approvals import pending
from guardia.board.approvals.summary import decision_summary
from guardia.board.core.context import BoardContext
from guardia.board.core.issue_ref import issue_ref
from guardia.board.core.model import Issue
from guardia.board.intake import chat_log
from guardia.board.issues.receiving import NewIssue
from guardia.db.engine import repeat_on_conflict
from guardia.i18n import t
from guardia.text import fold

RULE = "decision"
"""Rule name under which the log stores a line that tried to decide."""
_VERB = (
    r"(?:(?:승인|결재|반려|거절|기각|보완\s*요청|수정\s*요청)"
    r"(?:합니다|했습니다|하겠습니다|할게요|해요|함|이요|처리)?|approved?|rejected?|lgtm)"
)
_NUMBER = r"(?:SR-|#)\s?(\d{1,18})(?:번|은|는|을|를)?"
_PATTERN = re.compile(
    rf"\s*(?:@?(?:가디아|guardia)[\s,:야아님]*)?(?:{_NUMBER}\s*)?{_VERB}"
    rf"(?:\s+{_NUMBER})?(?:\s+[0-9a-f]{{8,64}})?[\s.!]*",
    re.IGNORECASE,
)
_MAX_LENGTH = 120


def parse_decision_words(text: str) -> int | None:
    """Return the issue that a line decides on, 0 if it names none, or `None` for other lines."""
    if len(text) > _MAX_LENGTH:
        return None
    found = _PATTERN.fullmatch(fold(text))
    return int(found[1] or found[2] or 0) if found else None


@repeat_on_conflict
def answer_decision(board: BoardContext, line: NewIssue, sr_id: int, board_url: str) -> str:
    """Log the line and return how to decide, with the plans that wait if this is their room."""
    with board.database.transaction() as session:
        chat_log.log_line(session, line, RULE, board.clock())
        issue = session.get(Issue, sr_id) if sr_id else None
        ours = issue is not None and (issue.channel, issue.room) == (line.channel, line.room)
    address = board_url.rstrip("/")
    if not ours:
        return t("intake.decide.elsewhere", link=f"{address}/issues")
    link = f"{address}/issues/{sr_id}"
    plans = pending.pending_plans(board, sr_id)
    if not plans:
        return t("intake.decide.none", sr=issue_ref(sr_id), link=link)
    lines = [line for p in plans for line in decision_summary(p.plan, p.plan_hash)]
    return "\n".join([*lines, t("intake.decide.here", sr=issue_ref(sr_id), link=link)])
