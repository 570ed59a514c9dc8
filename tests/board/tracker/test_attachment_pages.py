"""Files of an issue are downloads for those who may see it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from board_env import BoardEnv
from fastapi import FastAPI
from page_env import PageClient

from guardia.board.artifacts import records
from guardia.board.artifacts.attachments import NewAttachment, add_attachments, digest_of
from guardia.board.artifacts.blob_store import BlobStore

CONTENT = b"<script>alert(1)</script>"


def attach(env: BoardEnv, app: FastAPI, home: Path) -> BlobStore:
    """Give a new issue a file whose name and type are hostile, and one without content."""
    app.state.settings = app.state.settings.model_copy(update={"artifacts": home})
    store = BlobStore.of(app.state.settings)
    env.create_issue()
    digest = digest_of(CONTENT)
    files = (
        NewAttachment("<b>보고서.html", "text/html", 25, digest, CONTENT),
        NewAttachment("명단.xlsx", "application/zip", 9, digest, None, "personal"),
    )
    for _ in range(2):  # as for a mail that is delivered twice
        add_attachments(env.board, store, 1, "mail:1", files)
    return store


@pytest.mark.slow
def test_a_file_is_a_download_and_never_a_page(
    app: FastAPI, web_env: BoardEnv, sign_in_as: Callable[[str], PageClient], tmp_path: Path
) -> None:
    store = attach(web_env, app, tmp_path)
    browser = sign_in_as("eng")
    page = browser.get_page("/issues/1").text
    assert page.count("/issues/1/attachments/") == 1
    assert "&lt;b&gt;보고서.html" in page and "<b>보고서" not in page and "명단.xlsx" in page
    answer = browser.get_page("/issues/1/attachments/1")
    assert answer.status_code == 200 and answer.content == CONTENT
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"] == (
        f"attachment; filename*=utf-8''{quote('<b>보고서.html')}"
    )
    assert browser.get_page("/issues/1/attachments/2").status_code == 409
    assert browser.get_page("/issues/1/attachments/3").status_code == 404
    records.collect_garbage(web_env.board, store)
    assert browser.get_page("/issues/1/attachments/1").content == CONTENT


def test_for_an_outsider_there_is_no_file(
    app: FastAPI,
    web_env: BoardEnv,
    sign_in_as: Callable[[str], PageClient],
    anonymous: PageClient,
    tmp_path: Path,
) -> None:
    attach(web_env, app, tmp_path)
    assert sign_in_as("cus2").get_page("/issues/1/attachments/1").status_code == 404
    web_env.create_issue()
    # A file belongs to its own issue only.
    assert sign_in_as("eng").get_page("/issues/2/attachments/1").status_code == 404
    assert anonymous.get_page("/issues/1/attachments/1").status_code == 303
