"""Forms whose fields a route does not know: their texts are clean, bounded, and no files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from guardia.board.web.form_texts import form_texts

app = FastAPI()


@app.post("/read")
def read(texts: Annotated[dict[str, str], Depends(form_texts(3, 5))]) -> dict[str, str]:
    return texts


def test_texts_are_clean_and_cut_and_files_are_none() -> None:
    found = TestClient(app).post(
        "/read", data={"a": "한글\x07입니다요", "b": "x"}, files={"f": ("f.txt", b"text")}
    )
    assert found.json() == {"a": "한글입니다", "b": "x"}


def test_more_fields_than_the_form_can_have_are_refused() -> None:
    found = TestClient(app).post("/read", data=dict.fromkeys("abcd", ""))
    assert found.status_code == 400
