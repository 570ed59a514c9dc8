"""Requests with hostile values in every place of every route, and an ASGI client that sends them.

The client hands bytes to the application as a server would: nothing is corrected on the way.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, params
from fastapi.routing import APIRoute

DEEP = 30_000
TEXTS: dict[str, str] = {
    "NUL": "a\x00b",
    "only NUL": "\x00",
    "surrogate": "\ud800",
    "pair of surrogates": "\udfff\ud800",
    "noncharacter": "\uffff\U0010ffff",
    "invisible": "\u200b\u3164\U000e0041",
    "directions": "\u202e\u2066",
    "stacked marks": "a" + "\u0315\u0300\u05ae" * 3000,
    "many digits": "9" * 6000,
    "beyond bigint": str(2**63),
    "bigint": str(2**63 - 1),
    "below bigint": str(-(2**63) - 1),
    "superscript": "²",
    "full width": "１２",  # noqa: RUF001
    "arabic digits": "١٢",
    "separated digits": "1_000",
    "infinite": "1e999",
    "not a number": "NaN",
    "minus": "-1",
    "zero": "0",
    "float": "1.5",
    "true": "true",
    "null": "null",
    "list": "[1]",
    "deep list": "[" * DEEP,
    "object": '{"a": 1}',
    "year 10000": "10000-01-01",
    "year 0": "0000-00-00T00:00",
    "edge of time": "9999-12-31T23:59:59-14:00",
    "start of time": "0001-01-01T00:00:00+14:00",
    "percent": "%",
    "percents": "%s%d%(a)s%%",
    "braces": "{0}{a}{a.__class__}",
    "path": "../../etc/passwd",
    "address": "//evil.example/",
    "lines": "a\r\nset-cookie: b=c",
    "quotes": "'\"`;--",
    "like": "%_\\",
    "long": "가" * 70_000,
    "empty": "",
    "blank": " \t\n",
    "resident number": "900101-1234567",
}
"""Values for a field, a part of a path, a header or a cookie."""
BODIES: dict[str, bytes] = {
    "deep list": b"[" * DEEP + b"]" * DEEP,
    "deep object": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep field": b'{"reason":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "open": b"[" * DEEP,
    "huge number": b'{"reason": ' + b"9" * 6000 + b', "task": ' + b"9" * 6000 + b"}",
    "bare huge number": b"9" * 6000,
    "infinite": b'{"reason": 1e999, "task": Infinity, "a": NaN}',
    "surrogate": b'{"reason": "\\ud800", "text": "\\ud800", "token": "\\ud800", "post_id": "1"}',
    "surrogate key": b'{"\\ud800": 1}',
    "NUL": b'{"reason": "\\u0000", "text": "\\u0000", "token": "\\u0000", "post_id": "\\u0000"}',
    "duplicate keys": b'{"reason": "a", "reason": {"b": 1}, "token": "a", "token": ["b"]}',
    "not UTF-8": b'{"reason": "\xff\xfe", "token": "\xed\xa0\x80"}',
    "UTF-16": '{"reason": "a"}'.encode("utf-16"),
    "UTF-32": '{"reason": "a"}'.encode("utf-32"),
    "mark": b"\xef\xbb\xbf{}",
    "list": b"[1, 2]",
    "text": b'"a"',
    "null": b"null",
    "number": b"1",
    "cut": b'{"reason": "a',
    "bytes": bytes(range(256)),
    "empty": b"",
    "percents": b"%zz=%&a=%f&reason=%ff%00&account=%ed%a0%80&body=%u0000",
    "separators": b"&;&=&&==;",
    "many fields": b"&".join(b"f%d=1" % n for n in range(3000)),
    "repeated fields": b"&".join(b"reason=1" for _ in range(900)),
}
CONTENT_TYPES: dict[str, str] = {
    "json": "application/json",
    "odd json": "application/json; charset=\xff\x00",
    "own json": "application/vnd.x+json; charset=utf-16",
    "form": "application/x-www-form-urlencoded",
    "odd form": "application/x-www-form-urlencoded; charset=nonsense",
    "multipart without boundary": "multipart/form-data",
    "multipart with empty boundary": "multipart/form-data; boundary=",
    "multipart with odd boundary": "multipart/form-data; boundary=\xff\xfe",
    "text": "text/plain",
    "nonsense": ";;;=\x00",
    "none": "",
}
_PART = b'--b\r\ncontent-disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
MULTIPART: dict[str, bytes] = {
    "cut": b'--b\r\ncontent-disposition: form-data; name="reason"\r\n\r\na',
    "no name": b"--b\r\ncontent-disposition: form-data\r\n\r\na\r\n--b--\r\n",
    "no disposition": b"--b\r\n\r\na\r\n--b--\r\n",
    "a file as a text": _PART % (b"reason", b'; filename="a"', b"a") + b"--b--\r\n",
    "odd names": _PART % (b"\xff\x00", b'; filename="\xff"', b"\x00\xff") + b"--b--\r\n",
    "odd encoding": b'--b\r\ncontent-disposition: form-data; name="reason"\r\n'
    b"content-type: text/plain; charset=nonsense\r\n\r\n\xff\r\n--b--\r\n",
    "many parts": _PART % (b"a", b"", b"b") * 1500 + b"--b--\r\n",
    "huge header": b"--b\r\nx: " + b"a" * 100_000 + b"\r\n\r\na\r\n--b--\r\n",
    "not of it": b"\r\n" * 1000,
}
HEADERS: dict[str, str] = {
    "authorization": "Bearer \xff\x00",
    "authorization ": "token guardia_" + "\xe9" * 300,
    "authorization  ": "Bearer guardia_pat_" + "9" * 5000,
    "cookie": "guardia_session=\xff\xfe\x00; guardia_visit=\xed\xa0\x80; guardia_lang=\x00",
    "cookie ": "; ".join(f"c{n}=\xe9" for n in range(2000)),
    "cookie  ": "=;;=guardia_session;guardia_session==;$Version=1;guardia_lang=xx",
    "accept": "\xff",
    "accept-language": "\xff;q=\x00,ko;q=9e999,;;;,en-" + "a" * 5000,
    "x-csrf-token": "\xff\x00",
    "hx-request": "\xff",
    "sec-fetch-site": "\x00",
    "if-none-match": "\xff",
    "range": "bytes=9-1,-99999999999999999999999",
    "host": "\xff:99999999999",
    "x-forwarded-for": "\xff, 999.999.999.999",
    "content-length": "99999999999999999999",
    "last-event-id": "\xff",
}


@dataclass(frozen=True)
class HostileRequest:
    """One request as bytes, and where its hostile value is."""

    method: str
    route: str
    place: str
    value: str
    path: str
    query: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def __str__(self) -> str:
        return f"{self.method} {self.route} [{self.place}: {self.value}]"

    @property
    def is_drawn(self) -> bool:
        """Whether it is one of those that are sent where many routes read alike."""
        return self.is_one_of(_SPREAD)

    def is_one_of(self, many: int) -> bool:
        """Whether it is drawn as one of so many."""
        return zlib.crc32(str(self).encode("utf-8", "replace")) % many == 0


_SPREAD = 100
"""What many routes read alike is tried in each by one request in so many."""
_OF_A_NAME = 3
"""A field of a known type with a new name gets one value in so many."""


@dataclass
class Answer:
    """What the application sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def routes(app: Any) -> Iterator[APIRoute]:
    """Every route of an application, those of included routers as well."""
    for route in app.routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from routes(inner)
        elif isinstance(route, APIRoute):
            yield route


