"""An SSH server for log-ins of every kind: which steps it demands, what it asks and accepts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko.server import InteractiveQuery

from guardia.tools.transport.private_key import load_private_key


@dataclass
class LoginRules:
    """What the server demands."""

    steps: tuple[str, ...] = ("password",)
    """Methods that must succeed in this order; only the next one is offered."""
    password: str = "비밀 번호#1"
    rounds: Sequence[Sequence[tuple[str, str]]] = ()
    """Questions of each round with the accepted answers; `None` for the password above."""
    seen: list[tuple[str, object]] = field(default_factory=list)
    """Everything that clients have sent to sign in."""


class _Login(paramiko.ServerInterface):
    def __init__(self, rules: LoginRules) -> None:
        self._rules = rules
        self._done = 0
        self._round = 0

    def get_allowed_auths(self, username: str) -> str:
        return self._rules.steps[min(self._done, len(self._rules.steps) - 1)]

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._step("publickey", "key", True)

    def check_auth_password(self, username: str, password: str) -> int:
        return self._step("password", password, password == self._rules.password)

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        if self._next() != "keyboard-interactive":
            return paramiko.AUTH_FAILED
        return self._question()

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        expected = [answer for _, answer in self._rules.rounds[self._round]]
        self._rules.seen.append(("answers", list(responses)))
        if list(responses) != expected:
            return paramiko.AUTH_FAILED
        self._round += 1
        if self._round < len(self._rules.rounds):
            return self._question()
        return self._step("keyboard-interactive", None, True)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def _question(self) -> InteractiveQuery:
        asked = self._rules.rounds[self._round]
        return InteractiveQuery("", "", *((question, False) for question, _ in asked))

    def _next(self) -> str:
        return self.get_allowed_auths("")

    def _step(self, method: str, sent: object, accepted: bool) -> int:
        if sent is not None:
            self._rules.seen.append((method, sent))
        if method != self._next() or not accepted:
            return paramiko.AUTH_FAILED
        self._done += 1
        if self._done < len(self._rules.steps):
            return paramiko.AUTH_PARTIALLY_SUCCESSFUL
        return paramiko.AUTH_SUCCESSFUL


@contextmanager
def login_server(host_key: Path, rules: LoginRules) -> Iterator[int]:
    """Serve log-ins on loopback with the host key in a file. Yields the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    key = load_private_key("host", host_key.read_text())
    served: list[paramiko.Transport] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listening.accept()[0])
                served.append(transport)
                transport.add_server_key(key)
                with suppress(paramiko.SSHException, EOFError):
                    transport.start_server(event=threading.Event(), server=_Login(rules))

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for transport in served:
            transport.close()
