"""Published documents for tests of the search: rows as the use cases leave them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from board_env import BoardEnv
from waiting import wait_until

from guardia.board.artifacts.model import Blob
from guardia.board.knowledge.model import Document, DocumentVersion, Passage
from guardia.board.search import questions
from guardia.heartbeat.search_threads import SearchThreads
from guardia.knowledge.passages import Block, cut
from guardia.settings import Settings

CERTIFICATE = (
    "인증서 갱신 절차",
    "만료 30일 전에 새 인증서를 발급받아 개인키와 짝이 맞는지 확인합니다. "
    "웹서버에 올린 뒤 설정을 다시 읽습니다. 재기동은 하지 않습니다.",
)
DISK = (
    "디스크 사용률 정리",
    "df로 찬 파티션을 찾고 du로 큰 디렉터리를 좁힙니다. 열린 로그 파일은 지우지 말고 비웁니다.",
)
BACKUP = (
    "백업 실패 조치",
    "야간 백업이 실패하면 오류 코드를 보고 매체 공간을 확인한 뒤 다시 실행합니다.",
)


def publish(env: BoardEnv, title: str, text: str, **more: Any) -> int:
    """Publish a document with a heading and a text; return its number."""
    now = env.board.clock()
    sha256 = hashlib.sha256(f"{title}{text}{now}".encode()).hexdigest()
    with env.board.database.transaction() as session:
        session.add(Blob(sha256=sha256, size=1, created_at=now))
        words: dict[str, Any] = {"audience": "all", "state": "PUBLISHED", **more}
        document = Document(
            title=title, created_by="person:eng", created_at=now, updated_at=now, **words
        )
        session.add(document)
        session.flush()
        version = _version(document.document_id, sha256, now)
        session.add(version)
        session.flush()
        for one in cut([Block("heading", "절차", 1), Block("text", text)]):
            session.add(
                Passage(
                    version_id=version.version_id,
                    ordinal=one.ordinal,
                    heading_path=list(one.heading_path),
                    text=one.text,
                    sha256=one.sha256,
                )
            )
        document.published_id = version.version_id
        return document.document_id


def change(env: BoardEnv, number: int, **words: Any) -> None:
    """Change what is said about a document."""
    with env.board.database.transaction() as session:
        document = session.get_one(Document, number)
        for name, value in words.items():
            setattr(document, name, value)
        document.updated_at = document.updated_at + timedelta(seconds=1)


@contextmanager
def searching(env: BoardEnv, home: Path) -> Iterator[SearchThreads]:
    """Run the threads that answer; at the start everything published is indexed."""
    with SearchThreads(Settings(home=home), env.board, threading.Event(), 0.1) as threads:
        assert wait_until(lambda: questions.has_worker(env.board))
        yield threads


def _version(document_id: int, sha256: str, now: datetime) -> DocumentVersion:
    return DocumentVersion(
        document_id=document_id,
        number=1,
        sha256=sha256,
        size=1,
        file_name="a.md",
        reading="READ",
        review="PUBLISHED",
        author="person:eng",
        created_at=now,
    )
