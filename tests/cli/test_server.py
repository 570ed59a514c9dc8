"""From nothing to a checked server, by the commands, on a real sshd."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from board_env import BoardEnv
from command_line import PROGRAM, command_env, invoke, output, refusal
from openssh_server import OpenSSH, make_key
from waiting import wait_until

from guardia.board.audit import log
from guardia.board.cmdb import view
from guardia.errors import Invalid, Misconfigured, NotFound, Unreachable
from guardia.org import host_key
from guardia.org.credential_store import FileCredentialStore
from guardia.settings import Settings

ID = "MOE-WEB-01"


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[OpenSSH]:
    server = OpenSSH(tmp_path / "sshd")
    yield server
    server.stop()


@pytest.fixture
def env(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardEnv]:
    variables = {"COLUMNS": "250"}
    with command_env(database, tmp_path / "h", monkeypatch, people=False, **variables) as found:
        output("institution", "add", "MOE", "--name", "교육부", "--alias", "교육")
        yield found


def fingerprint(sshd: OpenSSH) -> str:
    return host_key.fingerprint(str(sshd.host().host_key))


def words(sshd: OpenSSH, *more: object) -> list[object]:
    host = sshd.host()
    return [
        "server", "add", ID, "--institution", "MOE", "--address", host.address, "--port", host.port,
        "--account", host.account, *more,
    ]  # fmt: skip


def add(sshd: OpenSSH, *more: object) -> dict[str, Any]:
    given = ("--key", sshd.folder / "user", "--fingerprint", fingerprint(sshd), "--json", *more)
    found: dict[str, Any] = json.loads(output(*words(sshd, *given)))
    return found


def read_json(*given: object) -> Any:
    return json.loads(output(*given, "--json"))


@pytest.mark.slow
def test_a_server_is_enrolled_checked_shown_and_removed(env: BoardEnv, sshd: OpenSSH) -> None:
    found = add(sshd)
    assert found["facts"]["kernel"] and found["proposals"] is not None
    shown = read_json("server", "show", ID)
    assert shown["fingerprint"] == fingerprint(sshd)
    assert shown["credential"] == f"ssh-{ID}" and shown["facts"]["gathered_at"]
    store = FileCredentialStore(Settings().secrets)
    assert store.get(f"ssh-{ID}") == (sshd.folder / "user").read_text()
    tools = {t["tool"]: t for t in read_json("server", "check", ID)["tools"]}
    assert tools["host.load"]["works"]
    assert read_json("server", "list", "--institution", "MOE")["total"] == 1
    assert ID in output("server", "list", "--text", "교육")
    assert "Cmnd_Alias" in output("server", "sudoers", ID) or "# " in output(
        "server", "sudoers", ID
    )
    assert read_json("server", "probe", ID)["server"] == ID
    output("server", "remove", ID, "--yes")
    refusal(NotFound, "server", "show", ID)
    with env.board.database.reading() as session:
        kinds = {entry.kind for entry in log.entries(session)}
    assert {"institution_added", "server_enrolled", "credential_stored", "server_removed"} <= kinds


@pytest.mark.slow
def test_without_a_confirmed_key_nothing_happens(env: BoardEnv, sshd: OpenSSH) -> None:
    key = ("--key", sshd.folder / "user")
    with pytest.raises(AssertionError):
        output(*words(sshd, *key))
    error = refusal(Invalid, *words(sshd, *key))
    assert fingerprint(sshd) in str(error)
    other = "SHA256:" + "A" * 43
    refusal(Invalid, *words(sshd, *key, "--fingerprint", other))
    make_key(sshd.folder / "wrong", "ed25519")
    wrong = (sshd.folder / "wrong.pub").read_text()
    refusal(Unreachable, *words(sshd, *key, "--host-key", wrong))
    refusal(NotFound, "server", "show", ID)
    assert f"ssh-{ID}" not in FileCredentialStore(Settings().secrets).names()


@pytest.mark.slow
def test_known_hosts_pin_the_key(env: BoardEnv, sshd: OpenSSH, tmp_path: Path) -> None:
    file = tmp_path / "known"
    host = sshd.host()
    file.write_text(f"[{host.address}]:{host.port} {host.host_key}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    output(*words(sshd, "--key", sshd.folder / "user", "--known-hosts", file, "--yes"))
    assert view.server(env.board, ID).host_key == host.host_key
    file.write_text("")
    refusal(Invalid, *words(sshd, "--credential", f"ssh-{ID}", "--known-hosts", file))


@pytest.mark.slow
def test_bad_input_is_refused_before_any_connection(env: BoardEnv, sshd: OpenSSH) -> None:
    sshd.stop()
    key = ("--key", sshd.folder / "user", "--fingerprint", fingerprint(sshd))
    for given in (
        ("--address", "a;reboot"), ("--port", "0"), ("--account", "a b"), ("--kind", "1"),
        ("--institution", "NONE"), ("--alias", "가" * 65), ("--port", "99999"),
    ):  # fmt: skip
        result = invoke(*words(sshd, *key, *given))
        assert isinstance(result.exception, Invalid | NotFound), result.exception


@pytest.mark.slow
def test_a_server_that_trusts_certificates_only_is_enrolled(env: BoardEnv, tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    folder.mkdir()
    make_key(folder / "ca", "ed25519")
    server = OpenSSH(folder, more=f"TrustedUserCAKeys {folder}/ca.pub")
    (folder / "authorized_keys").write_text("")
    try:
        given = ("--key", folder / "user", "--fingerprint", fingerprint(server), "--json")
        certified = (*given, "--authentication", "certificate")
        for refused in (given, certified):  # without the certificate
            result = invoke(*words(server, *refused))
            assert isinstance(result.exception, Unreachable | Misconfigured), result.exception
        account = server.host().account
        sign = ["ssh-keygen", "-q", "-s", folder / "ca", "-I", "t", "-n", account]
        subprocess.run([*map(str, sign), str(folder / "user.pub")], check=True)
        output(*words(server, *certified))
        host = view.server(env.board, ID)
        assert host.login.authentication == "certificate" and host.facts.os
        output("server", "probe", ID)
    finally:
        server.stop()


def test_ways_to_sign_in_are_checked(env: BoardEnv, sshd: OpenSSH) -> None:
    given = ("--key", sshd.folder / "user", "--fingerprint", fingerprint(sshd))
    for way in ("telnet", "password"):
        refusal(Invalid, *words(sshd, *given, "--authentication", way))


@pytest.mark.slow
def test_keys_that_cannot_be_used_are_refused(env: BoardEnv, sshd: OpenSSH) -> None:
    for name in ("user.pub", "sshd_config"):
        given = ("--key", sshd.folder / name, "--fingerprint", fingerprint(sshd))
        with pytest.raises((Invalid, Misconfigured)):
            raise invoke(*words(sshd, *given)).exception or AssertionError
    refusal(NotFound, "server", "show", ID)


@pytest.mark.slow
def test_services_are_edited_and_refused_when_wrong(env: BoardEnv, sshd: OpenSSH) -> None:
    add(sshd)
    for one in view.server(env.board, ID).services:
        output("server", "edit", ID, "--drop-service", one.name)
    service = {"name": "web", "kind": "http", "port": 8080, "health": "/health", "journal": True}
    read_json("server", "edit", ID, "--service", json.dumps(service))
    assert view.server(env.board, ID).service("web").health == "/health"
    read_json("server", "edit", ID, "--service", '{"name": "web", "port": 81}')
    assert view.server(env.board, ID).service("web").port == 81
    for wrong in ("[]", "{", '{"name": "web", "port": 0}', '{"name": "web", "shoe": 1}'):
        refusal(Invalid, "server", "edit", ID, "--service", wrong)
    read_json("server", "edit", ID, "--drop-service", "web")
    assert view.server(env.board, ID).services == ()
    assert read_json("server", "edit", ID, "--kind", "WEB")["changed"] == ["kind"]


@pytest.mark.slow
def test_a_changed_key_is_confirmed_with_its_fingerprint(env: BoardEnv, sshd: OpenSSH) -> None:
    add(sshd)
    renewed = OpenSSH(sshd.folder.with_name("renewed"))
    (renewed.folder / "authorized_keys").write_text((sshd.folder / "user.pub").read_text())
    try:
        read_json("server", "edit", ID, "--port", renewed.port)
        refusal(Unreachable, "server", "probe", ID)
        assert view.server(env.board, ID).blocked
        assert "차단" in output("server", "list", "--blocked")
        given = ("--fingerprint", fingerprint(renewed), "--reason", "재설치")
        read_json("server", "confirm-key", ID, *given)
        assert read_json("server", "probe", ID)["server"] == ID
    finally:
        renewed.stop()


@pytest.mark.slow
def test_kill_9_leaves_nothing_half_enrolled(env: BoardEnv, sshd: OpenSSH) -> None:
    given = ("--key", sshd.folder / "user", "--fingerprint", fingerprint(sshd), "--yes")
    line = [*PROGRAM, *map(str, words(sshd, *given))]
    for moment in ("inspection", "inspected", "server_enrolled"):
        with subprocess.Popen(
            line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            reached = partial(has_come, env, moment, process)
            assert wait_until(reached)
            process.kill()
        found = [h for h in view.directory(env.board).servers if h.server_id == ID]
        assert all(h.host_key and h.facts.gathered_at and h.credential for h in found)
    if not found:
        add(sshd)
    assert read_json("server", "show", ID)["server_id"] == ID


def has_come(env: BoardEnv, kind: str, process: subprocess.Popen[bytes]) -> bool:
    return kind in kinds(env) or process.poll() is not None


def kinds(env: BoardEnv) -> list[str]:
    with env.board.database.reading() as session:
        return [entry.kind for entry in log.entries(session)]


@pytest.mark.slow
def test_credentials_come_from_a_file_or_standard_input(env: BoardEnv, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("비밀-단어-하나\n")
    assert read_json("credential", "add", "db-pass", "--file", file)["kind"] == "password"
    output("credential", "add", "other", answer="다른-비밀\n")
    assert FileCredentialStore(Settings().secrets).get("other") == "다른-비밀"
    assert set(read_json("credential", "list")) >= {"db-pass", "other"}
    refusal(Invalid, "credential", "add", "db-pass", "--file", file)
    read_json("credential", "add", "db-pass", "--file", file, "--replace")
    output("credential", "remove", "db-pass")
    refusal(NotFound, "credential", "remove", "db-pass")
    for text in ("", "a\nb", "ssh-ed25519 AAAA x"):
        file.write_text(text)
        refusal(Invalid, "credential", "add", "x", "--file", file)
    assert "비밀" not in "".join(map(str, kinds_detail(env)))


def kinds_detail(env: BoardEnv) -> list[dict[str, Any]]:
    with env.board.database.reading() as session:
        return [entry.detail for entry in log.entries(session)]


@pytest.mark.slow
def test_institutions_are_listed_edited_and_removed(env: BoardEnv) -> None:
    output("institution", "edit", "MOE", "--name", "교육과학부")
    rows = read_json("institution", "list", "--text", "과학")["institutions"]
    assert rows == [{"id": "MOE", "name": "교육과학부", "aliases": ["교육"], "servers": 0}]
    assert read_json("institution", "list", "--limit", 1)["after"] == "MOE"
    refusal(Invalid, "institution", "add", "moe", "--name", "중복")
    output("institution", "remove", "MOE")
    refusal(NotFound, "institution", "remove", "MOE")
