"""The auditor's use case: verify the whole record and write down what was found."""

from __future__ import annotations

from guardia.board import audit
from guardia.board.chain import Verdict
from guardia.board.desk.core import Desk, send
from guardia.i18n import t


def verify(desk: Desk, actor: str, sr_id: int | None = None) -> Verdict:
    """Walk the chain; an alert leaves at once where it does not hold."""
    with desk.database.reading() as session:
        verdict = audit.verify_all(session)
    now = desk.clock()
    with desk.database.transaction() as session:
        if verdict.intact:
            audit.append(
                session,
                "verified",
                actor=actor,
                now=now,
                sr_id=sr_id,
                detail={"size": verdict.size, "head": verdict.head},
                size=verdict.size,
            )
            return verdict
        bad, fault = verdict.bad or 0, verdict.fault or ""
        send(session, "alert", t("audit.broken", bad=bad, fault=fault), now, sr_id=sr_id)
        audit.append(
            session,
            "broken",
            actor=actor,
            now=now,
            sr_id=sr_id,
            detail={"bad": bad, "fault": fault},
            bad=bad,
            fault=fault,
        )
        return verdict
