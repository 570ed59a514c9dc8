"""The page that changes the catalogue of request forms."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from page_env import PageClient

from guardia.board.request_forms import catalogue
from guardia.board.request_forms.catalogue_pages import PATH

Browse = Callable[[str], PageClient]
OWN = """\
forms:
  - id: parking
    title: 주차 등록
    group: 시설
    fields:
      - {id: car, label: 차량 번호}
"""


@pytest.mark.slow
def test_a_catalogue_is_planned_applied_and_taken_back(sign_in_as: Browse) -> None:
    pm = sign_in_as("pm")
    assert "기본 제공 양식입니다" in pm.get_page(PATH).text
    planned = pm.submit_form(PATH, PATH, act="plan", text=OWN, seen="0").text
    assert "추가: parking 주차 등록" in planned and "삭제: account-unlock" in planned
    assert "주차 등록" not in pm.get_page("/requests/new").text
    assert pm.submit_form(PATH, PATH, act="apply", text=OWN, seen="0").status_code == 303
    assert "주차 등록" in pm.get_page("/requests/new").text
    page = pm.get_page(PATH).text
    assert "적용 중인 1판" in page and f"{PATH}?revision=1" in page
    shipped = pm.get_page(f"{PATH}?revision=0").text
    assert "account-unlock" in shipped and "적용하면 새 판으로" in shipped
    assert pm.get_page(f"{PATH}?revision=9").status_code == 404


@pytest.mark.slow
def test_a_wrong_text_is_refused_with_its_line_and_stays(sign_in_as: Browse) -> None:
    pm = sign_in_as("pm")
    wrong = OWN.replace("group: 시설", "grup: 시설")
    for act in ("plan", "apply"):
        page = pm.submit_form(PATH, PATH, act=act, text=wrong, seen="0")
        assert page.status_code == 422 and "grup: 시설" in page.text and "4행" in page.text
    for broken in ("forms: [", "", "forms: 1"):
        assert pm.submit_form(PATH, PATH, act="apply", text=broken, seen="0").status_code == 422


@pytest.mark.slow
def test_two_edits_at_once_lose_nothing(sign_in_as: Browse) -> None:
    pm, admin = sign_in_as("pm"), sign_in_as("admin")
    text = catalogue.shipped_text()
    assert pm.submit_form(PATH, PATH, act="apply", text=OWN, seen="0").status_code == 303
    late = admin.submit_form(PATH, PATH, act="apply", text=text, seen="0")
    assert late.status_code == 409 and "account-unlock" in late.text


def test_others_may_not_edit(sign_in_as: Browse) -> None:
    for person in ("cus", "eng", "lead"):
        assert sign_in_as(person).get_page(PATH).status_code == 403
