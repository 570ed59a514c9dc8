"""The page of service levels and the section of an issue, by role."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from board_env import BoardEnv
from page_env import PageClient
from service_env import completed

from guardia.board.service_levels import due

Browse = Callable[[str], PageClient]


@pytest.mark.slow
def test_a_day_is_added_and_removed(sign_in_as: Browse) -> None:
    browser = sign_in_as("lead")
    page, act = "/service-levels", "/service-levels/days"
    refused = browser.submit_form(act, page, day="2099-01-01", name="개청 기념일")
    assert refused.status_code == 422 and "3년 이내" in refused.text
    assert 'value="개청 기념일"' in refused.text, "what was entered stays"
    day = (date.today() + timedelta(days=30)).isoformat()
    assert browser.submit_form(act, page, day=day, name="개청 기념일").status_code == 303
    assert "개청 기념일" in browser.get_page(page).text
    assert browser.submit_form(f"{act}/remove", page, day=day).status_code == 303
    assert "개청 기념일" not in browser.get_page(page).text


def test_the_report_is_for_staff(sign_in_as: Browse, web_env: BoardEnv) -> None:
    completed(web_env)
    page = sign_in_as("audit").get_page("/service-levels").text
    assert "기획재정부" in page and "100.0%" in page and 'action="/service-levels/days"' not in page
    assert sign_in_as("cus").get("/service-levels").status_code == 403


@pytest.mark.slow
def test_a_customer_rates_and_reopens_on_the_page(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id = completed(web_env)
    browser = sign_in_as("cus")
    assert f'hx-get="/issues/{sr_id}/service"' in browser.get_page(f"/issues/{sr_id}").text
    section = f"/issues/{sr_id}/service"
    assert "해결되지 않았습니다" in browser.get_page(section).text
    refused = browser.submit_form(f"/issues/{sr_id}/satisfaction", section, comment="좋아요")
    assert refused.status_code == 422 and "좋아요" in refused.text
    done = browser.submit_form(
        f"/issues/{sr_id}/satisfaction", section, score="5", comment="좋아요"
    )
    assert done.status_code == 303
    assert "5점(매우 만족)" in browser.get_page(section).text
    done = browser.submit_form(f"/issues/{sr_id}/unresolved", section, reason="또 느려요")
    assert (done.status_code, done.headers["location"]) == (303, f"/issues/{sr_id}")
    assert sign_in_as("cus2").get(section).status_code == 404


def test_the_api(sign_in_as: Browse, web_env: BoardEnv) -> None:
    sr_id = completed(web_env)
    due.process_due(web_env.board)
    lead = sign_in_as("lead")
    found = lead.get(f"/api/v3/service-levels/issues/{sr_id}").json()
    assert [one["state"] for one in found["clocks"]] == ["KEPT", "KEPT"]
    month = lead.get("/api/v3/service-levels/report").json()
    assert {line["kind"]: line["kept"] for line in month["lines"]} == {
        "response": 1,
        "resolution": 1,
    }
    assert lead.get("/api/v3/service-levels/days").json()[0]["by_hand"] is False
    assert sign_in_as("cus2").get(f"/api/v3/service-levels/issues/{sr_id}").status_code == 404


def test_the_list_has_a_column_of_the_time_left(sign_in_as: Browse, web_env: BoardEnv) -> None:
    web_env.create_issue(institution="MOF")
    due.process_due(web_env.board)
    path = "/issues?columns=title,left"
    assert re.search(
        r'class="clock \w+"[^>]*>응답 [^<]+남음', sign_in_as("lead").get_page(path).text
    )
    assert 'class="clock' not in sign_in_as("cus").get_page(path).text
