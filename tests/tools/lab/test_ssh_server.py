"""The fleet's SSH servers behave like real ones, and commands really run."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from run_coroutine import run_in_own_loop
from ssh_probe import SshProbe
from waiting import PATIENCE, wait_until

from guardia.tools.lab.running_fleet import RunningFleet

SERVER = "MOE-WEB-01"


def test_a_command_runs_at_home_with_a_clean_environment(
    probe: SshProbe, fleet: RunningFleet
) -> None:
    done = probe.run(SERVER, "pwd; echo $HOME $USER; env | cut -d= -f1 | sort | xargs")
    home, who, names = str(done.stdout).splitlines()
    assert home.endswith(f"/hosts/{SERVER}")
    assert who == f"{home} guardia"
    expected = {"HOME", "LANG", "LOGNAME", "PATH", "PWD", "SHELL", "SHLVL", "SSH_CONNECTION"}
    assert set(names.split()) == expected | {"USER", "_"}
    assert fleet.home in Path(home).parents


@pytest.mark.parametrize(
    ("command", "code", "signal", "out", "err"),
    [
        ("true", 0, None, "", ""),
        ("echo out; echo err >&2; exit 7", 7, None, "out\n", "err\n"),
        ("kill -TERM $$", -1, "TERM", "", ""),
        ("no-such-command 2>/dev/null", 127, None, "", ""),
    ],
)
def test_the_end_of_a_command_is_reported(
    probe: SshProbe, command: str, code: int, signal: str | None, out: str, err: str
) -> None:
    done = probe.run(SERVER, command)
    assert (done.exit_status, done.stdout, done.stderr) == (code, out, err)
    assert (done.exit_signal[0] if done.exit_signal else None) == signal


def test_input_arrives_complete_with_eof(probe: SshProbe) -> None:
    assert probe.run(SERVER, "wc -c", input="x" * 3_000_000).stdout == "3000000\n"
    assert probe.run(SERVER, "cat", input="y" * 3_000_000).stdout == "y" * 3_000_000
    assert probe.run(SERVER, "head -c 3", input="z" * 3_000_000).stdout == "zzz"


@pytest.mark.slow
def test_large_output_arrives_complete_at_a_slow_client(probe: SshProbe) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> int:
        running: Any = await connection.create_process(
            "head -c 20000000 /dev/zero; echo end >&2", encoding=None
        )
        await asyncio.sleep(0.5)
        size = 0
        while part := await running.stdout.read(65_536):
            size += len(part)
        assert await running.stderr.read() == b"end\n"
        await running.wait_closed()
        assert running.exit_status == 0
        return size

    assert probe.session(SERVER, work) == 20_000_000


@pytest.mark.slow
def test_fifty_concurrent_commands_on_one_connection(probe: SshProbe) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> list[str]:
        commands = (connection.run(f"sleep 0.2; echo {n}") for n in range(50))
        return [str(done.stdout).strip() for done in await asyncio.gather(*commands)]

    assert probe.session(SERVER, work) == [str(n) for n in range(50)]


@pytest.mark.slow
def test_a_command_outlives_its_channel_and_is_counted(
    probe: SshProbe, fleet: RunningFleet
) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> None:
        running: Any = await connection.create_process("sleep 3871")
        await there(fleet, "sleep 3871")
        running.close()
        await running.wait_closed()

    assert fleet.commands(SERVER) == []
    probe.session(SERVER, work)
    left = fleet.commands(SERVER)
    assert [entry["command"] for entry in left] == ["sleep 3871"]
    probe.run(SERVER, f"kill {left[0]['pid']}")
    assert wait_until(lambda: fleet.commands(SERVER) == [])


@pytest.mark.slow
def test_a_writer_without_a_reader_ends_by_itself(probe: SshProbe, fleet: RunningFleet) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> None:
        running: Any = await connection.create_process("yes")
        await running.stdout.read(10)
        running.close()

    probe.session(SERVER, work)
    assert wait_until(lambda: fleet.commands(SERVER) == [])


async def there(fleet: RunningFleet, command: str) -> None:
    """Wait until a command runs: bash may miss a signal while it starts."""

    def runs() -> bool:
        return command in [entry["command"] for entry in fleet.commands(SERVER)]

    assert await asyncio.to_thread(wait_until, runs)


@pytest.mark.slow
def test_a_client_can_signal_its_command(probe: SshProbe, fleet: RunningFleet) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> Any:
        running: Any = await connection.create_process("sleep 3872")
        await there(fleet, "sleep 3872")
        running.send_signal("TERM")
        return (await running.wait()).exit_signal[0]

    assert probe.session(SERVER, work) == "TERM"


def test_a_terminal_is_a_terminal(probe: SshProbe) -> None:
    done = probe.run(SERVER, "tty; stty size", term_type="xterm", term_size=(100, 40))
    assert str(done.stdout).startswith("/dev/pts/")
    assert str(done.stdout).endswith("40 100\r\n")
    assert done.exit_status == 0


@pytest.mark.slow
def test_closing_a_terminal_hangs_up(probe: SshProbe, fleet: RunningFleet) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> None:
        running: Any = await connection.create_process("sleep 3873", term_type="xterm")
        await there(fleet, "sleep 3873")
        running.close()

    probe.session(SERVER, work)
    assert wait_until(lambda: fleet.commands(SERVER) == [])


def test_sftp_is_limited_to_the_home(probe: SshProbe) -> None:
    async def work(connection: asyncssh.SSHClientConnection) -> Any:
        async with connection.start_sftp_client() as files:
            return await files.listdir("/")

    assert {"bin", "srv"} <= set(probe.session(SERVER, work))


def test_another_key_or_account_is_rejected(probe: SshProbe) -> None:
    def attempt(**change: Any) -> None:
        async def live() -> None:
            async with asyncssh.connect(**{**probe.options(SERVER), **change}):
                pass

        run_in_own_loop(live())

    attempt()
    with pytest.raises(asyncssh.PermissionDenied):
        attempt(client_keys=[asyncssh.generate_private_key("ssh-ed25519")])
    with pytest.raises(asyncssh.PermissionDenied):
        attempt(username="root")
    with pytest.raises(asyncssh.PermissionDenied):
        attempt(client_keys=[], password="guardia")


def test_every_server_has_its_own_host_key(probe: SshProbe, fleet: RunningFleet) -> None:
    assert len({host.host_key for host in fleet.inventory.hosts}) == 7
    other = probe.options("MOF-WAS-01")["known_hosts"]

    async def live() -> None:
        async with asyncssh.connect(**{**probe.options(SERVER), "known_hosts": other}):
            pass

    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        run_in_own_loop(live())


@pytest.mark.ssh
@pytest.mark.skipif(shutil.which("ssh") is None, reason="no OpenSSH client")
def test_the_openssh_client_works(fleet: RunningFleet, tmp_path: Path) -> None:
    host = fleet.inventory.host(SERVER)
    known = tmp_path / "known_hosts"
    known.write_text(f"[{host.address}]:{host.port} {host.host_key}\n")
    line = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
    line += ["-o", "IdentitiesOnly=yes", "-i", str(fleet.inventory.key), "-p", str(host.port)]
    line += [f"{host.account}@{host.address}", "wc -c; exit 4"]
    done = subprocess.run(
        line, input=b"x" * 500_000, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (4, b"500000\n")