def requests_for(app: FastAPI) -> list[HostileRequest]:
    """The requests that the tables above give for the routes of `app`.

    Each type of field gets every value in one route, each name a part of them. What further routes
    read in the same way is spread (a field of the same name and type, headers, unknown fields,
    bodies that are no form of theirs): a route gets some, a value meets many routes.
    """
    seen: set[str] = set()
    return [one for route in routes(app) for one in _of_route(route, seen)]


def _of_route(route: APIRoute, seen: set[str]) -> Iterator[HostileRequest]:
    fields = _Fields.of(route)
    own: dict[str, int] = {}
    for place, type_ in fields.types():
        if type_ not in seen:
            own[place] = 1
        elif f"{place} {type_}" not in seen:
            own[place] = _OF_A_NAME
        seen |= {type_, f"{place} {type_}"}
    for method in sorted(route.methods or ()):
        plain = HostileRequest(method, route.path, "", "", _path(route.path))
        for one in _with_values(plain, fields):
            if one.is_drawn or (one.place in own and one.is_one_of(own[one.place])):
                yield one


@dataclass(frozen=True)
class _Fields:
    """What a route reads by name, with types."""

    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, str]
    encoding: str
    """How its body is encoded: `form` or `json`."""

    @classmethod
    def of(cls, route: APIRoute) -> _Fields:
        found = list(_dependants(route.dependant))
        body = [f for d in found for f in d.body_params]
        form = any(isinstance(f.field_info, params.Form) for f in body)
        return cls(
            {f.alias: _type(f) for d in found for f in d.path_params},
            {f.alias: _type(f) for d in found for f in d.query_params},
            {f.alias: _type(f) for f in body},
            "form" if form else "json",
        )

    def types(self) -> Iterator[tuple[str, str]]:
        """Each place of a value and the type of its field there."""
        named = (("path", self.path), ("query", self.query), (self.encoding, self.body))
        for where, fields in named:
            for name, type_ in fields.items():
                yield f"{where} {name}", f"{where} {type_}"


