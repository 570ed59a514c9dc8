"""The duty roster on pages: entered, refused at the field, changed, removed, undone, imported."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from board_env import BoardEnv
from cmdb_env import enter
from page_env import PageClient

from guardia.board.audit.model import AuditEntry
from guardia.board.cmdb import entries

Browse = Callable[[str], PageClient]
NIGHT = {"id": "야간", "field": "DB", "person": "eng", "begins": "18:00", "ends": "09:00",
         "days": ["mon", "tue"], "holidays": "as_usual"}  # fmt: skip


def stored(env: BoardEnv, kind: str) -> list[dict[str, Any]]:
    return entries.entries(env.board, kind)


def change_count(env: BoardEnv) -> int:
    with env.board.database.reading() as session:
        return session.query(AuditEntry).filter_by(kind="cmdb_changed").count()


@pytest.mark.slow
def test_a_duty_is_entered_changed_removed_and_restored(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    lead = sign_in_as("lead")
    new, edit = "/roster/new/duty", "/roster/edit/duty"
    assert lead.submit_form(new, new, **NIGHT).status_code == 303
    assert stored(web_env, "duty")[0]["days"] == ["mon", "tue"]
    assert "야간" in lead.get_page("/roster").text
    form = lead.get_page(f"{edit}?key=야간").text
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', form)
    assert seen is not None
    changed = {**NIGHT, "ends": "08:00", "key": "야간", "seen": seen[1], "id": "other"}
    assert lead.submit_form(edit, "/roster", **changed).status_code == 303
    assert [(d["id"], d["ends"]) for d in stored(web_env, "duty")] == [("야간", "08:00")]
    stale = lead.submit_form(edit, "/roster", **{**changed, "ends": "07:00"})
    assert stale.status_code == 409 and "07:00" in stale.text  # nothing entered is lost
    enter(web_env, ("duty_exception", {"duty": "야간", "first_day": "2026-12-25"}))
    assert lead.submit_form("/roster/remove/duty", "/roster", key="야간").status_code == 303
    assert not stored(web_env, "duty") and not stored(web_env, "duty_exception")
    assert lead.submit_form("/roster/undo", "/roster", number=4).status_code == 303
    assert len(stored(web_env, "duty")) == len(stored(web_env, "duty_exception")) == 1
    later = lead.submit_form("/roster/undo", "/roster", number=1)
    assert later.status_code == 409 and "나중 변경부터" in later.text
    assert change_count(web_env) == 5


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("duty", {**NIGHT, "begins": "25:00"}, "begins"),
    ("duty", {**NIGHT, "person": ""}, "person"),
    ("duty", {**NIGHT, "person": "nobody-here"}, "person"),
    ("duty", {**NIGHT, "person": "", "team": "no-team"}, "team"),
    ("duty", {**NIGHT, "days": []}, "days"),
    ("duty", {**NIGHT, "since": "2026-12-02", "until": "2026-12-01"}, "until"),
    ("duty_exception", {"duty": "none", "first_day": "2026-12-25"}, "duty"),
    ("duty_exception", {"duty": "none", "first_day": "12월 25일"}, "first_day"),
    ("skill", {"person": "eng", "skill": "DB", "proficiency": "6"}, "proficiency"),
    ("skill", {"person": "nobody-here", "skill": "DB", "proficiency": "3"}, "person"),
    ("owner", {"person": "eng", "skill": "DB", "proficiency": "3"}, "server"),
    ("owner", {"person": "eng", "server": "NO-01", "skill": "DB", "proficiency": "3"}, "server"),
    ("absence", {"person": "eng", "first_day": ""}, "first_day"),
    ("absence", {"person": "nobody-here", "first_day": "2026-12-01"}, "person"),
    ("absence", {"person": "eng", "first_day": "2026-12-02", "last_day": "2026-12-01"}, "last_day"),
    (
        "absence",
        {"person": "eng", "first_day": "2026-12-02", "substitute": "nobody-here"},
        "substitute",
    ),
]


@pytest.mark.slow
def test_a_fault_is_shown_at_its_field(web_env: BoardEnv, sign_in_as: Browse) -> None:
    lead = sign_in_as("lead")
    for kind, given, field in FAULTS:
        path = f"/roster/new/{kind}"
        page = lead.submit_form(path, path, **given)
        assert page.status_code == 422, given
        assert f'id="{field}-error"' in page.text, (field, re.findall(r'id="\w+-error"', page.text))
        for name in ("person", "server", "substitute", "first_day"):
            value = str(given.get(name, ""))
            assert not value or f'value="{value}"' in page.text, name  # nothing entered is lost


@pytest.mark.slow
def test_people_skills_and_absences_are_entered_and_ended(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    lead = sign_in_as("lead")
    owner = {"person": "eng", "server": "MOF-DB-01", "skill": "WAS", "proficiency": "4",
             "duty": "deputy"}  # fmt: skip
    before = len(stored(web_env, "owner"))
    assert lead.submit_form("/roster/new/owner", "/roster/new/owner", **owner).status_code == 303
    again = lead.submit_form("/roster/new/owner", "/roster/new/owner", **owner)
    assert again.status_code == 422 and "이미 등록" in again.text
    assert len(stored(web_env, "owner")) == before + 1
    listed = lead.get_page("/roster/list/owner?text=MOF-DB").text
    assert "부담당" in listed and "MOF-DB-01" in listed
    skill = {"person": "eng", "skill": "보안", "proficiency": "5"}
    assert lead.submit_form("/roster/new/skill", "/roster/new/skill", **skill).status_code == 303
    assert "보안" in lead.get_page("/roster/list/skill").text
    away = {"person": "eng", "first_day": "2099-12-01", "reason": "휴가"}
    path = "/roster/new/absence"
    assert lead.submit_form(path, path, **away).status_code == 303
    page = lead.get_page("/roster").text
    number = re.search(r'/roster/remove/absence.*?name="key" value="(\d+)"', page, re.S)
    assert number is not None and "휴가" in page
    ended = lead.submit_form("/roster/remove/absence", "/roster", key=number[1])
    assert ended.status_code == 303 and "휴가" not in lead.get_page("/roster").text


@pytest.mark.slow
def test_only_those_who_may_change_it_and_an_outsider_finds_nothing(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    enter(web_env, ("duty", {**NIGHT, "person": "eng"}))
    for account in ("eng", "audit"):
        reader = sign_in_as(account)
        page = reader.get_page("/roster").text
        assert "야간" in page and "/roster/edit" not in page and "/roster/undo" not in page
        for path in ("/roster/new/duty", "/roster/import", "/roster/edit/duty?key=야간"):
            assert reader.get_page(path).status_code == 403
        for path, given in (
            ("/roster/new/duty", NIGHT),
            ("/roster/remove/duty", {"key": "야간"}),
            ("/roster/undo", {"number": 1}),
            ("/roster/import", {"kind": "duty"}),
        ):
            assert reader.submit_form(path, "/roster", **given).status_code == 403
    assert sign_in_as("cus").get_page("/roster").status_code == 403
    assert len(stored(web_env, "duty")) == 1


def workbook(*rows: tuple[str, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


HEAD = ("당직", "분야", "담당자", "요일", "시작", "종료")
GOOD = ("주간", "WAS", "eng", "월-금", "9:00", "18:00")
BAD = ("심야", "DB", "nobody-here", "매일", "22:00", "06:00")


def check(client: PageClient, kind: str, name: str, content: bytes) -> Any:
    fields = {"csrf": client.token("/roster"), "kind": kind}
    files = {"file": (name, content)} if name else None
    return client.post("/roster/import/check", data=fields, files=files)


@pytest.mark.parametrize("form", ["csv", "cp949", "xlsx"])
@pytest.mark.slow
def test_a_table_is_checked_first_and_then_imported(
    web_env: BoardEnv, sign_in_as: Browse, form: str
) -> None:
    lead = sign_in_as("lead")
    text = "\n".join(",".join(row) for row in (HEAD, GOOD, BAD))
    content = {"csv": text.encode(), "cp949": text.encode("cp949")}.get(form) or workbook(
        HEAD, GOOD, BAD
    )
    name = f"roster.{'xlsx' if form == 'xlsx' else 'csv'}"
    page = check(lead, "duty", name, content)
    assert page.status_code == 200 and "주간" in page.text and "nobody-here" in page.text
    assert not stored(web_env, "duty")
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', page.text)
    held = re.search(r'name="content" value="([^"]+)"', page.text)
    assert seen and held and base64.b64decode(held[1]) == content
    given = {"kind": "duty", "name": name, "content": held[1], "seen": seen[1]}
    refused = lead.submit_form("/roster/import", "/roster/import", **given)
    assert refused.status_code == 422 and not stored(web_env, "duty")
    done = lead.submit_form("/roster/import", "/roster/import", **given, skip_bad="yes")
    assert done.status_code == 303 and [d["id"] for d in stored(web_env, "duty")] == ["주간"]
    # What was shown is not what would be applied any more.
    stale = lead.submit_form("/roster/import", "/roster/import", **given, skip_bad="yes")
    assert stale.status_code == 409
    assert "주간" in lead.get_page("/roster/export?kind=duty").text


def test_absences_are_imported_and_a_file_that_is_none_is_refused(
    web_env: BoardEnv, sign_in_as: Browse
) -> None:
    lead = sign_in_as("lead")
    page = check(lead, "absence", "a.csv", "담당자,시작일\neng,2099-01-02\neng,x\n".encode())
    assert "2099-01-02" in page.text and "3번째 줄" in page.text
    held = re.search(r'name="content" value="([^"]+)"', page.text)
    assert held
    given = {"kind": "absence", "name": "a.csv", "content": held[1], "skip_bad": "yes"}
    assert lead.submit_form("/roster/import", "/roster/import", **given).status_code == 303
    assert "2099" in lead.get_page("/roster").text
    for name, content in (
        ("", b""),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1"),
        ("a.csv", b"\x00\x01\x02"),
        ("a.csv", "아무,열\n1,2\n".encode()),
    ):
        wrong = check(lead, "duty", name, content)
        assert wrong.status_code == 422 and 'id="file-error"' in wrong.text, name
    # Teams give rights of their own.
    assert check(lead, "team", "t.csv", "팀,이름\nT,팀\n".encode()).status_code == 403


def test_the_roster_page_shows_what_was_entered(web_env: BoardEnv, sign_in_as: Browse) -> None:
    browser = sign_in_as("pm")
    assert browser.get_page("/roster").text.count("등록된 내용이 없습니다") == 5
    always = {"field": "DB", "begins": "00:00", "ends": "24:00"}
    enter(
        web_env,
        ("team", {"id": "T", "name": "<b>DB팀</b>", "members": ["eng"]}),
        ("duty", {"id": "N", "team": "T", **always}),
        ("duty_exception", {"duty": "N", "first_day": "2020-01-01", "reason": "휴무"}),
    )
    html = browser.get_page("/roster").text
    assert "&lt;b&gt;DB팀" in html and "김철수 대리" in html and "휴무" in html
