"""Files that every page loads, joined to one for each kind: a cold page needs fewer requests."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import MappingProxyType

STATIC = Path(__file__).parent / "static"
_KRDS = "vendor/krds-uiux/resources/css"
BUNDLES = MappingProxyType(
    {
        # Behind the tokens, browsers ignore that the second file imports them.
        f"{_KRDS}/component/krds.css": (
            f"{_KRDS}/token/krds_tokens.css",
            f"{_KRDS}/component/output.css",
        ),
        "every-page.css": ("guardia.css", "keys.css", "frame.css"),
        "every-page.js": (
            "vendor/htmx.org/dist/htmx.min.js",
            "vendor/htmx-ext-sse/dist/sse.min.js",
            "passkey.js",
            "guardia.js",
            "choices.js",
            "keys.js",
        ),
    }
)
"""Their files in order, by the name under which they are served; relative addresses stay valid."""


@cache
def content(name: str) -> bytes:
    """Return a file of `static/`, or the joined files of a bundle."""
    files = BUNDLES.get(name)
    if files is None:
        return (STATIC / name).read_bytes()
    # A line of its own for each end: a file may end with a comment, or without a semicolon.
    joint = b"\n;\n" if name.endswith(".js") else b"\n"
    return joint.join((STATIC / file).read_bytes() for file in files)


@cache
def asset(path: str) -> str:
    """Return the address of a static file, with a content hash for unlimited caching."""
    return f"/static/{path}?v={hashlib.sha256(content(path)).hexdigest()[:12]}"
