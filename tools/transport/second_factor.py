"""Answers to the questions of a keyboard-interactive log-in: a password and one further answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl, urlsplit

import pyotp

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.tools.output import sanitize

_DIGESTS = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
_MAX_QUESTIONS = 8
_MAX_ROUNDS = 10
_SHOWN_CHARACTERS = 80
_FURTHER = re.compile(
    r"(?i)otp|one[- ]?time|code|token|verif|passcode|\bpin\b|challenge|second|2fa|mfa|factor"
    r"|인증\s*번호|인증\s*코드|일회용|보안\s*카드|추가\s*인증"
)
_NEW_PASSWORD = re.compile(
    r"(?i)(new|current|retype|old)\b.*passw|\(current\)|새\s*(비밀번호|암호)|현재\s*(비밀번호|암호)"
)
_PASSWORD = re.compile(r"(?i)passw|비밀\s*번호|암호|패스워드")


class UnansweredQuestion(Exception):
    """A question that the stored answers do not fit. `reason` is a key below `tools.ssh`."""

    def __init__(self, reason: str, question: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.question = sanitize(question).strip()[:_SHOWN_CHARACTERS]


class Answers:
    """Answers each question once: a repeated one means that the answer was wrong."""

    def __init__(self, password: str | None, further: Callable[[], str] | None) -> None:
        self._password = password
        self._further = further
        self._rounds = 0

    def __call__(
        self, _title: str, _instructions: str, questions: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """Answer one round of questions. Raises `UnansweredQuestion`."""
        self._rounds += 1
        if len(questions) > _MAX_QUESTIONS or self._rounds > _MAX_ROUNDS:
            raise UnansweredQuestion("too_many_questions")
        return [self._answer(text) for text, _ in questions]

    def _answer(self, question: str) -> str:
        if _NEW_PASSWORD.search(question):
            raise UnansweredQuestion("expired_password", question)
        if _FURTHER.search(question):
            return self._answer_further(question)
        if self._password is not None:
            answer, self._password = self._password, None
            return answer
        if _PASSWORD.search(question):
            raise UnansweredQuestion("refused_password", question)
        return self._answer_further(question)

    def _answer_further(self, question: str) -> str:
        if self._further is None:
            raise UnansweredQuestion("no_further_answer", question)
        answer, self._further = self._further, None
        return answer()


def further_answer(name: str, stored: str) -> Callable[[], str]:
    """Return what gives the answer stored as `name`: a text, or a code of a time-based seed.

    A seed is stored as the `otpauth://` address that its QR code holds. Raises `Misconfigured` if
    that cannot be read.
    """
    if not stored.startswith("otpauth:"):
        return lambda: stored
    try:
        seed = _read_seed(stored)
        seed.now()
    except (KeyError, ValueError, TypeError):
        raise Misconfigured(what=name, why=t("tools.ssh.key.bad_seed")) from None
    return seed.now


class _Seed(pyotp.TOTP):
    """A seed of any length: many servers have given out seeds of 80 bits."""

    min_secret_length_bits = 1


def _read_seed(address: str) -> _Seed:
    parts = urlsplit(address)
    fields = dict(parse_qsl(parts.query))
    if parts.netloc != "totp":
        raise ValueError("codes that count their use cannot be shared by processes")
    digest = _DIGESTS[fields.get("algorithm", "SHA1").upper()]
    digits, seconds = int(fields.get("digits", "6")), int(fields.get("period", "30"))
    return _Seed(fields["secret"], digits=digits, digest=digest, interval=seconds)
