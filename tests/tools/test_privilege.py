"""Rights by a real sudo over real SSH: who gets the password, and what a refusal says."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from account_server import NEEDS_ROOT, NEEDS_SUDO, PASSWORD, AccountServer
from waiting import PATIENCE, wait_until

from guardia.errors import CommandFailed, Refused, Unreachable
from guardia.org.directory import Login
from guardia.tools.command import Script
from guardia.tools.output import Output
from guardia.tools.privilege import AS_ROOT, privileged_script, require_rights
from guardia.tools.transport.connections import Connections

pytestmark = [pytest.mark.ssh, pytest.mark.slow, NEEDS_ROOT, NEEDS_SUDO]

WHO = Script("test.who", AS_ROOT + 'as_root /usr/bin/id -u; as_root /usr/bin/id "$1"')
READ = Script(
    "test.read",
    AS_ROOT + "printf 'stdin:%s\\n' \"$(as_root /bin/cat)\"; as_root /usr/bin/env; echo done",
)
FAIL = Script("test.fail", AS_ROOT + "as_root /bin/sh -c 'echo so >&2; exit 3'; echo no")
SLEEP = Script("test.sleep", AS_ROOT + 'as_root /bin/sleep "$1"')
PIPED = Script(
    "test.piped",
    AS_ROOT + "as_root /bin/echo one | tr o 0; x=$(as_root /usr/bin/id -u)\n"
    'printf "%s\\n" "$x"; as_root /bin/sh -c "head -c 300000 /dev/zero | tr \'\\0\' x"',
)


class Store:
    """The user key of the server, and passwords."""

    def __init__(self, server: AccountServer) -> None:
        self.server = server
        self.passwords = {"right": PASSWORD + "\n", "wrong": "geheim"}

    def get(self, name: str) -> str:
        return self.passwords.get(name) or self.server.get(name)


@pytest.fixture(scope="module")
def server() -> Iterator[AccountServer]:
    """One server with an ordinary account."""
    folder = Path(tempfile.mkdtemp(prefix="ga-"))
    found = AccountServer(folder, {"kim": "/bin/bash"})
    yield found
    found.stop()
    shutil.rmtree(folder, ignore_errors=True)


def run(
    server: AccountServer,
    script: Script,
    *arguments: str,
    rules: str,
    elevate: str = "password",
    credential: str = "right",
    connections: Connections | None = None,
) -> Output:
    """Run a script as the account; raise if sudo refuses."""
    server.rules(rules)
    named = credential if elevate == "password" else ""
    host = server.of("kim", login=Login(elevate=elevate, sudo_credential=named))
    command = privileged_script(host, script, *arguments)
    assert PASSWORD not in command.masked
    if connections is not None:
        output = connections.run(host, command, timeout=20)
    else:
        with Connections(Store(server)) as own:
            output = own.run(host, command, timeout=20)
    require_rights("test", host, output)
    return output


ASKS = "kim ALL=(root) ALL"
FREE = "kim ALL=(root) NOPASSWD: ALL"
RULES = {
    "asks": ASKS,
    "asks, and remembers nothing": f"Defaults timestamp_timeout=0\n{ASKS}",
    "remembers for the account": f"Defaults timestamp_type=global,timestamp_timeout=15\n{ASKS}",
    "asks nothing": FREE,
    "asks nothing, and remembers nothing": f"Defaults timestamp_timeout=0\n{FREE}",
    "lectures": f"Defaults lecture=always\n{ASKS}",
    "has a prompt of its own": f'Defaults passprompt="[%p] 암호: "\n{ASKS}',
    "keeps a log of output": f"Defaults use_pty\n{ASKS}",
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_the_password_reaches_sudo_alone(server: AccountServer, rules: str) -> None:
    output = run(server, WHO, "kim", rules=rules)
    assert output.exit == 0, output
    assert output.stdout.splitlines()[0] == "0"
    output = run(server, READ, rules=rules)
    assert output.exit == 0, output
    assert output.stdout.startswith("stdin:\n")
    assert output.stdout.endswith("done\n")
    assert PASSWORD not in output.stdout + output.stderr


@pytest.mark.parametrize("rules", [ASKS, FREE])
def test_pipes_statuses_and_errors_are_those_of_the_program(
    server: AccountServer, rules: str
) -> None:
    output = run(server, PIPED, rules=rules)
    assert output.exit == 0, output
    assert output.stdout.startswith("0ne\n0\nxxx")
    assert len(output.stdout) == 300_006
    output = run(server, FAIL, rules=rules)
    assert (output.exit, output.stdout) == (3, "")
    assert output.stderr.strip().endswith("so")


def test_no_process_shows_the_password(server: AccountServer) -> None:
    server.rules(ASKS)
    host = server.of("kim", login=Login(elevate="password", sudo_credential="right"))
    cancel, mark = threading.Event(), f"{os.getpid()}.777"
    with Connections(Store(server)) as connections, ThreadPoolExecutor(1) as threads:
        running = threads.submit(
            connections.run,
            host,
            privileged_script(host, SLEEP, mark),
            timeout=PATIENCE,
            cancel=cancel,
        )

        def shown() -> bytes:
            found = b""
            for name in ("cmdline", "environ"):
                for path in Path("/proc").glob(f"[0-9]*/{name}"):
                    try:
                        found += path.read_bytes()
                    except OSError:
                        continue
            return found

        assert wait_until(lambda: f"/bin/sleep\0{mark}".encode() in shown())
        assert PASSWORD.encode() not in shown()
        cancel.set()
        running.result(PATIENCE)
    assert PASSWORD not in (server.folder / "log").read_text()


REFUSED = {
    "a wrong password": (ASKS, "password", "wrong", "sudo 비밀번호가 거부되었습니다"),
    "requiretty": (f"Defaults requiretty\n{ASKS}", "password", "right", "requiretty"),
    "requiretty without a password": (f"Defaults requiretty\n{FREE}", "sudo", "", "requiretty"),
    "a password is needed": (ASKS, "sudo", "", "비밀번호를 요구"),
    "another program only": (
        "kim ALL=(root) NOPASSWD: /bin/true", "sudo", "", "비밀번호를 요구|허용되지"
    ),
    "no right at all": ("root ALL=(ALL) ALL", "password", "right", "허용되지"),
    "damaged rules": ("kim ALL=(root ALL", "password", "right", "sudo 설정"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_what_to_do(server: AccountServer, name: str) -> None:
    rules, elevate, credential, expected = REFUSED[name]
    with pytest.raises(CommandFailed, match=expected) as caught:
        run(server, WHO, "kim", rules=rules, elevate=elevate, credential=credential)
    assert "geheim" not in str(caught.value)


def test_a_wrong_password_is_tried_once(server: AccountServer, tmp_path: Path) -> None:
    """Neither by a second prompt nor by the next command: accounts are locked after a few."""
    tried = tmp_path / "tried"
    rules = f"Defaults passwd_tries=3, logfile={tried}\n{ASKS}"
    store = Store(server)
    with Connections(store) as connections:

        def attempt(credential: str) -> None:
            run(
                server,
                WHO,
                "kim",
                rules=rules,
                credential=credential,
                connections=connections,
            )

        with pytest.raises(CommandFailed, match="거부되었습니다"):
            attempt("wrong")
        for _ in range(3):
            with pytest.raises(Unreachable, match="sudo 비밀번호가 거부되었습니다"):
                attempt("wrong")
        assert tried.read_text().count("1 incorrect password attempt") == 1
        store.passwords["wrong"] = PASSWORD  # corrected in the store
        attempt("wrong")


OTHER_SUDO = r"""
d=$(mktemp -d)
printf '#!/bin/bash\nprintf "OTP for kim: " >&2; x=$(cat); echo "got:$x" >&2
echo "sudo: no password was provided" >&2; exit 1' > "$d/sudo"
chmod +x "$d/sudo"
PATH=$d:$PATH
as_root /bin/true
"""
NO_SUDO = r"""
d=$(mktemp -d)
ln -s /usr/bin/id /usr/bin/tr /usr/bin/grep "$d"
PATH=$d
as_root /bin/true
"""


def failed(server: AccountServer, script: Script, elevate: str) -> str:
    """Run a script that fails without rights; return its message."""
    named = "right" if elevate == "password" else ""
    host = server.of("kim", login=Login(elevate=elevate, sudo_credential=named))
    with Connections(Store(server)) as connections:
        output = connections.run(host, privileged_script(host, script), timeout=20)
    assert PASSWORD not in output.stderr
    with pytest.raises(CommandFailed) as caught:
        require_rights("test", host, output)
    return str(caught.value)


def test_another_question_is_not_answered(server: AccountServer) -> None:
    """Such as that of a PAM module whose prompt sudo does not replace."""
    script = Script("test.other", AS_ROOT + OTHER_SUDO)
    assert "OTP for kim:" in failed(server, script, "password")


@pytest.mark.parametrize("elevate", ["sudo", "password"])
def test_a_missing_sudo_is_named(server: AccountServer, elevate: str) -> None:
    assert "sudo가 없습니다" in failed(server, Script("test.none", AS_ROOT + NO_SUDO), elevate)


def test_the_sites_own_program_gets_the_command_as_arguments(server: AccountServer) -> None:
    own = server.folder / "rootsh"
    own.write_text('#!/bin/sh\necho "own: $*"\n')
    own.chmod(0o755)
    output = run(server, WHO, "kim", rules="", elevate=str(own))
    assert output.stdout == "own: /usr/bin/id -u\nown: /usr/bin/id kim\n"


def test_without_a_named_password_nothing_is_sent(server: AccountServer) -> None:
    host = server.of("kim", login=Login(elevate="password"))
    with pytest.raises(Refused, match="guardia server edit"):
        privileged_script(host, WHO)
