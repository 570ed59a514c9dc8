"""Search, forms and checklists on pages and in the API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from page_env import PageClient

from guardia.board.request_forms import catalogue

Browse = Callable[[str], PageClient]
UNLOCK = {
    "f-account": "hnjang",
    "f-system": "예산회계",
    "f-symptom": "비밀번호 분실",
    "f-phone": "044-215-0000",
}


@pytest.mark.slow
def test_a_customer_searches_and_files(sign_in_as: Browse) -> None:
    browser = sign_in_as("cus")
    assert "방화벽" in browser.get_page("/requests/new").text
    found = browser.get_page("/requests/new?q=비번").text
    assert "/requests/new/account-unlock" in found and "firewall-open" not in found
    assert "검색 결과가 없습니다" in browser.get_page("/requests/new?q=없는것").text
    at = "/requests/new/account-unlock"
    refused = browser.submit_form(at, at, **{**UNLOCK, "f-symptom": "", "f-phone": ""})
    assert refused.status_code == 422 and 'value="hnjang"' in refused.text
    assert refused.text.count('class="field-error"') == 2
    done = browser.submit_form(at, at, ticket="t1", **UNLOCK)
    assert done.status_code == 303
    issue = done.headers["location"]
    assert browser.submit_form(at, at, ticket="t1", **UNLOCK).headers["location"] == issue
    page = browser.get_page(issue).text
    assert "비밀번호 초기화" in page and f'hx-get="{issue}/form"' in page
    assert "044-215-0000" in browser.get_page(f"{issue}/form").text
    assert "처리 점검표" not in browser.get_page(f"{issue}/form").text
    engineer = sign_in_as("eng")
    assert "처리 점검표" in engineer.get_page(f"{issue}/form").text
    engineer.submit_form(f"{issue}/checklist/0", f"{issue}/form", done="true")
    assert 'aria-pressed="true"' in engineer.get_page(f"{issue}/form").text
    assert sign_in_as("cus2").get(f"{issue}/form").status_code == 404
    assert sign_in_as("audit").get("/requests/new").status_code == 403
    assert browser.get("/requests/new/no-such").status_code == 404


@pytest.mark.slow
def test_every_shipped_form_is_shown(sign_in_as: Browse, web_env: BoardEnv) -> None:
    browser = sign_in_as("eng")
    for form in catalogue.parse(catalogue.shipped_text()).forms:
        assert form.title in browser.get_page(f"/requests/new/{form.id}").text


def test_the_api(sign_in_as: Browse) -> None:
    customer, pm = sign_in_as("cus"), sign_in_as("pm")
    forms = customer.get("/api/v3/request-forms?q=VPN").json()
    assert forms[0]["id"] == "vpn-access" and forms[0]["fields"][0]["label"] == "사용자 성명"
    text = customer.get("/api/v3/request-forms/catalogue").text
    assert text == catalogue.shipped_text()
    assert customer.get("/api/v3/request-forms/nothing").status_code == 404
    assert pm.get("/api/v3/request-forms/revisions").json() == []
    admin = sign_in_as("admin")
    ours = {"x-csrf-token": admin.token()}
    for words, part in (("", "내용이 없습니다"), ("forms: [", "YAML"), ("forms: 1", "forms")):
        refused = admin.request("PUT", "/api/v3/request-forms", json={"text": words}, headers=ours)
        assert refused.status_code == 422 and part in refused.json()["message"], refused.text
