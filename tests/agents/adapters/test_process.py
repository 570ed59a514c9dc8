"""A program and its children: limited, ended afterwards, without access to our data."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from external_agents import python_adapter, shared_folder
from run_coroutine import run_in_own_loop
from waiting import AN_HOUR, wait_until

from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.agents.adapters.process import ProcessAgent, account
from guardia.board.external_agents.sessions import SessionEnd
from guardia.errors import Misconfigured
from guardia.org.adapters import ProcessAdapter
from guardia.org.credential_store import FileCredentialStore

TOKEN = "token-5f2c9ab1"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes root to run it as someone else")


@pytest.fixture
def folder() -> Iterator[Path]:
    with shared_folder() as found:
        yield found


def parsed(adapter: dict[str, Any]) -> ProcessAdapter:
    return ProcessAdapter.model_validate(adapter)


def run_program(
    folder: Path, source: str, *, until: Callable[[], bool] = lambda: False, **more: Any
) -> SessionEnd:
    """Run a program to its end; it is stopped when `until` becomes true."""
    adapter = parsed(python_adapter(folder, source, **more))
    spec = SessionSpec(7, {"task": 1, "state": "PARSED"}, "http://board/api", TOKEN)
    keys = FileCredentialStore(folder / "secrets")

    async def whole() -> SessionEnd:
        engaged = ProcessAgent(adapter, spec, HostResources(folder / "outside", keys))
        try:
            await engaged.start()
            working = asyncio.ensure_future(engaged.wait())
            async with asyncio.timeout(60):
                while not working.done() and not until():
                    await asyncio.sleep(0.02)
            working.cancel()
        finally:
            ending = await engaged.stop()
        return ending

    ending: SessionEnd = run_in_own_loop(whole())
    assert list((folder / "outside").iterdir()) == []
    return ending


def marked(mark: str) -> int:
    """Count the processes of this machine with a mark in their arguments."""
    count = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            count += mark.encode() in file.read_bytes()
        except OSError:
            continue
    return count


LOOK = """
import json, os, sys
task = json.load(sys.stdin)
same = json.load(open(os.environ["GUARDIA_TASK_FILE"])) == task
def read(path):
    try: return open(path).read()[:50]
    except OSError as error: return type(error).__name__
print(json.dumps({
    "task": task, "same": same, "environment": sorted(os.environ), "uid": os.getuid(),
    "token": os.environ["GUARDIA_TOKEN"], "arguments": sys.argv, "cwd": os.getcwd(),
    "parent": read(f"/proc/{os.getppid()}/environ"), "opened": read(sys.argv[1]),
    "groups": os.getgroups(), "descriptors": len(os.listdir("/proc/self/fd")),
}))
"""


def test_it_gets_its_task_and_nothing_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIA_DSN", "postgresql://planted-secret")
    secret = folder / "planted.key"
    secret.write_text("planted-secret")
    secret.chmod(0o600)
    adapter = python_adapter(folder, LOOK)
    command = [*adapter["command"], str(secret)]
    ending = run_program(folder, LOOK, command=command)
    assert ending == SessionEnd("ended", 0, 0, ending.output)
    found = json.loads(ending.output)
    assert found["task"] == {"task": 1, "state": "PARSED"} and found["same"]
    assert set(found["environment"]) <= {
        "GUARDIA_API", "GUARDIA_TASK_FILE", "GUARDIA_TOKEN", "HOME", "LANG", "PATH", "TMPDIR",
        "LC_CTYPE",
    }  # fmt: skip
    assert found["descriptors"] <= 4
    # The token is neither in its arguments nor in the output that is kept.
    assert TOKEN not in ending.output and found["token"] == "***"
    assert not [argument for argument in found["arguments"] if TOKEN in argument]
    if os.geteuid() == 0:
        assert "planted-secret" not in ending.output
        assert found["uid"] >= 61184 and found["groups"] == []
        assert found["parent"] == found["opened"] == "PermissionError"


HIDDEN = """
import os, subprocess, sys, time
mark = sys.argv[1]
sleeper = [sys.executable, "-c", "import time; time.sleep(3600)", mark]
subprocess.Popen(sleeper)
subprocess.Popen(sleeper, start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, sleeper)
    os._exit(0)
