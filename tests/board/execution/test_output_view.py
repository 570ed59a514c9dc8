"""The outputs of remote reads: for staff, and only below the issue that they belong to."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, BoardEnv
from page_env import AUDITOR, OTHER_CUSTOMER, IssueScenario

from guardia.board.execution import output_view
from guardia.errors import NotFound


def test_raw_output_is_for_staff_and_belongs_to_its_issue(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive().parse().diagnose(output="줄\n" * 3000)
    other = web_env.create_issue()
    with web_env.board.database.reading() as session:
        (outputs,) = output_view.outputs_by_task(session, scenario.sr_id).values()
    ((reading,), total) = outputs.newest, outputs.total
    assert total == 1
    whole = output_view.get_output(web_env.board, AUDITOR, scenario.sr_id, reading.evidence_id)
    assert whole == "줄\n" * 3000
    for viewer, sr_id in (
        (CUSTOMER, scenario.sr_id),
        (OTHER_CUSTOMER, scenario.sr_id),
        (ENGINEER, other),
    ):
        with pytest.raises(NotFound):
            output_view.get_output(web_env.board, viewer, sr_id, reading.evidence_id)
