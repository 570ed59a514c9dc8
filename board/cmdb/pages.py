"""Pages of servers: the list, a server, and the way from an address to an enrolled server."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response

from guardia.board.cmdb import forms, host_keys, readings, server_list, servers
from guardia.board.cmdb.readings import Reading
from guardia.board.core.context import BoardContext
from guardia.board.web import actions, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.form_texts import form_texts
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Stale
from guardia.org import host_key
from guardia.org.access import require_permission
from guardia.org.directory import Facts, Host, Service
from guardia.text import CLEANED, FOLDED, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

KINDS = ("WEB", "WAS", "DB", "SECURITY")
_ServerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"), FOLDED]
_ReadingId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Word = Annotated[str, Query(max_length=100), FOLDED]
_FormReason = Annotated[Reason, Form()]
_FormKey = Annotated[str, Form(max_length=2000), CLEANED]
_Texts = Annotated[dict[str, str], Depends(form_texts(forms.MAX_SERVICES * 24, 2000))]


@router.get("/servers")
def show_list(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    *,
    institution: _Word = "",
    kind: _Word = "",
    text: _Word = "",
    blocked: bool = False,
    after: _Word = "",
    before: _Word = "",
) -> Response:
    """Show one page of the servers."""
    wanted = server_list.ServerFilter(institution, kind, text, blocked)
    page = server_list.servers(
        board, visitor.person, wanted, after=after or None, before=before or None
    )
    query = {"institution": institution, "kind": kind, "text": text}
    query |= {"blocked": "true"} if blocked else {}
    return render.page(
        request,
        "cmdb/servers.html",
        visitor=visitor,
        page=page,
        query={name: value for name, value in query.items() if value},
        kinds=KINDS,
    )


@router.get("/servers/new")
def new_server(
    request: Request, board: BoardDep, visitor: CurrentVisitor, institution: _Word = ""
) -> Response:
    """Show the form that begins an enrolment."""
    require_permission(visitor.person, servers.EDIT)
    return _new_page(request, board, visitor, {"institution": institution, "port": "22"})


@router.post("/servers/new")
def begin_enrolment(
    request: Request, board: BoardDep, visitor: CurrentVisitor, texts: _Texts
) -> Response:
    """Ask a worker for the host key of a new server."""

    def act() -> int:
        host = forms.parse_host(texts)
        servers.require_new(board, visitor.person, host)
        return readings.ask(board, visitor.person, "key", host)

    return actions.submit(
        request,
        act,
        on_success=lambda number: f"/servers/readings/{number}",
        on_refusal=partial(_new_page, request, board, visitor, texts),
    )


@router.get("/servers/readings/{reading_id}")
def show_reading(
    request: Request, board: BoardDep, visitor: CurrentVisitor, reading_id: _ReadingId
) -> Response:
    """Show a step of an enrolment."""
    return _reading_page(request, board, visitor, reading_id)


@router.get("/servers/readings/{reading_id}/live")
def refresh_reading(
    request: Request, board: BoardDep, visitor: CurrentVisitor, reading_id: _ReadingId
) -> Response:
    """Render the step again while it runs."""
    reading = readings.get(board, visitor.person, reading_id)
    words = _reading_words(reading)
    return render.page(request, "cmdb/parts/reading.html", visitor=visitor, **words)


@router.post("/servers/readings/{reading_id}/key")
def confirm_new_key(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    reading_id: _ReadingId,
    key: _FormKey,
) -> Response:
    """Pin the key whose fingerprint the page showed, and ask for a probe."""

    def act() -> int:
        reading = readings.get(board, visitor.person, reading_id)
        pinned = host_key.normalized(key)
        if reading.result.get("key") != pinned:
            raise Stale(what=reading.server_id)
        host = reading.host.model_copy(update={"host_key": pinned})
        return readings.ask(board, visitor.person, "probe", host)

    return actions.submit(
        request,
        act,
        on_success=lambda number: f"/servers/readings/{number}",
        on_refusal=partial(_reading_page, request, board, visitor, reading_id),
    )


@router.post("/servers/readings/{reading_id}/accept")
def accept(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    reading_id: _ReadingId,
    texts: _Texts,
) -> Response:
    """Enrol the server with the services that the person has accepted or edited."""

    def act() -> str:
        reading = readings.get(board, visitor.person, reading_id)
        if reading.what != "probe" or reading.state != "done":
            raise Stale(what=reading.server_id)
        host = reading.host.model_copy(
            update={
                "kind": texts.get("kind", "").strip() or reading.host.kind,
                "facts": Facts.model_validate(reading.result["facts"]),
                "services": forms.parse_services(texts, _proposed(reading)),
            }
        )
        servers.enrol(board, visitor.person, host)
        return f"/servers/{host.server_id}"

    again = partial(_reading_page, request, board, visitor, reading_id, texts=texts)
    return actions.submit(request, act, on_success=str, on_refusal=again)


@router.get("/servers/{server_id}")
def show_server(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    server_id: _ServerId,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Show a server."""
    return _server_page(request, board, visitor, server_id, before=before)


