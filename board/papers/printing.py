"""Write a paper as an HTML page of its own, which a browser prints on A4 or saves as PDF."""

from __future__ import annotations

from markupsafe import Markup

from guardia.board.papers.paper import Paper
from guardia.board.web import render


def as_html(paper: Paper) -> str:
    """Return the paper as one file that needs no other."""
    css = (render.STATIC / "paper.css").read_text("utf-8")
    template = render.environment().get_template("papers/print.html")
    return str(template.render(paper=paper, css=Markup(css), back=""))
