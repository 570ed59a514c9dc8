"""The search page, its API and the command, for those who may read and for others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board_env import BoardEnv, plan
from page_env import PageClient
from search_env import CERTIFICATE, DISK, publish, searching

from guardia.board.core.plan import Citation

SignIn = Callable[[str], PageClient]
PAGE = "/search/documents"
API = "/api/v3/search/documents"
pytestmark = pytest.mark.slow


@pytest.fixture
def served(web_env: BoardEnv, tmp_path: Path) -> Iterator[BoardEnv]:
    publish(web_env, *CERTIFICATE)
    publish(web_env, *DISK)
    publish(web_env, "내부 <b>지침</b>", CERTIFICATE[1], audience="roles", roles=["engineer"])
    with searching(web_env, tmp_path):
        yield web_env


def test_the_page_quotes_and_links(served: BoardEnv, sign_in_as: SignIn) -> None:
    page = sign_in_as("eng").get_page(f"{PAGE}?q=인증서+갱신+절차").text
    assert 'href="/search/passages/1"' in page
    opened = sign_in_as("eng").get("/search/passages/1", follow_redirects=False)
    assert opened.headers["location"] == "/documents/1?version=1&start=1#p1"
    assert "<mark>만료 30일 전에 새 인증서를 발급받아" in page
    assert "내부 &lt;b&gt;지침&lt;/b&gt;" in page and "<b>지침" not in page


def test_a_customer_never_sees_what_is_for_engineers(served: BoardEnv, sign_in_as: SignIn) -> None:
    page = sign_in_as("cus").get_page(f"{PAGE}?q=인증서+갱신+절차").text
    assert "인증서 갱신 절차" in page and "지침" not in page


def test_nothing_fits(served: BoardEnv, sign_in_as: SignIn) -> None:
    page = sign_in_as("eng").get_page(f"{PAGE}?q=오늘+점심+메뉴가+뭐예요").text
    assert "맞는 문서를 찾지 못했습니다." in page and 'href="/issues/new"' in page


def test_an_answer_is_its_askers_own(served: BoardEnv, sign_in_as: SignIn) -> None:
    client = sign_in_as("eng")
    number = client.get(API, params={"q": "디스크 정리"}).json()["question"]
    assert client.get(f"{PAGE}/{number}").status_code == 200
    assert sign_in_as("lead").get(f"{PAGE}/{number}").status_code == 404


def test_the_api_answers_with_places(served: BoardEnv, sign_in_as: SignIn) -> None:
    found = sign_in_as("eng").get(API, params={"q": "열린 로그 파일을 어떻게 정리하나요"}).json()
    assert found["fits"]
    best = found["passages"][0]
    assert (best["title"], best["headings"]) == ("디스크 사용률 정리", ["절차"])
    assert best["quotes"] and best["path"].endswith("#p1")


def test_a_plan_shows_the_passages_that_it_cites(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    cited = Citation(
        document="7",
        title="<i>락</i> 점검",
        version=2,
        sha256="ab" * 32,
        passage="절차\n맨 앞 세션을 찾습니다.",
        path="/documents/7?version=2&start=1#p3",
    )
    claim, _, _ = web_env.create_filed_plan(plan().model_copy(update={"references": (cited,)}))
    page = sign_in_as("lead").get_page(f"/issues/{claim.sr_id}").text
    assert 'href="/documents/7?version=2&amp;start=1#p3"' in page
    assert "맨 앞 세션을 찾습니다." in page and "<i>락" not in page
    assert "맨 앞 세션" not in sign_in_as("cus").get_page(f"/issues/{claim.sr_id}").text


def test_without_a_worker_it_says_so(web_env: BoardEnv, sign_in_as: SignIn) -> None:
    client = sign_in_as("eng")
    assert "작업자가 없습니다" in client.get_page(f"{PAGE}?q=디스크").text
    assert client.get(API, params={"q": "디스크"}).status_code == 503
    assert "무엇을 찾으십니까" in client.get_page(PAGE).text
