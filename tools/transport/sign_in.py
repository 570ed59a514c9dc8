"""Sign in on a server: by key, certificate, password, questions, and a second factor after these.

Each secret is sent at most once in an attempt, and only to a server that has proved its identity.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import paramiko
from paramiko.auth_handler import AuthHandler

from guardia.errors import Misconfigured
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools.transport.hostkey import is_valid_until, read_certificate
from guardia.tools.transport.private_key import (
    has_certificate,
    load_certified_key,
    load_private_key,
)
from guardia.tools.transport.second_factor import Answers, UnansweredQuestion, further_answer

_MAX_METHODS = 10
_INTERACTIVE = "keyboard-interactive"
_MAX_QUESTIONS = 32
"""Questions of one message that are parsed at all."""

_MAX_KEYS = 256
_keys: dict[tuple[str, bytes], paramiko.PKey] = {}
"""Keys that were read, by name and hash of their text: reading one costs a third of a log-in."""

Further = Callable[[], str]


class SecretStore(Protocol):
    """Store of private keys and passwords."""

    def get(self, name: str) -> str:
        """Return the credential called `name`: the PEM text of a private key, or a password."""
        ...


class SignInRefused(paramiko.AuthenticationException):
    """The server did not accept the log-in. `reason` is a key below `tools.ssh`."""

    def __init__(self, reason: str, **details: object) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


_CIPHERS: tuple[str, ...] = paramiko.Transport._preferred_ciphers  # type: ignore[attr-defined]


class SecureTransport(paramiko.Transport):
    """paramiko's transport that asks for given host key algorithms and bounds the log-in.

    It prefers AES-GCM: one pass instead of two over every byte that is transferred.
    """

    _preferred_ciphers = tuple(sorted(_CIPHERS, key=lambda name: "gcm" not in name))

    def __init__(self, sock: object, algorithms: tuple[str, ...]) -> None:
        self._algorithms = algorithms
        super().__init__(sock)  # type: ignore[arg-type]

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        """The host key algorithms; paramiko would add certificates to plain keys."""
        return self._algorithms

    def sign_in(self, start: Callable[[AuthHandler, threading.Event], None]) -> list[str]:
        """Try one method. Returns the methods of which the server demands one more.

        Raises what paramiko raises, with `methods` set to what the server offers.
        """
        event, handler = threading.Event(), _BoundedAuthHandler(self)
        self.auth_handler = handler
        start(handler, event)
        try:
            return list(handler.wait_for_response(event))
        except paramiko.AuthenticationException as error:
            error.methods = handler.methods  # type: ignore[attr-defined]
            raise


class _BoundedAuthHandler(AuthHandler):
    """Keeps the methods that the server offers; trusts no number that it sends."""

    methods: tuple[str, ...] = ()

    def _parse_userauth_failure(self, m: paramiko.Message) -> None:
        listed = paramiko.Message(m.asbytes()).get_list()
        self.methods = tuple(str(method)[:40] for method in listed[:_MAX_METHODS])
        super()._parse_userauth_failure(m)  # type: ignore[misc]

    def _parse_userauth_info_request(self, m: paramiko.Message) -> None:
        if self.auth_method == "password":  # the same number means: choose a new password
            raise SignInRefused("expired_password")
        look = paramiko.Message(m.asbytes())
        for _ in range(3):
            look.get_binary()
        if look.get_int() > _MAX_QUESTIONS:
            raise SignInRefused("too_many_questions")
        super()._parse_userauth_info_request(m)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class SignIn:
    """How one account signs in, with its secrets."""

    account: str
    kind: str
    key: paramiko.PKey | None
    password: str | None
    further: Further | None
    digest: bytes
    """Identifies the passwords; empty if only keys are sent."""

    @classmethod
    def load(cls, host: Host, secrets: SecretStore) -> SignIn:
        """Take the secrets of a host from the store. Raises `Misconfigured` if one is missing."""
        name, kind = host.credential, host.login.authentication
        key, password = None, None
        if kind in {"key", "certificate"}:
            key = _load_key(name, kind, secrets)
        else:
            password = _one_line(secrets.get(name))
            if not password:
                raise Misconfigured(what=name, why=t("tools.ssh.key.empty"))
        second = host.login.second_factor
        stored = _one_line(secrets.get(second)) if second else ""
        further = further_answer(second, stored) if second else None
        sent = f"{password or ''}\n{stored}" if password or second else ""
        digest = hashlib.sha256(sent.encode()).digest() if sent else b""
        return cls(host.account, kind, key, password, further, digest)

    def run(self, transport: SecureTransport, deadline: float) -> None:
        """Sign in until `deadline`. Raises `SignInRefused`, or what paramiko raises."""
        transport.auth_timeout = max(0.1, deadline - time.monotonic())
        try:
            demanded = self._first(transport)
            if demanded:
                self._second(transport, demanded)
        except UnansweredQuestion as unanswered:
            raise SignInRefused(unanswered.reason, question=unanswered.question) from None
        except paramiko.AuthenticationException as error:
            raise self._explained(error) from error

    def _first(self, transport: SecureTransport) -> list[str]:
        key, password = self.key, self.password
        if key is not None:
            return transport.sign_in(lambda h, e: h.auth_publickey(self.account, key, e))
        assert password is not None
        # Either of the two methods takes the same password; many servers have only one.
        ways = {_INTERACTIVE: self._ask_questions, "password": self._send_password}
        first = ways.pop(self.kind)
        try:
            return first(transport, password)
        except paramiko.BadAuthenticationType as error:
            for method, other in ways.items():
                if method in error.allowed_types:
                    return other(transport, password)
            raise

    def _second(self, transport: SecureTransport, demanded: list[str]) -> None:
        """Answer what the server demands after the first method."""
        further = self.further
        if further is None:
            raise SignInRefused("more_needed", methods=", ".join(demanded[:_MAX_METHODS]))
        rest = demanded
        try:
            if _INTERACTIVE in demanded:
                rest = self._ask_questions(transport, None)
            elif "password" in demanded:
                rest = self._send_password(transport, further())
        except paramiko.AuthenticationException as error:
            if _has_ended(error):
                raise
            raise SignInRefused("refused_further", methods=", ".join(demanded)) from error
        if rest:
            raise SignInRefused("more_needed", methods=", ".join(rest[:_MAX_METHODS]))

    def _send_password(self, transport: SecureTransport, password: str | None) -> list[str]:
        return transport.sign_in(lambda h, e: h.auth_password(self.account, password or "", e))

    def _ask_questions(self, transport: SecureTransport, password: str | None) -> list[str]:
        answers = Answers(password, self.further)
        return transport.sign_in(lambda h, e: h.auth_interactive(self.account, answers, e))

    def _explained(self, error: paramiko.AuthenticationException) -> Exception:
        """Say which kind of log-in was refused, and what the server offers instead."""
        if isinstance(error, SignInRefused) or _has_ended(error):
            return error
        methods = ", ".join(getattr(error, "methods", ())) or "-"
        if isinstance(error, paramiko.BadAuthenticationType):
            return SignInRefused(
                "no_such_method", kind=t(f"tools.ssh.by.{self.kind}"), methods=methods
            )
        reason = {"key": "refused_key", "certificate": "refused_certificate"}.get(
            self.kind, "refused_password"
        )
        return SignInRefused(reason, methods=methods)

    def expired_certificate(self) -> bool:
        """Return whether the key's certificate has expired, so that no server accepts it."""
        certificate = read_certificate(self.key) if self.key is not None else None
        return certificate is not None and not is_valid_until(certificate, time.time())


def _load_key(name: str, kind: str, secrets: SecretStore) -> paramiko.PKey:
    """Return the key with its certificate: in the same credential, or in `NAME-cert`."""
    text = secrets.get(name)
    if kind == "certificate" and not has_certificate(text):
        text = f"{text.rstrip()}\n{secrets.get(f'{name}-cert')}"
    read = name, hashlib.sha256(text.encode()).digest()
    if (known := _keys.get(read)) is not None:
        return known
    load = load_certified_key if has_certificate(text) else load_private_key
    if len(_keys) >= _MAX_KEYS:
        _keys.clear()
    return _keys.setdefault(read, load(name, text))


def _has_ended(error: paramiko.AuthenticationException) -> bool:
    """Return whether the server has not answered at all."""
    return "timeout" in str(error) or "saw EOF" in str(error)


def _one_line(secret: str) -> str:
    """Return a password without the line end that editors add to a file."""
    return secret.rstrip("\r\n")
