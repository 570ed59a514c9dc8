"""PPTX: each slide is a page; its title is a heading."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from guardia.knowledge.loaders.archives import open_archive, require_no_macro
from guardia.knowledge.loaders.reading import damaged_if_it_fails, require_pages
from guardia.knowledge.passages import Block

_MOST_DEPTH = 20


def blocks(data: bytes, name: str = "") -> tuple[list[Block], int]:
    """Return the blocks of a presentation and the number of its slides."""
    with open_archive(data) as archive:
        require_no_macro(archive)
    from pptx import Presentation

    with damaged_if_it_fails():
        slides = Presentation(io.BytesIO(data)).slides
        require_pages(len(slides))
        found = [one for number, slide in enumerate(slides, 1) for one in _slide(slide, number)]
    return found, len(slides)


def _slide(slide: Any, page: int) -> Iterator[Block]:
    title = slide.shapes.title
    text = title.text_frame.text.strip() if title is not None else ""
    if text:
        yield Block("heading", text, level=1, page=page)
    yield from _shapes(_in_order(slide.shapes), title, page, 0)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = slide.notes_slide.notes_text_frame.text.strip()
        if notes:
            yield Block("text", notes, page=page)


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    """Return shapes as they are read: from the top, then from the left."""
    return sorted(shapes, key=lambda one: (int(one.top or 0) // 100_000, int(one.left or 0)))


def _shapes(shapes: Iterable[Any], title: Any, page: int, depth: int) -> Iterator[Block]:
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if hasattr(shape, "shapes") and depth < _MOST_DEPTH:
            yield from _shapes(_in_order(shape.shapes), None, page, depth + 1)
        elif getattr(shape, "has_table", False):
            rows = tuple(tuple(cell.text for cell in row.cells) for row in shape.table.rows)
            yield Block("table", rows=rows, page=page)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape.chart, page)
        elif getattr(shape, "has_text_frame", False) and shape.text_frame.text.strip():
            yield Block("text", "\n".join(_lines(shape.text_frame)), page=page)


def _lines(frame: Any) -> Iterator[str]:
    for paragraph in frame.paragraphs:
        if text := paragraph.text.replace("\v", "\n").strip():
            yield f"{'  ' * paragraph.level}- {text}" if paragraph.level else text


def _chart(chart: Any, page: int) -> Iterator[Block]:
    if chart.has_title and chart.chart_title.has_text_frame:
        yield Block("text", chart.chart_title.text_frame.text.strip(), page=page)
    for plot in chart.plots:
        names = ["", *(series.name for series in plot.series)]
        values = [
            (str(category), *(str(series.values[at]) for series in plot.series))
            for at, category in enumerate(plot.categories)
        ]
        yield Block("table", rows=(tuple(names), *values), page=page)
