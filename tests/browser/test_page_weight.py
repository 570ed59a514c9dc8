"""What a cold page costs: few requests, few bytes. Its time is measured by a benchmark."""

from __future__ import annotations

import pytest
from board_env import BoardEnv
from page_cost import CHARTS, measure
from page_env import IssueScenario
from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, pytest.mark.browser]

MOST_REQUESTS = 20
MOST_BYTES = 300_000


def test_cold_pages_are_light(web_env: BoardEnv, site: str, browser: Browser) -> None:
    scenario = IssueScenario(web_env).waiting()
    for path in ("/", "/issues", f"/issues/{scenario.sr_id}", "/dashboard"):
        found = measure(browser, site, "lead", path)
        assert 5 < found["requests"] < MOST_REQUESTS, (path, found)
        size = found["bytes"] - found["by"].get(CHARTS, 0)
        assert 10_000 < size < MOST_BYTES, (path, found)
