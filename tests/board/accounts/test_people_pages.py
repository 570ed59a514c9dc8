"""Pages of people, rights and the own password, as an administrator and others use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from board_env import BoardEnv
from page_env import PASSWORD, PageClient, page_app, recorded_statements
from second_person import waiting_requests
from sqlalchemy import func, select, text, update

from guardia.board.accounts import expiry, people, people_view, reviews, sign_in
from guardia.board.accounts.people_view import PeopleFilter
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.model import OutboxEntry
from guardia.board.rights import history
from guardia.board.rights.history import ChangedRight
from guardia.org.account_model import AccountState
from guardia.org.account_policy import AccountPolicy
from guardia.org.directory import PersonInfo
from guardia.org.model import LoginSession, Person

Browse = Callable[[str], PageClient]
SECRET = re.compile(r'class="secret">([^<]+)<')
FIELDS = {"name": "문가온", "title": "주임", "role": "engineer"}


def invite(admin: PageClient, account: str = "new", **more: str) -> str:
    """Create an account on the page; returns the one-time password."""
    answer = admin.submit_form("/people", "/people/new", account=account, **{**FIELDS, **more})
    found = SECRET.search(answer.text)
    assert answer.status_code == 200 and found, answer.text
    return found[1]


def sign_in_to(app: object, account: str, password: str) -> PageClient:
    browser = PageClient(app, raise_server_exceptions=False)  # type: ignore[arg-type]
    answer = browser.submit_form("/login", "/login", account=account, password=password)
    assert answer.status_code == 303, answer.text
    return browser


@pytest.mark.slow
def test_an_invited_person_changes_the_one_time_password_first(
    sign_in_as: Browse, app: object, web_env: BoardEnv
) -> None:
    admin = sign_in_as("admin")
    once = invite(admin)
    assert once not in admin.get_page("/people/new").text, "shown once"
    browser = sign_in_to(app, "new", once)
    for path in ("/", "/issues", "/people", "/account"):
        answer = browser.get_page(path)
        assert (answer.status_code, answer.headers.get("location")) == (303, "/account/password")
    assert browser.get("/api/v3/artifacts").status_code == 403
    form = browser.get_page("/account/password")
    assert form.status_code == 200 and "비밀번호를 변경해 주세요" in form.text

    def change(present: str, password: str, again: str) -> object:
        return browser.submit_form(
            "/account/password",
            "/account/password",
            present=present,
            password=password,
            again=again,
        )

    good = "새로운-암호-2026"
    for present, password, again, word in (
        ("틀림", good, good, "현재 비밀번호가"),
        (once, good, "다름", "서로 다릅니다"),
        (once, "짧음1!", "짧음1!", "9자 이상"),
        (once, "가나다라마바사아자차", "가나다라마바사아자차", "3종류"),
        (once, once, once, "다시 쓸 수 없습니다"),
        (once, "문가온-20261130", "문가온-20261130", "이름"),
    ):
        refused = change(present, password, again)
        assert refused.status_code == 422 and word in refused.text, word  # type: ignore[attr-defined]
    done = change(once, good, good)
    assert done.headers["location"].startswith("/login")  # type: ignore[attr-defined]
    again_in = sign_in_to(app, "new", good)
    assert again_in.get_page("/issues").status_code == 200
    with web_env.board.database.reading() as session:
        kinds = set(session.scalars(select(AuditEntry.kind)))
        details = str(session.scalars(select(AuditEntry.detail)).all())
    assert "password_changed" in kinds and once not in details and good not in details


@pytest.mark.slow
def test_two_people_give_a_role_on_the_pages(sign_in_as: Browse, web_env: BoardEnv) -> None:
    admin, officer, lead = (sign_in_as(who) for who in ("admin", "officer", "lead"))
    saved = admin.submit_form("/people/eng", "/people/eng", name="김철수", role="pm", reason="발령")
    assert saved.status_code == 303
    assert "승인 대기" in admin.get_page("/people/eng").text
    [number] = waiting_requests(web_env.board)
    assert f'action="/rights/{number}"' in officer.get_page("/rights").text
    own = admin.submit_form(f"/rights/{number}", "/rights", verdict="allow")
    assert own.status_code == 403 and "결재할 수 없습니다" in own.text
    for path in ("/rights", "/people", "/rights/history", "/rights/review"):
        assert lead.get_page(path).status_code == 403
    assert officer.submit_form(f"/rights/{number}", "/rights", verdict="allow").status_code == 303
    with web_env.board.database.reading() as session:
        assert session.get_one(Person, "eng").role == "pm"
    history = officer.get_page("/rights/history?person=eng").text
    assert "한지민 보안책임자" in history and "발령" in history


@pytest.mark.slow
def test_an_account_is_locked_closed_and_its_sessions_end(
    sign_in_as: Browse, app: object, web_env: BoardEnv
) -> None:
    admin, eng = sign_in_as("admin"), sign_in_as("eng")
    page = admin.get_page("/people/eng").text
    assert "testclient" in page and "열린 세션이 없습니다" not in page

    def act(name: str) -> None:
        done = admin.submit_form("/people/eng/state", "/people/eng", act=name)
        assert done.status_code == 303, done.text

    act("sessions")
    assert eng.get_page("/issues").status_code == 303
    act("lock")
    refused = PageClient(app).submit_form("/login", "/login", account="eng", password=PASSWORD)  # type: ignore[arg-type]
    assert refused.status_code == 401
    act("unlock")
    again = sign_in_as("eng")
    act("close")
    assert again.get_page("/issues").status_code == 303
    act("open")
    sign_in_as("eng")
    assert "잠김" in admin.get_page("/people/eng").text, "the refused sign-in is listed"


@pytest.mark.slow
def test_failures_lock_an_account_and_spare_the_owners_device(web_env: BoardEnv) -> None:
    board = replace(web_env.board, accounts=AccountPolicy(lock_failures=3))
    first = sign_in.open_session(board, sign_in.begin(board, "eng", "10.0.0.1"), PASSWORD)
    assert first is not None
    for n in range(3):
        attempt = sign_in.begin(board, "eng", f"10.9.0.{n}")
        assert sign_in.open_session(board, attempt, "틀림") is None
    stranger = sign_in.begin(board, "eng", "10.9.1.1")
    assert sign_in.open_session(board, stranger, PASSWORD) is None, "the right one, but locked"
    owner = sign_in.begin(board, "eng", "10.0.0.1", first.device)
    found = sign_in.open_session(board, owner, PASSWORD)
    assert found is not None
    with board.database.reading() as session:
        kinds = list(session.scalars(select(AuditEntry.kind)))
        row = session.scalars(
            select(LoginSession).order_by(LoginSession.session_id.desc()).limit(1)
        ).one()
        outcomes = list(session.scalars(text("select outcome from tb_sign_in order by 1")))
    assert kinds.count("account_locked") == 1
    assert (row.failures, row.previous_from) == (3, "host"), "shown after signing in"
    assert outcomes == ["in", "in", "locked", "wrong", "wrong", "wrong"]
    strict = replace(board, accounts=AccountPolicy(lock_failures=1, lock_known_devices=True))
    sign_in.open_session(strict, sign_in.begin(strict, "eng", "10.0.0.1", found.device), "틀림")
    last = sign_in.begin(strict, "eng", "10.0.0.1", found.device)
    assert sign_in.open_session(strict, last, PASSWORD) is None


@pytest.mark.slow
def test_idle_sessions_end_and_only_so_many_are_open(web_env: BoardEnv) -> None:
    app = page_app(web_env.board, idle_minutes=30, sessions_per_person=1)
    first = sign_in_to(app, "eng", PASSWORD)
    assert first.get_page("/issues").status_code == 200
    second = sign_in_to(app, "eng", PASSWORD)
    assert first.get_page("/issues").status_code == 303, "the newer one ended it"

    def used(minutes: int) -> None:
        with web_env.board.database.transaction() as session:
            ago = web_env.board.clock() - timedelta(minutes=minutes)
            session.execute(update(LoginSession).values(used_at=ago))

    def last_use() -> datetime:
        with web_env.board.database.reading() as session:
            return session.scalars(select(func.max(LoginSession.used_at))).one()

    used(29)
    before = last_use()
    assert second.get("/inbox/count", headers={"hx-request": "true"}).status_code == 200
    assert last_use() == before, "what refreshes itself is no action"
    assert second.get_page("/issues").status_code == 200, "an action begins the time again"
    used(31)
    assert second.get_page("/issues").status_code == 303


@pytest.mark.slow
def test_administration_only_from_given_addresses(web_env: BoardEnv) -> None:
    app = page_app(web_env.board, admin_networks="10.1.0.0/16", trusted_proxies="10.9.0.1")

    def pages_from(address: str, **headers: str) -> tuple[int, int, bool]:
        browser = PageClient(app, raise_server_exceptions=False, client=(address, 1))
        browser.headers.update(headers)
        browser.submit_form("/login", "/login", account="admin", password=PASSWORD)
        shown = 'href="/people"' in browser.get_page("/admin").text
        return (
            browser.get_page("/issues").status_code,
            browser.get_page("/people").status_code,
            shown,
        )

    assert pages_from("10.1.2.3") == (200, 200, True)
    for outside in ("10.2.0.1", "::1"):
        assert pages_from(outside) == (200, 403, False)
    forged = {"x-forwarded-for": "10.1.2.3"}
    assert pages_from("10.2.0.1", **forged) == (200, 403, False), "anyone can write that"
    assert pages_from("10.9.0.1", **forged) == (200, 200, True), "but our own proxy"


@pytest.mark.slow
def test_a_vendor_expires(sign_in_as: Browse, web_env: BoardEnv) -> None:
    admin = sign_in_as("admin")
    refused = admin.submit_form("/people", "/people/new", account="v", vendor="yes", **FIELDS)
    assert refused.status_code == 422 and 'value="문가온"' in refused.text, "nothing is lost"
    ends = web_env.board.clock() + timedelta(days=30)
    invite(admin, "v", vendor="yes", expires=f"{ends:%Y-%m-%d}")
    role = admin.submit_form(
        "/people/v",
        "/people/v",
        name="문가온",
        role="admin",
        vendor="yes",
        expires=f"{ends:%Y-%m-%d}",
    )
    assert role.status_code == 422 and "용역업체 계정에는" in role.text
    with web_env.board.database.transaction() as session:
        session.execute(
            update(AccountState)
            .where(AccountState.person_id == "v")
            .values(expires_at=web_env.board.clock())
        )
    assert expiry.close_expired(web_env.board) == 1
    assert expiry.close_expired(web_env.board) == 0
    page = admin.get_page("/people?state=closed").text
    assert 'href="/people/v"' in page


@pytest.mark.slow
def test_a_review_confirms_and_revokes_but_not_ones_own(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    officer = sign_in_as("officer")
    assert "0명 점검" in officer.get_page("/rights/review").text

    def review(**fields: str) -> int:
        found = officer.submit_form("/rights/review", "/rights/review", **fields)
        return int(found.status_code)

    assert review(person="lead", verdict="confirm") == 303
    assert review(person="lead", verdict="confirm") == 409, "once in a period"
    assert review(person="eng", verdict="revoke") == 422, "a reason is needed"
    assert review(person="eng", verdict="revoke", note="퇴사") == 303
    assert review(person="officer", verdict="confirm") == 403
    assert "2명 점검" in officer.get_page("/rights/review").text
    with web_env.board.database.reading() as session:
        assert not session.get_one(Person, "eng").active


def test_reviewers_are_reminded_once_when_a_period_begins_and_before_it_ends(
    web_env: BoardEnv,
) -> None:
    board = web_env.board
    period = reviews.period_of(board.clock(), board.accounts.review_months)

    def reminders(at: datetime) -> list[str]:
        for _ in range(2):  # each is sent once
            reviews.process_due(replace(board, clock=lambda: at))
        query = select(OutboxEntry.text).where(OutboxEntry.text.contains("권한 점검("))
        with board.database.reading() as session:
            return list(session.scalars(query.order_by(OutboxEntry.outbox_id)))

    assert reminders(period.begins + timedelta(days=3)) == []  # it has given no rights before
    with board.database.transaction() as session:
        given = ChangedRight("lead", "role", "engineer", "team_lead")
        history.record(session, given, "person:admin", period.begins - timedelta(days=200))
    assert len(reminders(period.begins + timedelta(days=3))) == 1
    begun, ending = reminders(period.ends - timedelta(days=10))
    assert period.name in begun and "시작해" in begun and "기한" in ending and "남은 계정" in ending
    assert "시작해" in reminders(period.ends + timedelta(days=3))[2]  # the next period


@pytest.mark.slow
def test_the_list_of_ten_thousand_people_is_read_by_keyset(web_env: BoardEnv) -> None:
    board = web_env.board
    with board.database.transaction() as session:
        session.execute(
            text(
                "insert into tb_person (person_id, name, title, role) "
                "select 'p' || lpad(n::text, 5, '0'), '사람' || n, '', 'engineer' "
                "from generate_series(1, 10000) n"
            )
        )
    by, seen, after = Actor.operator("cli"), [], ""
    for _ in range(3):
        with recorded_statements(board) as statements:
            found = people_view.people_page(board, by, PeopleFilter(text="사람"), after=after)
        assert len(statements) <= 2, "no query for each row"
        seen += [row.person.id for row in found.rows]
        after = found.after or ""
    assert seen == [f"p{n:05}" for n in range(1, 151)]
    one = people_view.people_page(board, by, PeopleFilter(text="사람9999"))
    assert [row.person.id for row in one.rows] == ["p09999"]
    assert people_view.people_page(board, by, PeopleFilter(text="100%")).rows == ()


@pytest.mark.slow
def test_earlier_passwords_are_not_used_again_and_old_ones_expire(web_env: BoardEnv) -> None:
    board = replace(web_env.board, accounts=AccountPolicy(password_history=2, password_days=90))
    by = Actor.operator("cli")
    people.add(
        board, by, PersonInfo(id="n", name="가", title="", role="engineer"), "첫번째-긴-암호-1"
    )
    for password in ("두번째-긴-암호-2", "세번째-긴-암호-3"):
        people.set_password(board, by, "n", password)
    with pytest.raises(Exception, match="다시 쓸 수 없습니다"):
        people.set_password(board, by, "n", "두번째-긴-암호-2")
    people.set_password(board, by, "n", "첫번째-긴-암호-1")
    later = replace(board, clock=lambda: board.clock() + timedelta(days=91))
    with pytest.raises(Exception, match="비밀번호를 변경해야"):
        sign_in.authenticate(later, "n", "첫번째-긴-암호-1")


@pytest.mark.slow
def test_the_institution_is_completed_and_taken_by_name(
    sign_in_as: Browse, web_env: BoardEnv
) -> None:
    admin = sign_in_as("admin")
    assert "<datalist" in admin.get_page("/people/new").text
    found = admin.get("/people/new/institutions", params={"institution": "기획"}).text
    assert '<option value="MOF">기획재정부 (MOF)</option>' in found and found.count("<option") == 1
    assert admin.get("/people/new/institutions", params={"institution": "100%"}).text.strip() == ""
    assert sign_in_as("lead").get("/people/new/institutions").status_code == 403
    invite(admin, "named", role="customer", institution="기획재정부")
    with web_env.board.database.reading() as session:
        assert session.get_one(Person, "named").inst_id == "MOF"
    fields = {**FIELDS, "role": "customer", "account": "x", "institution": "없는 기관"}
    wrong = admin.submit_form("/people", "/people/new", **fields)
    assert wrong.status_code == 422 and "등록된 기관이 아닙니다" in wrong.text
    assert 'value="없는 기관"' in wrong.text and 'id="institution-error"' in wrong.text