@router.get("/servers/{server_id}/live")
def refresh_server(
    request: Request, board: BoardDep, visitor: CurrentVisitor, server_id: _ServerId
) -> Response:
    """Render the reads of a server again while one of them runs."""
    words = _server_words(board, visitor, server_id)
    return render.page(request, "cmdb/parts/reads.html", visitor=visitor, **words)


@router.post("/servers/{server_id}/reads")
def ask_reading(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    server_id: _ServerId,
    what: Annotated[Literal["key", "probe", "check"], Form()],
) -> Response:
    """Ask a worker to read the server."""

    def act() -> object:
        host, _ = server_list.server(board, visitor.person, server_id)
        return readings.ask(board, visitor.person, what, host)

    again = partial(_server_page, request, board, visitor, server_id)
    return actions.submit(request, act, on_success=f"/servers/{server_id}", on_refusal=again)


@router.post("/servers/{server_id}/key")
def confirm_changed_key(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    server_id: _ServerId,
    key: _FormKey,
    reason: _FormReason = "",
) -> Response:
    """Pin a new host key and end the block."""
    return actions.submit(
        request,
        lambda: host_keys.confirm(board, visitor.person, server_id, key, reason),
        on_success=f"/servers/{server_id}",
        on_refusal=partial(_server_page, request, board, visitor, server_id, reason=reason),
    )


@router.get("/servers/{server_id}/edit")
def edit_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, server_id: _ServerId
) -> Response:
    """Show the form of a server."""
    require_permission(visitor.person, servers.EDIT)
    return _edit_page(request, board, visitor, server_id)


@router.post("/servers/{server_id}/edit")
def edit_server(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    server_id: _ServerId,
    texts: _Texts,
) -> Response:
    """Change a server as the form says."""

    def act() -> object:
        host, _ = server_list.server(board, visitor.person, server_id)
        given = forms.parse_host({**texts, "server_id": server_id})
        names = ("institution", "kind", "address", "port", "account", "credential")
        changes: dict[str, Any] = {name: getattr(given, name) for name in names}
        changes["aliases"] = forms.parse_aliases(texts.get("aliases", ""))
        services = forms.parse_services(texts, host.services)
        changes["services"] = [service.model_dump() for service in services]
        seen = texts.get("seen", "")
        return servers.edit(board, visitor.person, server_id, changes, seen=seen)

    again = partial(_edit_page, request, board, visitor, server_id, texts=texts)
    return actions.submit(request, act, on_success=f"/servers/{server_id}", on_refusal=again)


@router.post("/servers/{server_id}/remove")
def remove_server(
    request: Request, board: BoardDep, visitor: CurrentVisitor, server_id: _ServerId
) -> Response:
    """Remove a server."""
    return actions.submit(
        request,
        lambda: servers.remove(board, visitor.person, server_id),
        on_success="/servers",
        on_refusal=partial(_server_page, request, board, visitor, server_id),
    )


