"""Show a template as a paper: each fact by its name."""

from __future__ import annotations

from guardia.board.papers.composing import compose
from guardia.board.papers.paper import Paper, PaperFacts, Value
from guardia.board.papers.template import PaperTemplate
from guardia.board.papers.vocabulary import LISTS, VALUES

_ROWS = 2


def preview(template: PaperTemplate) -> Paper:
    """Return a paper whose values are the names of its facts."""
    values: dict[str, Value] = {name: f"[{name}]" for name in VALUES[template.kind]}
    lists: dict[str, list[dict[str, Value]]] = {
        name: [{column: f"[{column}]" for column in columns} for _ in range(_ROWS)]
        for name, columns in LISTS[template.kind].items()
    }
    return compose(template, PaperFacts("", values, lists))
