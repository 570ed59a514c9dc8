"""`guardia sla` and `guardia calendar`."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from board_env import CUSTOMER
from command_line import command_env, output, refusal

from guardia.board.service_levels import due
from guardia.errors import Refused


@pytest.mark.slow
def test_the_calendar_and_the_time_of_a_request(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with command_env(database, tmp_path, monkeypatch) as env:
        day = (date.today() + timedelta(days=40)).isoformat()
        output("calendar", "add", day, "임시공휴일")
        assert "임시공휴일" in output("calendar", "list")
        assert day in {one["day"] for one in json.loads(output("calendar", "list", "--json"))}
        output("calendar", "remove", day)
        assert "임시공휴일" not in output("calendar", "list")
        sr_id = env.create_issue(requester_id=CUSTOMER.id, institution="MOF")
        due.process_due(env.board)
        assert "까지 처리할 예정입니다" in output("sla", "show", f"SR-{sr_id}", "--as", "cus")
        assert "목표 8시간" in output("sla", "show", sr_id, "--as", "lead")
        assert json.loads(output("sla", "report", "--json"))["lines"] == []
        assert "전체 준수율" in output("sla", "report")
        refusal(Refused, "sla", "rate", sr_id, 5, "--as", "cus")
