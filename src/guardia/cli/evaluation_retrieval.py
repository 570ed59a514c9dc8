"""`guardia eval retrieval`: how well questions find the passages that answer them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guardia.cli import evaluation_commands
from guardia.cli.evaluation import show
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.knowledge.retrieval.evaluation import Example
    from guardia.knowledge.retrieval.searcher import Searcher

app = evaluation_commands.app


@app.command("retrieval", help=t("retrieval.cli.help"))
def retrieval(
    questions: Annotated[Path, typer.Argument(help=t("retrieval.cli.questions"))],
    passages: Annotated[Path, typer.Option(help=t("retrieval.cli.passages"))],
    *,
    as_json: Annotated[bool, typer.Option("--json", help=t("cli.eval.json"))] = False,
    words: Annotated[bool, typer.Option("--words", help=t("retrieval.cli.words"))] = False,
) -> None:
    """Measure the search on a file of questions and a file of passages."""
    from guardia.knowledge.retrieval.evaluation import evaluate

    texts = _passages(passages)
    keys = {name: number for number, name in enumerate(texts)}
    examples = [_example(questions, *line, keys) for line in _lines(questions)]
    show(evaluate(_searcher(texts, words=words), examples), as_json=as_json)


def _searcher(texts: dict[str, str], *, words: bool) -> Searcher:
    from guardia.knowledge.retrieval.loading import load_encoder
    from guardia.knowledge.retrieval.searcher import Searcher, entry_of

    encoder = None if words else load_encoder(Settings().search_model)
    vectors = list(encoder.passages(list(texts.values()))) if encoder and texts else None
    return Searcher(
        [
            entry_of(number, 0, text, None if vectors is None else vectors[number])
            for number, text in enumerate(texts.values())
        ],
        encoder,
    )


def _passages(path: Path) -> dict[str, str]:
    """Return the searched text of each passage by its id."""
    texts: dict[str, str] = {}
    for number, line in _lines(path):
        name, text = line.get("id"), line.get("text")
        if not isinstance(name, str) or not isinstance(text, str):
            raise Invalid(what=f"{path}:{number}", why=t("retrieval.cli.bad_passage"))
        if name in texts:
            raise Invalid(what=f"{path}:{number}", why=t("retrieval.cli.same_id", id=name))
        texts[name] = "\n".join(part for part in (str(line.get("title") or ""), text) if part)
    return texts


def _example(path: Path, number: int, line: dict[str, Any], keys: dict[str, int]) -> Example:
    from guardia.knowledge.retrieval.evaluation import Example

    question, relevant = line.get("query"), line.get("relevant") or []
    if not isinstance(question, str) or not isinstance(relevant, list):
        raise Invalid(what=f"{path}:{number}", why=t("retrieval.cli.bad_question"))
    missing = [name for name in relevant if name not in keys]
    if missing:
        raise Invalid(what=f"{path}:{number}", why=t("retrieval.cli.no_passage", id=missing[0]))
    style = str(line.get("style") or "-")
    return Example(question, style, frozenset(keys[name] for name in relevant))


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Return the lines of a JSON Lines file. Raises `Invalid` with the line that is wrong."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise Invalid(what=f"{path}:{number}", why=str(error)) from error
        if not isinstance(value, dict):
            raise Invalid(what=f"{path}:{number}", why=t("retrieval.cli.bad_question"))
        found.append((number, value))
    return found