def _dependants(dependant: Any) -> Iterator[Any]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _dependants(inner)


def _type(field: Any) -> str:
    return f"{field.field_info.annotation} {field.field_info.metadata}"


def _with_values(plain: HostileRequest, fields: _Fields) -> Iterator[HostileRequest]:
    for name in re.findall(r"{(\w+)", plain.route):
        for value, text in TEXTS.items():
            path = _path(plain.route, {name: text})
            yield replace(plain, place=f"path {name}", value=value, path=path)
    for name in (*fields.query, "lang", "unknown"):
        for value, text in TEXTS.items():
            yield replace(plain, place=f"query {name}", value=value, query=_pair(name, text))
    for value in ("%", "%zz", "%ff", "%00=%00", "&&==", "a" * 9000, "lang=%ed%a0%80"):
        yield replace(plain, place="query", value=value[:10], query=value)
    for name, text in HEADERS.items():
        header = (name.strip().encode(), text.encode("latin-1"))
        yield replace(plain, place="header", value=name, headers=(header,))
    if plain.method != "GET":
        yield from _bodies(plain, list(fields.body))


def _bodies(plain: HostileRequest, names: list[str]) -> Iterator[HostileRequest]:
    form, as_json = _content(CONTENT_TYPES["form"]), _content(CONTENT_TYPES["json"])
    for name in names:
        for value, text in TEXTS.items():
            others = "&".join(_pair(other, "1") for other in names if other != name)
            body = f"{_pair(name, text)}&{others}".encode()
            yield replace(plain, place=f"form {name}", value=value, headers=form, body=body)
            encoded = json.dumps({**dict.fromkeys(names, "1"), name: text}).encode()
            yield replace(plain, place=f"json {name}", value=value, headers=as_json, body=encoded)
    for kind, content_type in CONTENT_TYPES.items():
        for value, body in BODIES.items():
            headers = _content(content_type)
            yield replace(plain, place=f"body as {kind}", value=value, headers=headers, body=body)
    for value, body in MULTIPART.items():
        headers = _content("multipart/form-data; boundary=b")
        yield replace(plain, place="multipart", value=value, headers=headers, body=body)


def _path(pattern: str, values: dict[str, str] | None = None) -> str:
    known = values or {}
    return re.sub(r"{(\w+)(?::\w+)?}", lambda m: known.get(m[1], "1"), pattern)


def _pair(name: str, text: str) -> str:
    return f"{name}={quote(text.encode('utf-8', 'surrogatepass'), safe='')}"


def _content(content_type: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"content-type", content_type.encode("latin-1")),) if content_type else ()


class RawClient:
    """Calls an ASGI application with requests as they are."""

    def __init__(self, app: FastAPI, *headers: tuple[bytes, bytes]) -> None:
        self._app = app
        self._headers = headers

    def send_all(
        self, found: list[HostileRequest], judge: Callable[[HostileRequest, Answer], str]
    ) -> list[str]:
        """Return what `judge` says of each answer, without empty texts.

        An unhandled error is an answer with status 599.
        """

        async def run() -> list[str]:
            said = [judge(one, await self._send(one)) for one in found]
            return [text for text in said if text]

        return asyncio.run(run())

    async def _send(self, one: HostileRequest) -> Answer:
        own = {name for name, _ in one.headers}
        headers = [h for h in self._headers if h[0] not in own]
        answer, parts = Answer(), [one.body]

        async def receive() -> dict[str, Any]:
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {
                    k.decode("latin-1").lower(): v.decode("latin-1") for k, v in message["headers"]
                }
            else:
                answer.body += message.get("body", b"")

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": one.method,
            "scheme": "http",
            # As uvicorn does: what is no UTF-8 is replaced, a surrogate as well.
            "path": one.path.encode("utf-8", "replace").decode("utf-8"),
            "raw_path": quote(one.path.encode("utf-8", "surrogatepass"), safe="/").encode(),
            "root_path": "",
            "query_string": one.query.encode("ascii", "replace"),
            "headers": [*headers, *one.headers],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "app": self._app,
        }
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            answer.status = 599
            answer.body += f"{type(error).__name__}: {error}"[:300].encode("utf-8", "replace")
        return answer
