"""Output of servers, which are not trusted to print only text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardia.errors import CommandFailed
from guardia.tools.output import ExitReason, Output, decode, require_success, sanitize


@given(st.binary(max_size=300))
def test_any_bytes_are_sanitized(raw: bytes) -> None:
    text = decode(raw)
    text.encode()  # no lone surrogates
    assert not [c for c in text if unicodedata.category(c) == "Cc" and c not in "\t\n"]


@given(
    st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="=:@/"), max_size=80)
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert sanitize(text) == text


KOREAN = "심각: 데이터베이스 연결 실패 (코드 7)"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (KOREAN.encode("cp949"), KOREAN),
        (KOREAN.encode("euc-kr") + b"\n" + KOREAN.encode(), f"{KOREAN}\n{KOREAN}"),
        ("똠방각하 펲시콜라".encode("cp949"), "똠방각하 펲시콜라"),
        (KOREAN.encode()[1:], r"\xec\x8b\xac"[4:] + KOREAN[1:]),
        (("열" + KOREAN).encode() + "끝".encode()[:2], "열" + KOREAN + r"\xeb\x81"),
        ("실패".encode("cp949")[:3], "실" + r"\xc6"),
        (b"\xff\xfe\x00 binary", r"\xff\xfe binary"),
        (b"ascii \x80", r"ascii \x80"),
    ],
)
def test_korean_encodings_are_detected_and_nothing_is_replaced(raw: bytes, text: str) -> None:
    assert decode(raw) == text


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1))
def test_any_hangul_is_read_in_both_encodings(text: str) -> None:
    assert decode(text.encode()) == text
    assert decode(text.encode("cp949")) == text or is_utf8(text.encode("cp949"))


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("a\r\nb", "a\nb"),
        ("no\u202egnihton", "nognihton"),
        ("tab\tkept\n", "tab\tkept\n"),
    ],
)
def test_terminal_controls_are_removed(printed: str, kept: str) -> None:
    assert sanitize(printed) == kept


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("DB_PASSWORD=hunter2 next", "DB_PASSWORD=*** next"),
        ("password: 'hunter2'", "password: '***'"),
        ('{"password": "hunter2", "a": 1}', '{"password": "***", "a": 1}'),
        (r'{"query": "x \"token\": \"hunter2\" y"}', r'{"query": "x \"token\": \"***\" y"}'),
        ("java -jar app --password hunter2 -x", "java -jar app --password *** -x"),
        ("alter user a password 'hunter2'", "alter user a password '***'"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer ***"),
        ("postgresql://app:hunter2@db/x", "postgresql://app:***@db/x"),
        ("api_key=hunter2&x=1", "api_key=***&x=1"),
        ("DB 비밀번호: hunter2 확인", "DB 비밀번호: *** 확인"),
        ("접속 비밀 번호 ： 'hunter2'", "접속 비밀 번호 ： '***'"),
        ("비번=hunter2", "비번=***"),
        ("인증키 : hunter2", "인증키 : ***"),
        ("비밀번호: 변경 필요", "비밀번호: 변경 필요"),
        ("Failed password for root from 192.0.2.1", "Failed password for root from 192.0.2.1"),
        ("http://10.0.0.1:8080/health", "http://10.0.0.1:8080/health"),
    ],
)
def test_likely_secrets_are_masked(printed: str, kept: str) -> None:
    assert sanitize(printed) == kept


def exit_reason(**changed: object) -> Output:
    facts: dict[str, object] = {"exit": 0, "stdout": "out", "stderr": "", "seconds": 0.1}
    return Output(**(facts | changed))  # type: ignore[arg-type]


class TestRequire:
    def test_success_returns_the_text(self) -> None:
        assert require_success("disk.usage", exit_reason()) == "out"

    def test_a_failure_carries_the_output(self) -> None:
        with pytest.raises(CommandFailed, match=r"disk\.usage, 종료 코드 3.*no room"):
            require_success("disk.usage", exit_reason(exit=3, stderr="no room"))

    def test_it_is_bounded(self) -> None:
        with pytest.raises(CommandFailed) as caught:
            require_success("disk.usage", exit_reason(exit=1, stderr="x" * 100_000))
        assert len(str(caught.value)) < 1000

    @pytest.mark.parametrize("ending", [e for e in ExitReason if e is not ExitReason.EXITED])
    def test_a_command_that_was_ended_has_failed(self, ending: ExitReason) -> None:
        with pytest.raises(CommandFailed):
            require_success("disk.usage", exit_reason(exit=None, exit_reason=ending))

    def test_truncated_output_is_a_failure(self) -> None:
        with pytest.raises(CommandFailed, match="한도"):
            require_success("disk.usage", exit_reason(truncated=True))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("주민번호 900101-1234567 조회", "주민번호 900101-1****** 조회"),
        ("외국인 850712-6234567.", "외국인 850712-6******."),
        ("연락처 010-1234-5678, 011-123-4567", "연락처 010-****-5678, 011-***-4567"),
        ("카드 1234-5678-9012-3456", "카드 1234-****-****-3456"),
        ("order 901301-1234567", "order 901301-1234567"),
        ("app-900101-1234567-x", "app-900101-1234567-x"),
        ("1024 2048 4096 8192", "1024 2048 4096 8192"),
        ("02-1234-5678", "02-1234-5678"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nx",
            "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----\nx",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----***"),
    ],
)
def test_personal_numbers_and_keys_are_masked(text: str, shown: str) -> None:
    assert sanitize(text) == shown
