"""`guardia document`: add, import folders and archives, review, list."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import command_env, invoke, output, refusal, running_worker
from document_env import PLAIN, DocumentEnv
from waiting import PATIENCE

from guardia.errors import Invalid, Refused


@pytest.fixture
def docs(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DocumentEnv]:
    with command_env(database, tmp_path / "home", monkeypatch) as env:
        yield DocumentEnv(env.board, tmp_path / "home" / "artifacts")


@pytest.mark.slow
def test_a_document_is_added_reviewed_changed_and_removed(
    docs: DocumentEnv, tmp_path: Path
) -> None:
    path = tmp_path / "점검_지침.md"
    path.write_text("# 점검\n\n서버를 점검합니다.\n", "utf-8")
    added = json.loads(
        output("document", "add", path, "--as", "eng", "--field", "WAS", "--submit", "--json")
    )
    assert added == {"number": 1, "version": 1}
    docs.read()
    assert "점검 지침" in output("document", "queue", "--as", "lead")
    assert "게시" in output("document", "publish", 1, 1, "--as", "lead")
    path.write_text("# 점검\n\n서버를 매일 점검합니다.\n", "utf-8")
    output("document", "version", 1, path, "--as", "eng", "--submit")
    docs.read()
    assert "+서버를 매일 점검합니다." in output("document", "diff", 1, 1, 2)
    assert "게시했습니다" in output("document", "publish-all", "--as", "lead")
    listed = json.loads(output("document", "list", "--field", "WAS", "--json"))
    assert [(one["number"], one["state"], one["version"]) for one in listed] == [
        (1, "PUBLISHED", 2)
    ]
    shown = json.loads(output("document", "show", 1, "--json"))
    assert "매일" in shown["body"] and shown["published"] == 2
    output("document", "edit", 1, "--as", "eng", "--title", "매일 점검", "--server", "MOF-DB-01")
    shown = json.loads(output("document", "show", 1, "--json"))["line"]
    assert (shown["title"], shown["field"], shown["institution"]) == ("매일 점검", "WAS", "MOF")
    output("document", "rate", 1, 1, "wrong", "--as", "lead", "--reason", "주기가 다름")
    listed = json.loads(output("document", "list", "--state", "stale", "--json"))
    assert [one["number"] for one in listed] == [1]
    output("document", "restore", 1, 1, "--as", "eng")
    output("document", "expire", 1, "--as", "eng")
    assert "만료" in output("document", "list", "--state", "expired")
    output("document", "remove", 1, "--as", "lead")
    assert json.loads(output("document", "list", "--json")) == []


@pytest.mark.slow
def test_what_a_document_states_is_accepted_or_refused(docs: DocumentEnv) -> None:
    text = "업무 시간에는 재기동을 금지합니다.\n\n매월 25일부터 말일까지 배포 금지.\n"
    docs.published(text, details=replace(PLAIN, institution="MOF"))
    rows = json.loads(output("document", "stated", "--as", "lead", "--json"))
    found = {one["kind"]: one["sentence_id"] for one in rows}
    accepted = output(
        *("document", "accept", found["freeze"], "--as", "lead", "--name", "month-end", "--json")
    )
    assert json.loads(accepted) == {"sentence": found["freeze"], "result": "rule:month-end"}
    assert "매월 25일부터" in output("rule", "show", "month-end")
    assert "다시 제안하지" in output("document", "refuse", found["never"], "--as", "lead")
    assert "해당하는 문장이 없습니다" in output("document", "stated", "--as", "lead")
    kept = output("document", "stated", "--as", "lead", "--state", "refused")
    assert "업무 시간에는" in kept
    refusal(Refused, "document", "accept", found["never"], "--as", "lead", "--name", "a")


@pytest.mark.slow
def test_an_archive_is_imported_with_a_report_of_bad_files(
    docs: DocumentEnv, tmp_path: Path
) -> None:
    archive = tmp_path / "문서.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for at in range(5):
            packed.writestr(f"folder/guide-{at}.md", f"# 지침 {at}\n")
        packed.writestr("folder/점검표.txt", "점검".encode("cp949"))
        packed.writestr("empty.txt", b"")
        packed.writestr("tool.exe", b"MZ")
        packed.writestr("../../outside.md", "# 밖\n")
        packed.writestr("__MACOSX/x.md", "x")
    report = tmp_path / "report.tsv"
    done = invoke("document", "import", archive, "--as", "eng", "--report", report, "--json")
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert len(found["added"]) == 7
    assert {name for name, _ in found["failed"]} == {"empty.txt", "tool.exe"}
    assert "tool.exe\t지원하지 않는 형식" in report.read_text("utf-8")
    docs.read()
    titles = {one["title"] for one in json.loads(output("document", "list", "--json"))}
    assert titles == {"점검표", "outside", *(f"guide-{at}" for at in range(5))}
    again = json.loads(invoke("document", "import", archive, "--as", "eng", "--json").output)
    assert (again["added"], again["skipped"]) == ([], 7)


@pytest.mark.slow
def test_a_folder_is_imported_without_its_links(docs: DocumentEnv, tmp_path: Path) -> None:
    folder = tmp_path / "문서"
    folder.mkdir()
    (folder / "a.md").write_text("# 하나\n", "utf-8")
    secret = tmp_path / "secret.txt"
    secret.write_text("비밀", "utf-8")
    (folder / "b.txt").symlink_to(secret)
    (folder / ".hidden.md").write_text("x", "utf-8")
    (folder / "c.docx").write_bytes(b"broken")
    found = json.loads(invoke("document", "import", folder, "--as", "eng", "--json").output)
    assert found["added"] == [1, 2] and found["unread"] == 2
    docs.read()
    refusal(Invalid, "document", "import", secret, "--as", "eng")


@pytest.mark.slow
def test_a_worker_reads_what_was_imported(docs: DocumentEnv, tmp_path: Path) -> None:
    folder = tmp_path / "문서"
    folder.mkdir()
    (folder / "a.md").write_text("# 하나\n\n서버를 점검합니다.\n", "utf-8")
    (folder / "c.docx").write_bytes(b"PK\x03\x04broken")
    with running_worker(dict(os.environ), tmp_path / "worker.log"):
        words = ("document", "import", folder, "--as", "eng", "--wait", PATIENCE, "--json")
        found = json.loads(invoke(*words).output)
    assert found["unread"] == 0 and len(found["added"]) == 2
    assert [name for name, _ in found["failed"]] == ["c.docx (2)"]
    assert "서버를 점검합니다." in output("document", "show", 1, "--text")
