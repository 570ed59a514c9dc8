"""Signing in over real SSH: each kind of log-in, and what is said when it is refused."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest
from login_server import LoginRules, login_server
from openssh_server import make_key
from waiting import PATIENCE

from guardia.errors import Misconfigured, Unreachable
from guardia.org.directory import Login
from guardia.tools.command import Command
from guardia.tools.transport.connect import close, connect
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.sign_in import SignIn

pytestmark = pytest.mark.ssh

PASSWORD = LoginRules().password
SEED = "otpauth://totp/kim?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8"
SECRETS = {"pw": f"{PASSWORD}\n", "wrong": "other", "code": "123456", "seed": SEED, "empty": "\n"}


class Store:
    """Secrets by name, and the keys of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, name: str) -> str:
        return SECRETS[name] if name in SECRETS else (self.folder / name).read_text()


@contextmanager
def served(sshd: Any, rules: LoginRules) -> Iterator[Callable[..., None]]:
    """A server, and a function that signs in there once with a host's fields."""
    with login_server(sshd.folder / "host", rules) as port:

        def sign_in(credential: str, **login: str) -> None:
            host = sshd.host(port=port, credential=credential, login=Login.model_validate(login))
            found = SignIn.load(host, Store(sshd.folder))
            deadline = time.monotonic() + PATIENCE
            close(connect(host, found, TransportLimits(login=0, connect=PATIENCE), deadline))

        yield sign_in


class TestPassword:
    def test_it_is_sent_as_one_line_without_the_end_that_editors_add(self, sshd: Any) -> None:
        rules = LoginRules()
        with served(sshd, rules) as sign_in:
            sign_in("pw", authentication="password")
        assert rules.seen == [("password", PASSWORD)]

    def test_a_server_that_only_asks_questions_gets_it_as_an_answer(self, sshd: Any) -> None:
        rules = LoginRules(("keyboard-interactive",), rounds=[[("Password: ", PASSWORD)], []])
        with served(sshd, rules) as sign_in:
            sign_in("pw", authentication="password")

    def test_a_refused_one_is_sent_once(self, sshd: Any) -> None:
        rules = LoginRules()
        with (
            login_server(sshd.folder / "host", rules) as port,
            Connections(Store(sshd.folder)) as connections,
        ):
            login = Login(authentication="password")
            host = sshd.host(port=port, credential="wrong", login=login)
            for _ in range(4):
                with pytest.raises(Unreachable, match="비밀번호가 거부되었습니다"):
                    connections.run(host, Command.of("true"), timeout=PATIENCE)
            assert rules.seen == [("password", "other")]
            SECRETS["wrong"] = "another"  # the operator stores a new one, which is tried at once
            with pytest.raises(Unreachable, match="비밀번호가 거부되었습니다"):
                connections.run(host, Command.of("true"), timeout=PATIENCE)
        assert rules.seen == [("password", "other"), ("password", "another")]

    def test_a_server_that_takes_only_keys_says_so(self, sshd: Any) -> None:
        rules = LoginRules(("publickey",))
        with (
            served(sshd, rules) as sign_in,
            pytest.raises(Unreachable, match="허용하는 방식: publickey"),
        ):
            sign_in("pw", authentication="password")

    def test_an_empty_one_is_not_sent(self, sshd: Any) -> None:
        with served(sshd, LoginRules()) as sign_in, pytest.raises(Misconfigured, match="비어"):
            sign_in("empty", authentication="password")


class TestQuestions:
    @pytest.mark.parametrize(
        "rounds",
        [
            [[("Password: ", PASSWORD), ("Verification code: ", "123456")]],
            [[("Password: ", PASSWORD)], [("인증번호를 입력하세요: ", "123456")], []],
            [[("One-time password (OATH) for `kim': ", "123456")], [("Password: ", PASSWORD)]],
            [[("비밀번호: ", PASSWORD)], [("?", "123456")]],
        ],
    )
    def test_password_and_second_factor_go_to_their_questions(
        self, sshd: Any, rounds: list[list[tuple[str, str]]]
    ) -> None:
        rules = LoginRules(("keyboard-interactive",), rounds=rounds)
        with served(sshd, rules) as sign_in:
            sign_in("pw", authentication="keyboard-interactive", second_factor="code")

    def test_a_stored_seed_gives_the_code_of_the_moment(
        self, sshd: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pyotp.TOTP, "now", lambda self: self.at(59))  # as in RFC 6238
        rounds = [[("Password: ", PASSWORD)], [("OTP: ", "94287082")]]
        rules = LoginRules(("keyboard-interactive",), rounds=rounds)
        with served(sshd, rules) as sign_in:
            sign_in("pw", authentication="keyboard-interactive", second_factor="seed")

    @pytest.mark.parametrize(
        ("rounds", "expected"),
        [
            ([[("Password: ", PASSWORD)], [("OTP: ", "")]], "추가로 묻습니다: “OTP:”"),
            ([[("Password: ", PASSWORD)], [("Password: ", "")]], "비밀번호가 거부되었습니다"),
            ([[("Password: ", PASSWORD)], [("New password: ", "")]], "만료되어"),
            ([[("Current password: ", "")]], "만료되어"),
            ([[("Password: ", PASSWORD), *(("더?", ""),) * 20]], "너무 많은 질문"),
            ([[("Password: ", PASSWORD), *(("더?", ""),) * 90]], "너무 많은 질문"),
        ],
    )
    def test_other_questions_are_a_finding(
        self, sshd: Any, rounds: list[list[tuple[str, str]]], expected: str
    ) -> None:
        rules = LoginRules(("keyboard-interactive",), rounds=rounds)
        with served(sshd, rules) as sign_in, pytest.raises(Unreachable, match=expected) as caught:
            sign_in("pw", authentication="keyboard-interactive")
        assert PASSWORD not in str(caught.value)


