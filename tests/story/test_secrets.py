"""After the main story no secret is in a table, log, page or process argument."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from house import House
from pages import Browser
from sqlalchemy.engine import make_url

from guardia.board.desk import organization
from guardia.board.lifecycle import State
from guardia.board.web.app import create_app
from guardia.org.keys import FileKeys
from guardia.settings import Settings

pytestmark = pytest.mark.slow

PASSWORD = "demo-암호-7f3a91c2"
TOKEN = "messenger-token-5be1d0aa93"
TEXT = "기재부 운영DB 쿼리가 너무 느려요"
_LINE = 40
"""Characters from which a line of a key is a secret and not a header."""


def planted(house: House, dsns: tuple[str, ...]) -> dict[str, str]:
    """Every secret that is in use, by what it is."""
    _, key = house.fleet.credential()
    found = {"demo password": PASSWORD, "messenger token": TOKEN}
    body = [line for line in key.splitlines() if len(line) >= _LINE]
    assert body
    found |= {f"ssh key line {n}": line for n, line in enumerate(body)}
    for dsn in dsns:
        url = make_url(dsn)
        assert isinstance(url.password, str)
        found[f"password of {url.username}"] = url.password
    # The monitor's password on the practice server, as its own client file holds it.
    home = house.fleet.inventory.key.parent
    held = sorted({p for folder in (home, home.parent) for p in folder.rglob(".pgpass")})
    assert held
    for path in held:
        for number, line in enumerate(path.read_text("utf-8").splitlines()):
            found[f"{path.name} {number}"] = line.rsplit(":", 1)[1]
    return found


def leaks(secrets: dict[str, str], text: str) -> set[str]:
    """Names of the secrets that a text holds, also as JSON or SQL would write them."""
    forms = {name: {s, s.encode("unicode_escape").decode()} for name, s in secrets.items()}
    return {name for name, spelled in forms.items() if any(s in text for s in spelled)}


@contextmanager
def watching(seen: set[str]) -> Iterator[None]:
    """Collect the arguments of every process while the story runs."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
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
    """Every row of every table as text."""
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
    """A search that finds nothing anywhere would prove nothing."""
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
    with watching(seen), psycopg.connect(dsn) as connection:
        connection.execute("select pg_sleep(0.3)")
    assert any("pytest" in line for line in seen)


def test_no_secret_is_left_behind_by_the_main_story(
    house: House,
    database: object,
    keys: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    dsns = (database.app, database.owner)  # type: ignore[attr-defined]
    secrets = planted(house, dsns)
    arguments: set[str] = set()
    pages: list[str] = []
    with watching(arguments):
        people = house.fleet.directory()
        organization.enrol(house.desk, people, {p.id: PASSWORD for p in people.people})
        settings = Settings(messenger_token=TOKEN, home=tmp_path)
        browser = Browser(create_app(house.desk, settings), raise_server_exceptions=False)
        house.fleet.fault("lock-chain")
        post = {"token": TOKEN, "post_id": "p1", "channel_name": "방", "user_name": "장하늘"}
        answer = browser.post("/intake/mattermost", json={**post, "text": TEXT})
        assert answer.status_code == 200
        sr_id = int(answer.json()["text"].split("SR-")[1].split()[0])
        house.work()
        lead = house.person("team_lead").id
        signed = browser.fill("/login", "/login", account=lead, password=PASSWORD)
        assert signed.status_code == 303
        pages += [browser.see(at).text for at in ("/issues", f"/issues/{sr_id}", "/docs")]
        house.decide(sr_id)
        house.work()
        assert house.state(sr_id) is State.COMPLETED
        pages += [browser.see(f"/issues/{sr_id}").text, answer.text, signed.text]
    assert any(TEXT in page for page in pages)
    stored = tables(database.superuser)  # type: ignore[attr-defined]
    assert TEXT in stored["public.tb_sr_request"]
    written = capfd.readouterr()
    places = {
        **{f"table {name}": rows for name, rows in stored.items()},
        "log": caplog.text + written.out + written.err,
        "pages": "\n".join(pages),
        "arguments": "\n".join(arguments),
        "credential store": "".join(p.read_text("latin-1") for p in keys.iterdir()),
    }
    assert house.fleet.credential()[0] in {p.name for p in keys.iterdir()}
    assert {place: found for place, text in places.items() if (found := leaks(secrets, text))} == {}
    assert FileKeys(keys).get(house.fleet.credential()[0]) == house.fleet.credential()[1]