time.sleep(float(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("stay", ["0.5", "300"])
def test_every_hidden_process_is_killed(folder: Path, stay: str) -> None:
    mark = f"mark-{os.getpid()}-{stay}"
    command = [*python_adapter(folder, HIDDEN)["command"], mark, stay]
    # The supervisor, the program, and the three hidden ones.
    stop = (lambda: marked(mark) >= 5) if stay == "300" else (lambda: False)
    ending = run_program(folder, HIDDEN, until=stop, command=command)
    assert marked(mark) == 0
    assert ending.left >= 3
    assert ending.exit == (0 if stay == "0.5" else -9)


BOMB = """
import os, sys, time
made = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(3600)
        made += 1
    except OSError as error:
        print(f"{made} {type(error).__name__}", flush=True)
        open("done", "w").close()
        time.sleep(3600)
"""


@AS_ROOT
def test_a_fork_bomb_is_limited_and_killed(folder: Path) -> None:
    bounds = {"processes": 20}
    done = folder / "outside" / "run-7" / "done"
    ending = run_program(folder, BOMB, until=done.exists, limits=bounds)
    made, error = ending.output.split()
    assert int(made) == 19 and error == "BlockingIOError"
    assert ending.left == 20


def test_floods_big_files_and_big_memory_are_bounded(folder: Path) -> None:
    output_limit = run_program(folder, "while True: print('x' * 4000)")
    assert output_limit.how == "flooded" and len(output_limit.output) < 300_000
    big = "open('big', 'wb').write(b'x' * (2 << 20))"
    assert run_program(folder, big, limits={"file_mb": 1}).exit != 0
    assert (
        "MemoryError" in run_program(folder, "b'x' * (200 << 20)", limits={"memory_mb": 50}).output
    )


def test_a_failed_start_is_reported(folder: Path) -> None:
    ending = run_program(folder, "", command=["/nowhere/at-all"])
    assert ending.exit == 127 and "FileNotFoundError" in ending.output


@AS_ROOT
def test_an_inaccessible_folder_is_named(folder: Path) -> None:
    (folder / "outside").mkdir(mode=0o700)
    with pytest.raises(Misconfigured, match="711"):
        run_program(folder, "")


@pytest.mark.slow
def test_it_ends_with_the_worker(folder: Path) -> None:
    """A killed worker cannot stop anything; the program's supervisor notices that it is gone."""
    import subprocess
    import sys

    mark = f"orphan-{os.getpid()}"
    adapter = python_adapter(folder, f"import time; time.sleep({AN_HOUR})")
    with_mark = {**adapter, "command": [*adapter["command"], mark]}
    source = f"""
import asyncio, sys
from pathlib import Path
from guardia.agents.adapters.contract import HostResources, SessionSpec
from guardia.agents.adapters.process import ProcessAgent
from guardia.org.adapters import ProcessAdapter
from guardia.org.credential_store import FileCredentialStore
async def main():
    adapter = ProcessAdapter.model_validate({with_mark!r})
    folder = Path({str(folder)!r})
    resources = HostResources(folder, FileCredentialStore(folder))
    agent = ProcessAgent(adapter, SessionSpec(1, {{}}, "http://b", "t"), resources)
    await agent.start()
    print("started", flush=True)
    await agent.wait()
asyncio.run(main())
"""
    worker = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    assert worker.stdout and worker.stdout.readline() == "started\n"
    assert wait_until(lambda: marked(mark) >= 2)  # the supervisor and the program
    worker.kill()
    worker.wait()
    assert wait_until(lambda: not marked(mark))


def test_it_gets_the_workers_account_only_if_the_chart_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = ProcessAdapter.model_validate({"kind": "process", "command": ["/bin/true"]})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Misconfigured, match="trust_account"):
        account(plain, 1)
    assert account(plain.model_copy(update={"trust_account": True}), 1) is None
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    first, second = account(plain, 1), account(plain.model_copy(update={"trust_account": True}), 2)
    assert first and second and first != second and 61184 <= first[0] < 65520
    for name in ("root", "no-such-account"):
        with pytest.raises(Misconfigured):
            account(plain.model_copy(update={"account": name}), 1)
    found = account(plain.model_copy(update={"account": "nobody"}), 1)
    assert found and found[0] != 0


LITTER = """
import os
for folder in ("/tmp", "/var/tmp", "/dev/shm"):
    place = os.path.join(folder, "guardia-litter-" + MARK)
    os.makedirs(place + "/deep/deeper")
    os.chmod(place, 0o777)
    open(place + "/deep/deeper/file", "w").write("x")
    open(place + ".txt", "w").write("x")
    os.symlink(KEPT, place + "/link")
    os.symlink(os.path.dirname(KEPT), place + "/folder-link")
"""


@AS_ROOT
def test_files_in_shared_folders_end_with_the_session_and_no_others(
    folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.write_text("ours")
    mark = tmp_path.name
    ours = Path("/tmp") / f"guardia-litter-{mark}.ours"
    ours.write_text("ours")
    try:
        values = f"MARK = {mark!r}\nKEPT = {str(kept)!r}\n"
        ending = run_program(folder, values + LITTER)
        assert (ending.how, ending.exit) == ("ended", 0), ending
        left = [
            str(path)
            for shared in ("/tmp", "/var/tmp", "/dev/shm")
            for path in Path(shared).glob(f"guardia-litter-{mark}*")
        ]
        assert left == [str(ours)]
        assert kept.read_text() == "ours"
    finally:
        ours.unlink()
