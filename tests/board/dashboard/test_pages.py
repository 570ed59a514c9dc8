"""Pages of the dashboard: filters in the address, one card, its files, and its permission."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from board_env import BoardEnv
from openpyxl import load_workbook
from page_env import IssueScenario, PageClient

from guardia.board.dashboard.registry import CARDS

Browse = Callable[[str], PageClient]


@pytest.mark.slow
def test_every_card_has_a_page_and_files(web_env: BoardEnv, sign_in_as: Browse) -> None:
    IssueScenario(web_env).waiting()
    browser = sign_in_as("admin")
    where = "days=7&institution=MOF&server=MOF-DB-01"
    for card in CARDS:
        page = browser.get_page(f"/dashboard/{card.name}?{where}")
        assert page.status_code == 200 and f'id="part-{card.name}"' in page.text, card.name
        text = browser.get(f"/dashboard/{card.name}/export?format=csv&{where}")
        assert text.headers["content-type"] == "text/csv; charset=utf-8"
        assert text.content.startswith(b"\xef\xbb\xbf")
        book = browser.get(f"/dashboard/{card.name}/export?format=xlsx&{where}")
        sheet = load_workbook(io.BytesIO(book.content)).worksheets[0]
        assert sheet.max_row == text.text.strip().count("\r\n") + 1
        figures = browser.get(f"/api/v3/dashboard/{card.name}?{where}").json()
        assert len(figures["columns"]) == sheet.max_column
        assert len(figures["rows"]) == sheet.max_row - 1
    assert browser.get("/dashboard/nothing").status_code == 404
    assert browser.get("/dashboard/requests/export?format=pdf").status_code == 422


@pytest.mark.slow
def test_filters_stay_in_the_address_and_in_every_link(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    IssueScenario(web_env).waiting()
    page = sign_in_as("lead").get_page("/dashboard?days=5&server=mof-db-01").text
    assert '<option value="7" selected>' in page
    assert 'value="MOF-DB-01"' in page
    assert 'href="/dashboard/requests/export?format=csv&amp;days=7&amp;server=MOF-DB-01"' in page
    assert 'hx-get="/dashboard?days=7&amp;server=MOF-DB-01"' in page
    assert "server%3AMOF-DB-01" in page


def test_a_card_says_which_filter_it_does_not_follow(web_env: BoardEnv, sign_in_as: Browse) -> None:
    page = sign_in_as("lead").get_page("/dashboard/spending?server=MOF-DB-01")
    assert "이 카드에는 다음 조건이 적용되지 않습니다: 서버" in page.text
    other = sign_in_as("lead").get_page("/dashboard/spending").text
    assert "적용되지 않습니다" not in other


@pytest.mark.slow
def test_a_customer_finds_only_the_own_card(web_env: BoardEnv, sign_in_as: Browse) -> None:
    IssueScenario(web_env).waiting()
    own, other = sign_in_as("cus"), sign_in_as("cus2")
    assert own.get_page("/dashboard/requests").status_code == 200
    for card in ("engineers", "servers", "integrity", "spending"):
        assert own.get_page(f"/dashboard/{card}").status_code == 404
        assert own.get(f"/dashboard/{card}/export").status_code == 404
        assert own.get(f"/api/v3/dashboard/{card}").status_code == 404
    assert "기획재정부" not in other.get_page("/dashboard").text
    assert ",1," in own.get("/dashboard/requests/export?days=1").text
    assert ",1," not in other.get("/dashboard/requests/export?days=1").text
