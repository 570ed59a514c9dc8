"""A long choice in a real browser: its options are found while typing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from board_env import BoardEnv
from playwright.sync_api import Page, expect

from guardia.org.model import Institution

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NUMBER = 200


def test_an_institution_among_many_is_found_while_typing(
    web_env: BoardEnv, sign_in: Callable[..., Page]
) -> None:
    with web_env.board.database.transaction() as session:
        session.add_all(
            Institution(inst_id=f"N{n:03}", inst_name=f"제{n}시험청") for n in range(NUMBER)
        )
    page = sign_in("eng", "/remote/new")
    choice = page.get_by_role("combobox", name="기관", exact=True)
    finder = page.get_by_role("searchbox", name="기관 찾기")
    finder.press_sequentially("제 137시")
    expect(choice).to_have_value("N137")
    # The filter of the form has followed; what was typed stays.
    expect(page.locator("#targets")).to_contain_text("0대")
    finder.fill("없는 기관")
    expect(choice).to_have_value("N137")
    finder.fill("시험청")
    finder.press("Enter")
    expect(choice).to_have_value("N000")
    expect(choice).to_be_focused()
    # A short choice has none.
    assert page.get_by_role("searchbox", name="종류 찾기").count() == 0
    # A label around its choice names the finder, too; the texts of the options do not.
    page.goto(page.url.replace("/remote/new", "/documents"))
    expect(page.get_by_role("searchbox", name="기관 찾기", exact=True)).to_be_visible()
