"""Write a paper as an HTML file of its own, which a browser prints on A4 or saves as PDF."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup

from guardia.board.papers.paper import Paper

_TEMPLATES = Path(__file__).with_name("templates")
_STYLE = Path(__file__).parents[1] / "web" / "static" / "paper.css"


def as_html(paper: Paper) -> str:
    """Return the paper as one file that needs no other."""
    css = Markup(_STYLE.read_text("utf-8"))
    return _environment().get_template("papers/print.html").render(paper=paper, css=css)


@cache
def _environment() -> Environment:
    # The command line writes this file too, without the stack of the pages.
    return Environment(
        loader=PrefixLoader({"papers": FileSystemLoader(_TEMPLATES)}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
