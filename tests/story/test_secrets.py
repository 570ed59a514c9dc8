"""After the real demo no secret is in a table, log, page, export, argument or environment."""

from __future__ import annotations

import html
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from command_line import environment, run_process, start_process
from sqlalchemy.engine import make_url
from waiting import PATIENCE, wait_until

from guardia.board.site import permissions
from guardia.org.credential_store import FileCredentialStore

pytestmark = pytest.mark.slow

PASSWORD = "demo-암호-7f3a91c2"
TOKEN = "messenger-token-5be1d0aa93"
TEXT = "기재부 운영DB 쿼리가 너무 느려요"
_PROC = Path("/proc")
_LINE = 40
"""Length from which a line of a key counts as a secret instead of a header."""


def leaks(secrets: dict[str, str], text: str) -> set[str]:
    """Return the names of the secrets that a text contains, also in JSON or SQL notation."""
    forms = {name: {s, s.encode("unicode_escape").decode()} for name, s in secrets.items()}
    return {name for name, spelled in forms.items() if any(s in text for s in spelled)}


@contextmanager
def watching(seen: set[str]) -> Iterator[None]:
    """Collect arguments and environment of every process during the block."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            for path in (*_PROC.glob("[0-9]*/cmdline"), *_PROC.glob("[0-9]*/environ")):
                try:
                    seen.add(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def tables(superuser: str) -> dict[str, str]:
    """Return every row of every table as text."""
    with psycopg.connect(superuser) as connection:
        names = connection.execute(
            "select format('%I.%I', table_schema, table_name) from information_schema.tables "
            "where table_type = 'BASE TABLE' "
            "and table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        return {
            name: "\n".join(
                row
                for (row,) in connection.execute(f"select x::text from {name} x")
                if row  # type: ignore[call-overload]
            )
            for (name,) in names
        }


def test_the_search_finds_what_is_planted(database: object) -> None:
    """A search that never finds anything would prove nothing."""
    dsn = database.superuser  # type: ignore[attr-defined]
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "insert into tb_agent_run (agent_id, reasons, started_at) "
            "values ('x', jsonb_build_array(%s::text), now())",
            (PASSWORD,),
        )
    found = leaks({"demo password": PASSWORD}, "\n".join(tables(dsn).values()))
    assert found == {"demo password"}
    seen: set[str] = set()
    with watching(seen):
        planting = {**os.environ, "PLANTED": PASSWORD}
        # One process: a shell would leave its child, and with it the planted secret.
        program = [sys.executable, "-c", "import time; time.sleep(3600)", TOKEN]
        sleeping = subprocess.Popen(program, env=planting)
        both = {"token": TOKEN, "password": PASSWORD}
        assert wait_until(lambda: leaks(both, "\n".join(seen.copy())) == set(both))
        sleeping.kill()
        sleeping.wait()


@dataclass
class Demo:
    """A running `guardia demo` with known secrets."""

    place: Path
    process: subprocess.Popen[str]
    output: list[str]

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.place, GUARDIA_PORT="0")

    def until(self, text: str) -> str:
        """Read on to the line that contains `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if text in line:
                return line
        pytest.fail("the demo ended early:\n" + "".join(self.output))

    def run(self, *words: str) -> str:
        """Run another command on the same data."""
        return run_process(*words, env=self.environment, check=True).stdout


@pytest.fixture
def demo() -> Iterator[Demo]:
    place = Path(tempfile.mkdtemp(prefix="guardia-demo-"))
    place.chmod(0o711)
    keys = FileCredentialStore(place / "secrets")
    keys.put("demo-password", PASSWORD)
    keys.put("messenger-token", TOKEN)
    with (place / "stderr.log").open("w") as errors:
        env = environment(place, GUARDIA_PORT="0")
        streams = {"stdout": subprocess.PIPE, "stderr": errors, "text": True}
        process = start_process("demo", "--yes", env=env, **streams)
    timeout = threading.Timer(4 * PATIENCE, process.kill)
    timeout.start()
    yield Demo(place, process, [])
    timeout.cancel()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate()
    shutil.rmtree(place, ignore_errors=True)


def planted(demo: Demo, dsns: tuple[str, ...]) -> dict[str, str]:
    """Return every secret that is in use, by name."""
    store = FileCredentialStore(demo.place / "secrets")
    found = {"master key": (demo.place / "secrets.key").read_text().strip()}
    for name in store.names():
        # Each line of a key counts on its own: a part of a key is a leak too.
        for number, line in enumerate(store.get(name).splitlines()):
            if len(line) >= _LINE or (number == 0 and not line.startswith("-----")):
                found[f"{name} {number}"] = line
    for dsn in dsns:
        url = make_url(dsn)
        assert isinstance(url.password, str)
        found[f"password of {url.username}"] = url.password
    # The monitor's password on the practice servers, from its own client file.
    password_files = sorted((demo.place / "lab").rglob(".pgpass"))
    assert password_files
    for path in password_files:
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            found[f"{path.name} {number}"] = line.rsplit(":", 1)[1]
    assert {PASSWORD, TOKEN} <= set(found.values())
    assert len({name.split()[0] for name in found}) >= 7
    return found


_LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*)"')
_FORM = re.compile(r'name="csrf" value="([^"]+)"')


def pages(address: str, account: str) -> dict[str, str]:
    """Return all pages that this person reaches by links, and all pages without a parameter."""
    with httpx.Client(base_url=address, headers={"accept": "text/html"}, timeout=60) as client:
        token = _FORM.search(client.get("/login").text)
        assert token
        form = {"csrf": token[1], "account": account, "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 303
        plain = {p for (m, p) in permissions.ROUTES if m == "GET" and "{" not in p}
        left = sorted(plain - {"/events", "/static"})
        seen: dict[str, str] = {}
        while left and len(seen) < 80:
            path = left.pop()
            if path in seen or path.startswith(("/static", "/events")) or "lang=" in path:
                continue
            answer = client.get(path)
            seen[path] = answer.text + str(dict(answer.headers))
            left += [html.unescape(found) for found in _LINK.findall(answer.text)]
        return seen


def test_no_secret_is_left_behind_by_the_real_demo(demo: Demo, tmp_path: Path) -> None:
    """Checks database, logs, export, pages, and arguments and environments of every process."""
    processes: set[str] = set()
    with watching(processes):
        address = re.findall(r"http://\S+", demo.until("보드: "))[0]
        demo.until("보드를 계속 실행")
        read = {who: pages(address, who) for who in ("u-lead-1", "u-adm-1", "u-cus-1")}
        demo.run("audit", "export", str(tmp_path / "export"))
        dsns = tuple(demo.run("db", "url", *more).strip() for more in ((), ("--owner",)))
        demo.run("keys", "list")
    stored = tables(dsns[1])
    secrets = planted(demo, dsns)
    assert any("/issues/1" in seen and TEXT in seen["/issues/1"] for seen in read.values())
    assert TEXT in stored["public.tb_sr_request"]
    assert any(f"GUARDIA_HOME={demo.place}" in line for line in processes)
    logs = [demo.place / "board.log", demo.place / "stderr.log"]
    logs += (demo.place / "postgres").rglob("*.log")
    # The demo deliberately prints the password of its accounts; other output must not.
    printed = "".join(demo.output).replace(f"비밀번호 {PASSWORD}", "")
    places = {
        **{f"table {name}": rows for name, rows in stored.items()},
        **{f"log {path.name}": path.read_text("utf-8", "replace") for path in logs},
        **{f"{who} {path}": text for who, seen in read.items() for path, text in seen.items()},
        "printed": printed,
        "export": (tmp_path / "export").read_text("utf-8"),
        "processes": "\n".join(processes),
        "credential store": "".join(
            p.read_text("latin-1") for p in (demo.place / "secrets").iterdir()
        ),
    }
    assert {place: found for place, text in places.items() if (found := leaks(secrets, text))} == {}
