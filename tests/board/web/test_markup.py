from __future__ import annotations

from html.parser import HTMLParser

import pytest

from guardia.board.web.markup import markdown

HARMFUL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![그림](http://elsewhere.example/x.png)",
    "[여기](javascript:alert(1))",
    "[여기](data:text/html;base64,PHNjcmlwdD4=)",
    "<a href='vbscript:x' onclick='y'>z</a>",
    "<iframe src=//elsewhere.example></iframe>",
    "<form action=/logout method=post><button>눌러요</button></form>",
    '<div id="decide" class="banner" style="position:fixed">승인됨</div>',
    "<svg><animate onbegin=alert(1)></svg>",
    '[a](http://x "\\" onmouseover=alert(1) ")',
]


class Reader(HTMLParser):
    """Collects the elements that a browser would build."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("text", HARMFUL)
def test_markup_that_runs_loads_or_imitates_is_removed(text: str) -> None:
    built = Reader(markdown(text))
    assert built.tags <= {"p", "a"}
    assert {name for name, _ in built.attributes} <= {"href", "title", "rel"}
    assert all(v.startswith("http") for name, v in built.attributes if name == "href")


def test_common_markup_is_kept() -> None:
    html = markdown("**굵게** `코드`\n둘째 줄\n\n- 하나\n- 둘\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    for kept in (
        "<strong>굵게</strong>",
        "<code>코드</code>",
        "<br",
        "<li>하나</li>",
        "<td>1</td>",
    ):
        assert kept in html


def test_links_send_no_referrer() -> None:
    html = markdown("[안내](https://intra.example/a?b=1&c=2)")
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'href="https://intra.example/a?b=1&amp;c=2"' in html


def test_headings_stay_below_those_of_the_page() -> None:
    html = markdown("# 하나\n\n###### 여섯")
    assert "<h4>하나</h4>" in html
    assert "<h6>여섯</h6>" in html


def test_references_boxes_and_own_pictures_are_drawn() -> None:
    html = markdown("- [x] 됨 #12로\n- [ ] SR-3\n\n![그림](/issues/1/attachments/2/image)")
    assert '<a href="/issues/12"' in html and '<a href="/issues/3"' in html
    assert html.count('type="checkbox"') == 2 and html.count("checked") == 1
    assert html.count('disabled=""') == 2
    assert '<img src="/issues/1/attachments/2/image" alt="그림" loading="lazy">' in html


@pytest.mark.parametrize(
    "text",
    [
        "`#12`",
        "```\n#12\n```",
        "[#12](https://intra.example/)",
        "a#12",
        "/issues#12",
        "#0",
        "&#12;",
        "#12a",
    ],
)
def test_what_is_no_reference_is_no_link_to_an_issue(text: str) -> None:
    assert "/issues/12" not in markdown(text)


@pytest.mark.parametrize(
    "address",
    [
        "/issues/1/attachments/2",
        "/issues/1/attachments/2/image?x",
        "//elsewhere.example/issues/1/attachments/2/image",
        "/logout",
    ],
)
def test_a_picture_is_an_attachment_of_an_issue(address: str) -> None:
    assert "<img" not in markdown(f"![그림]({address})")
