"""Login shells of every kind, over real SSH: a command works, or one finding says why not."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from account_server import NEEDS_ROOT, AccountServer
from waiting import PATIENCE

from guardia.errors import CommandFailed, Unreachable
from guardia.tools.command import Command, Script
from guardia.tools.output import Output, require_success
from guardia.tools.transport.connections import Connections
from guardia.tools.transport.limits import TransportLimits
from guardia.tools.transport.supervised_shell import FenceGuard

pytestmark = pytest.mark.ssh

HARD = 'a b\'c "한글" !! $HOME `id` *{x,y}\\n\\\n\tend'
ECHO = Script("test.echo", 'printf "%s|" "$1"\ncat\n# !x\nexit 7')
SHELLS = {
    name: found
    for name in ("bash", "rbash", "dash", "ksh", "mksh", "tcsh", "zsh", "fish", "yash")
    if (found := shutil.which(name))
}
MENU = "#!/bin/sh\necho '1) status 2) reboot'\nread choice\necho \"bye $choice\"\n"
UNUSABLE = {
    "nologin": ("/usr/sbin/nologin", "nologin.*currently not available"),
    "git-shell": (shutil.which("git-shell"), "git-shell.*unrecognized command"),
    "false": ("/bin/false", "내용 없음"),
    "menu": ("{folder}/menu", "1\\) status"),
    "forced": ("/bin/bash", "forced"),
}
GUARD = FenceGuard("guardia:7:0123456789ab:0:do", lambda: None)


@pytest.fixture(scope="module")
def server() -> Iterator[AccountServer]:
    """One server with an account for every shell."""
    folder = Path(tempfile.mkdtemp(prefix="ga-"))
    shells = {name: shell.format(folder=folder) for name, (shell, _) in UNUSABLE.items() if shell}
    (folder / "menu").write_text(MENU)
    (folder / "menu").chmod(0o755)
    if busybox := shutil.which("busybox"):
        (folder / "sh").symlink_to(busybox)
        SHELLS["busybox"] = str(folder / "sh")
    forced = "Match User forced\n  ForceCommand echo forced"
    found = AccountServer(folder, shells | SHELLS, more=forced)
    yield found
    found.stop()
    shutil.rmtree(folder, ignore_errors=True)


@NEEDS_ROOT
@pytest.mark.slow
class TestAccounts:
    def test_commands_arrive_unchanged_through_every_shell(self, server: AccountServer) -> None:
        """Nor does a shell run a line of them by itself, as csh would."""
        with Connections(server) as connections:
            for name in SHELLS:
                command = Command.script(ECHO, HARD).with_input("in!put\n")
                for guard in (None, GUARD):
                    output = connections.run(
                        server.of(name), command, timeout=PATIENCE, fence_guard=guard
                    )
                    assert (output.exit, output.stdout) == (7, f"{HARD}|in!put\n"), (name, output)
                    assert output.stderr == "", name

    @pytest.mark.slow
    @pytest.mark.parametrize("name", UNUSABLE)
    def test_others_are_a_finding_that_names_them(self, server: AccountServer, name: str) -> None:
        shell, expected = UNUSABLE[name]
        if shell is None:
            pytest.skip(f"{name} is not installed")
        with Connections(server, TransportLimits(termination=0.5)) as connections:
            host = server.of(name)
            output = connections.run(host, Command.of("true"), timeout=2)
            with pytest.raises(CommandFailed, match=f"(?s)로그인 셸이.*{expected}"):
                require_success("test", output)
            if name != "menu":  # it waits for the answer to its question
                with pytest.raises(Unreachable, match="셸이 시작되지 않았습니다"):
                    connections.run(host, Command.of("true"), timeout=2, fence_guard=GUARD)


class TestStartUpFiles:
    """bash reads `.bashrc` for every command of sshd."""

    def run(self, server: Any, text: str) -> Output:
        (server.home / ".bashrc").write_text(text)
        command = Command.script(Script("test.lines", "echo one; echo two >&2"))
        with Connections(server) as connections:
            return connections.run(server.host(), command, timeout=PATIENCE)

    @pytest.fixture
    def talkative(self, start_sshd: Callable[..., Any], tmp_path: Path) -> Any:
        banner = tmp_path / "issue.net"
        banner.write_text("무단 접속을 금합니다.\n" * 200)
        return start_sshd(more=f"Banner {banner}\nPrintMotd yes")

    @pytest.mark.parametrize(
        "text",
        [
            "echo Welcome; echo 'last login: today'",
            "printf 'no line end'; printf '\\036guess:begin\\036'",
            "sleep 1; echo slow",
            "head -c 3000000 /dev/zero | tr '\\0' x; echo",
        ],
    )
    @pytest.mark.slow
    def test_what_they_print_is_no_output_of_the_command(self, talkative: Any, text: str) -> None:
        output = self.run(talkative, text)
        assert (output.exit, output.stdout, output.truncated) == (0, "one\n", False)
        assert output.stderr.endswith("two\n")

    def test_one_that_ends_the_shell_is_a_finding(self, talkative: Any) -> None:
        output = self.run(talkative, "echo 점검 중입니다; exit 0")
        with pytest.raises(CommandFailed, match="점검 중입니다"):
            require_success("test", output)