def _proposed(reading: Reading) -> tuple[Service, ...]:
    found = reading.result.get("proposals", ())
    return tuple(Service.model_validate(one["service"]) for one in found)


def _reading_words(reading: Reading, texts: dict[str, str] | None = None) -> dict[str, Any]:
    whys = [one["why"] for one in reading.result.get("proposals", ())]
    rows = [forms.service_fields(service) for service in _proposed(reading)]
    for number, row in enumerate(rows):
        row["keep"] = "on"
        if texts is not None:
            row |= {name: texts.get(f"s{number}-{name}", "") for name in (*row, "keep")}
    return {
        "reading": reading,
        "rows": list(zip(rows, whys, strict=True)),
        "kind": (texts or {}).get("kind") or reading.result.get("kind") or reading.host.kind,
        "kinds": KINDS,
    }


def _reading_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    reading_id: int,
    *,
    texts: dict[str, str] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    reading = readings.get(board, visitor.person, reading_id)
    return render.page(
        request,
        "cmdb/reading.html",
        status=status,
        visitor=visitor,
        notice=notice,
        **_reading_words(reading, texts),
    )


def _new_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    texts: dict[str, str],
    *,
    status: int = 200,
    notice: str = "",
) -> Response:
    rows, _ = server_list.institutions(board, visitor.person, size=2000)
    return render.page(
        request,
        "cmdb/server_new.html",
        status=status,
        visitor=visitor,
        form=texts,
        institutions=[row.institution for row in rows],
        kinds=KINDS,
        notice=notice,
    )


def _server_words(
    board: BoardContext, visitor: Visitor, server_id: str, before: int | None = None
) -> dict[str, Any]:
    host, institution = server_list.server(board, visitor.person, server_id)
    found = readings.latest(board, visitor.person, server_id)
    return {
        "host": host,
        "institution": institution,
        "fingerprint": host_key.fingerprint(host.host_key) if host.host_key else "",
        "probe": found.get("probe"),
        "check": found.get("check"),
        "scan": found.get("key"),
        "is_waiting": any(not reading.is_over for reading in found.values()),
        "history": server_list.history(board, visitor.person, server_id, before=before),
        "reason_text": "",
    }


def _server_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    server_id: str,
    *,
    before: int | None = None,
    reason: str = "",
    status: int = 200,
    notice: str = "",
) -> Response:
    words = {**_server_words(board, visitor, server_id, before), "reason_text": reason}
    return render.page(
        request, "cmdb/server.html", status=status, visitor=visitor, notice=notice, **words
    )


def _edit_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    server_id: str,
    *,
    texts: dict[str, str] | None = None,
    status: int = 200,
    notice: str = "",
) -> Response:
    host, _ = server_list.server(board, visitor.person, server_id)
    rows, _ = server_list.institutions(board, visitor.person, size=2000)
    return render.page(
        request,
        "cmdb/server_edit.html",
        status=status,
        visitor=visitor,
        host=host,
        form=texts or _host_fields(host),
        rows=_edit_rows(host, texts),
        institutions=[row.institution for row in rows],
        kinds=KINDS,
        notice=notice,
    )


def _host_fields(host: Host) -> dict[str, str]:
    names = ("institution", "kind", "address", "account", "credential")
    return {
        **{name: getattr(host, name) for name in names},
        "port": str(host.port),
        "aliases": ", ".join(host.aliases),
        "seen": servers.version_of(host),
    }


def _edit_rows(host: Host, texts: dict[str, str] | None) -> list[tuple[dict[str, str], str]]:
    """Return the services of a server as fields, and an empty one to add."""
    rows = [{**forms.service_fields(s), "keep": "on"} for s in host.services]
    rows.append({**forms.service_fields(Service(name="", kind="http")), "keep": "", "product": ""})
    for number, row in enumerate(rows):
        if texts is not None:
            row |= {name: texts.get(f"s{number}-{name}", "") for name in row}
    return [(row, "") for row in rows]