class TestSecondFactor:
    def test_a_key_is_followed_by_what_the_server_demands(self, sshd: Any) -> None:
        steps, rounds = ("publickey", "keyboard-interactive"), [[("OTP: ", "123456")]]
        with served(sshd, LoginRules(steps, rounds=rounds)) as sign_in:
            sign_in("user", second_factor="code")
        rules = LoginRules(("publickey", "password"))
        with served(sshd, rules) as sign_in:
            sign_in("user", second_factor="pw")

    def test_without_one_the_demand_is_named(self, sshd: Any) -> None:
        rules = LoginRules(("publickey", "keyboard-interactive"))
        expected = r"추가 인증을 요구합니다\(keyboard-interactive\)"
        with served(sshd, rules) as sign_in, pytest.raises(Unreachable, match=expected):
            sign_in("user")

    def test_a_wrong_one_is_not_taken_for_a_refused_key(self, sshd: Any) -> None:
        rules = LoginRules(("publickey", "password"))
        with (
            served(sshd, rules) as sign_in,
            pytest.raises(Unreachable, match="추가 인증이 거부"),
        ):
            sign_in("user", second_factor="code")

    def test_a_damaged_seed_is_not_shown(self, sshd: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(SECRETS, "bad", "otpauth://totp/x?secret=geheim!")
        with served(sshd, LoginRules()) as sign_in, pytest.raises(Misconfigured) as caught:
            sign_in("user", second_factor="bad")
        assert "geheim" not in str(caught.value)


class Authority:
    """An authority in a server's folder that certifies its user key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def certify(self, *options: str, key: str = "user") -> str:
        words = ["ssh-keygen", "-q", "-s", str(self.folder / "ca"), "-I", "test", *options]
        subprocess.run([*words, str(self.folder / f"{key}.pub")], check=True)
        return (self.folder / f"{key}-cert.pub").read_text()


@pytest.fixture
def certified(start_sshd: Callable[..., Any], tmp_path: Path) -> tuple[Any, Authority]:
    """A server that trusts an authority and no key, and that authority."""
    make_key(tmp_path / "ca", "ed25519")
    server = start_sshd(more=f"TrustedUserCAKeys {tmp_path / 'ca.pub'}")
    (server.folder / "authorized_keys").write_text("")
    shutil.copy(tmp_path / "ca", server.folder)
    return server, Authority(server.folder)


class TestCertificate:
    def run(self, server: Any, credential: str = "user") -> None:
        host = server.host(credential=credential, login=Login(authentication="certificate"))
        with Connections(server) as connections:
            assert connections.run(host, Command.of("true"), timeout=PATIENCE).exit == 0

    def test_it_may_follow_the_key_or_have_a_name_of_its_own(
        self, certified: tuple[Any, Authority]
    ) -> None:
        server, authority = certified
        text = authority.certify("-n", server.host().account)
        (server.folder / "user-cert").write_text(text)
        self.run(server)
        key = (server.folder / "user").read_text()
        (server.folder / "both").write_text(key + text)
        self.run(server, "both")
        (server.folder / "before").write_text(text + key)
        self.run(server, "before")

    def test_a_missing_principal_is_a_finding(self, certified: tuple[Any, Authority]) -> None:
        server, authority = certified
        (server.folder / "user-cert").write_text(authority.certify("-n", "other"))
        expected = "인증서 로그인이 거부.*허용하는 방식: publickey"
        with pytest.raises(Unreachable, match=expected):
            self.run(server)

    def test_an_expired_one_is_not_sent(self, certified: tuple[Any, Authority]) -> None:
        server, authority = certified
        text = authority.certify("-n", server.host().account, "-V", "20200101:20200102")
        (server.folder / "user-cert").write_text(text)
        with pytest.raises(Unreachable, match="유효 기간이 지났습니다"):
            self.run(server)
        assert "Connection from" not in (server.folder / "log").read_text()

    def test_the_certificate_of_another_key_is_a_finding(
        self, certified: tuple[Any, Authority]
    ) -> None:
        server, authority = certified
        make_key(server.folder / "second", "ed25519")
        (server.folder / "user-cert").write_text(authority.certify("-n", "x", key="second"))
        with pytest.raises(Misconfigured, match="이 개인 키의 것이 아닙니다"):
            self.run(server)


class TestKey:
    def test_a_refused_key_names_what_the_server_offers(self, sshd: Any) -> None:
        with (
            served(sshd, LoginRules(("password",))) as sign_in,
            pytest.raises(Unreachable, match="허용하는 방식: password"),
        ):
            sign_in("user")
