"""Forms of documents: write, upload, edit, details, preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Path, Request, Response, UploadFile
from fastapi.responses import HTMLResponse

from guardia.board.artifacts.blob_store import BlobStore
from guardia.board.core.context import BoardContext
from guardia.board.knowledge import attached, contents, forms, policy, records, view
from guardia.board.knowledge.forms import EnteredDetails
from guardia.board.knowledge.pages import document_page
from guardia.board.knowledge.records import NewFile
from guardia.board.web import actions, errors, render
from guardia.board.web.caller import BoardDep
from guardia.board.web.markup import markdown
from guardia.board.web.session import CurrentVisitor, Visitor, require_visitor
from guardia.errors import Invalid, UserError
from guardia.i18n import t
from guardia.org.access import ROLES
from guardia.text import CLEANED, TRIMMED, CleanStr, Reason

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_visitor)])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Line = Annotated[str, Form(max_length=300), TRIMMED]
_Text = Annotated[str, Form(max_length=policy.MAX_WRITTEN * 2), CLEANED]
_Files = Annotated[list[UploadFile], File()]
_FormReason = Annotated[Reason, Form()]
MOST_FILES = 50
_MOST_PREVIEW = 100_000


def _details(
    *,
    title: _Line = "",
    field: _Line = "",
    institution: _Line = "",
    server: _Line = "",
    owner: _Line = "",
    audience: _Line = "roles",
    roles: Annotated[list[CleanStr], Form(max_length=20)] = [],  # noqa: B006 - FastAPI copies
    expires: _Line = "",
) -> EnteredDetails:
    """Return the details as they were entered."""
    return EnteredDetails(title, field, institution, server, owner, audience, tuple(roles), expires)


_Entered = Annotated[EnteredDetails, Depends(_details)]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A text that is being edited, and the version that it began with."""

    text: str
    based_on: int
    comment: str = ""


@router.get("/documents/new")
def write_form(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the form that writes a document."""
    return _write_page(request, board, visitor, EnteredDetails())


@router.post("/documents")
def write(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    entered: _Entered,
    text: _Text = "",
    then: _Line = "",
) -> Response:
    """Add a document that was written on the page."""

    def act() -> int:
        content = forms.written_text(text)
        details = entered.parsed()
        store = BlobStore.of(request.app.state.settings)
        file = NewFile(f"{details.title[:80] or 'document'}.md")
        with contents.receive_bytes(board, store, content) as incoming:
            return records.add_document(
                board, store, visitor.person, details, file, incoming, submit=then == "submit"
            )

    again = partial(_write_page, request, board, visitor, entered, text=text)
    return actions.submit_fields(request, act, on_success="/documents/{}".format, on_refusal=again)


@router.post("/documents/preview")
def preview(request: Request, visitor: CurrentVisitor, text: _Text = "") -> Response:
    """Return how a Markdown text will look."""
    with render.use_visitor_language(request):
        empty = t("documents.preview_empty")
    shown = markdown(text[:_MOST_PREVIEW]) if text.strip() else f'<p class="hint">{empty}</p>'
    return HTMLResponse(shown)


@router.get("/documents/upload")
def upload_form(request: Request, board: BoardDep, visitor: CurrentVisitor) -> Response:
    """Show the form that uploads files."""
    return _upload_page(request, board, visitor, EnteredDetails())


@router.post("/documents/upload")
def upload(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    entered: _Entered,
    files: _Files = [],  # noqa: B006 - FastAPI copies
    then: _Line = "",
) -> Response:
    """Add each file as a document; those that are refused say why."""
    given = [one for one in files if one.filename]
    added: list[tuple[int, str]] = []
    refused: list[tuple[str, str]] = []
    again = partial(_upload_page, request, board, visitor, entered)
    try:
        if not given:
            raise Invalid(what=t("documents.files"), why=t("documents.no_file"), field="files")
        if len(given) > MOST_FILES:
            why = t("documents.many_files", most=MOST_FILES)
            raise Invalid(what=t("documents.files"), why=why, field="files")
        entered.parsed()
    except UserError as error:
        with render.use_visitor_language(request):
            field, notice = str(error.detail.get("field", "")), str(error.detail.get("why", error))
        return again(status=errors.status_of(error), notice=notice, field=field)
    for file in given:
        try:
            number = _add_upload(request, board, visitor, entered, file, then == "submit")
            added.append((number, file.filename or ""))
        except UserError as error:
            refused.append((file.filename or "", str(error)))
    return again(added=added, refused=refused, status=200 if added else 422)


def _add_upload(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    entered: EnteredDetails,
    file: UploadFile,
    submit: bool,
) -> int:
    store = BlobStore.of(request.app.state.settings)
    name = file.filename or ""
    details = replace(entered, title=forms.title_of(name)).parsed()
    content = file.file.read(policy.MAX_BYTES + 1)
    with contents.receive_bytes(board, store, content) as incoming:
        return records.add_document(
            board, store, visitor.person, details, NewFile(name), incoming, submit=submit
        )


@router.get("/documents/{number}/edit")
def edit_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number
) -> Response:
    """Show the form that changes the text of a document."""
    found = view.get_document(board, visitor.person, number)
    newest = found.versions[0]
    text = _source(request, board, visitor, number, newest.version)
    draft = _Draft(text, newest.version)
    return _edit_page(request, board, visitor, number, draft=draft)


@router.post("/documents/{number}/edit")
def edit(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    *,
    based_on: Annotated[int, Form(ge=1, le=2**31 - 1)],
    text: _Text = "",
    comment: _FormReason = "",
    then: _Line = "",
) -> Response:
    """Add the text as a new version."""

    def act() -> int:
        content = forms.written_text(text)
        found = view.get_document(board, visitor.person, number)
        store = BlobStore.of(request.app.state.settings)
        name = found.versions[0].file_name
        stem = name if name.lower().endswith((".md", ".markdown")) else f"{name}.md"
        with contents.receive_bytes(board, store, content) as incoming:
            return records.add_version(
                board,
                store,
                visitor.person,
                number,
                NewFile(stem, comment),
                incoming,
                submit=then == "submit",
                based_on=based_on,
            )

    draft = _Draft(text, based_on, comment)
    again = partial(_edit_page, request, board, visitor, number, draft=draft)
    done = f"/documents/{number}?version={{}}"
    return actions.submit_fields(request, act, on_success=done.format, on_refusal=again)


@router.post("/documents/{number}/versions")
def add_version(
    request: Request,
    board: BoardDep,
    visitor: CurrentVisitor,
    number: Number,
    file: Annotated[UploadFile | None, File()] = None,
    comment: _FormReason = "",
    then: _Line = "",
) -> Response:
    """Add an uploaded file as a new version."""

    def act() -> int:
        if file is None or not file.filename:
            raise Invalid(what=t("documents.file"), why=t("documents.no_file"), field="file")
        store = BlobStore.of(request.app.state.settings)
        content = file.file.read(policy.MAX_BYTES + 1)
        new = NewFile(file.filename, comment)
        with contents.receive_bytes(board, store, content) as incoming:
            return records.add_version(
                board, store, visitor.person, number, new, incoming, submit=then == "submit"
            )

    done = f"/documents/{number}?version={{}}"
    again = partial(document_page, request, board, visitor, number)
    return actions.submit(request, act, on_success=done.format, on_refusal=again)


@router.get("/documents/{number}/details")
def details_form(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number
) -> Response:
    """Show the form that changes what is said about a document."""
    found = view.get_document(board, visitor.person, number)
    return _details_page(request, board, visitor, number, EnteredDetails.of(found))


@router.post("/documents/{number}/details")
def change_details(
    request: Request, board: BoardDep, visitor: CurrentVisitor, number: Number, entered: _Entered
) -> Response:
    """Change what is said about a document."""
    return actions.submit_fields(
        request,
        lambda: records.change_details(board, visitor.person, number, entered.parsed()),
        on_success=f"/documents/{number}",
        on_refusal=partial(_details_page, request, board, visitor, number, entered),
    )


@router.post("/documents/attachments/{sr_id}/{attachment_id}")
def take_over_attachment(
    request: Request, board: BoardDep, visitor: CurrentVisitor, sr_id: Number, attachment_id: Number
) -> Response:
    """Add a file of an issue as a document."""
    store = BlobStore.of(request.app.state.settings)
    return actions.submit(
        request,
        lambda: attached.take_over(board, store, visitor.person, sr_id, attachment_id),
        on_success="/documents/{}".format,
        on_refusal=partial(_upload_page, request, board, visitor, EnteredDetails()),
    )


def _source(
    request: Request, board: BoardContext, visitor: Visitor, number: int, version: int
) -> str:
    """Return what a person edits: the original if it is Markdown, or the text that was read."""
    name, digest = view.content_of(board, visitor.person, number, version)
    if name.lower().endswith((".md", ".markdown")):
        with BlobStore.of(request.app.state.settings).open(digest) as file:
            content = file.read(policy.MAX_BYTES)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    return view.body_of(board, visitor.person, number, version)


def _write_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    entered: EnteredDetails,
    *,
    text: str = "",
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "knowledge/write.html",
        status=status,
        visitor=visitor,
        entered=entered,
        text=text,
        institutions=view.institutions(board),
        all_roles=ROLES,
        errors={field: notice} if field else {},
        notice="" if field else notice,
    )


def _upload_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    entered: EnteredDetails,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
    added: Sequence[tuple[int, str]] = (),
    refused: Sequence[tuple[str, str]] = (),
) -> Response:
    return render.page(
        request,
        "knowledge/upload.html",
        status=status,
        visitor=visitor,
        entered=entered,
        institutions=view.institutions(board),
        all_roles=ROLES,
        errors={field: notice} if field else {},
        notice="" if field else notice,
        added=added,
        refused=refused,
        most=policy.MAX_BYTES >> 20,
    )


def _edit_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    *,
    draft: _Draft,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "knowledge/edit.html",
        status=status,
        visitor=visitor,
        found=view.get_document(board, visitor.person, number),
        text=draft.text,
        based_on=draft.based_on,
        comment=draft.comment,
        errors={field: notice} if field else {},
        notice="" if field else notice,
    )


def _details_page(
    request: Request,
    board: BoardContext,
    visitor: Visitor,
    number: int,
    entered: EnteredDetails,
    *,
    status: int = 200,
    notice: str = "",
    field: str = "",
) -> Response:
    return render.page(
        request,
        "knowledge/details.html",
        status=status,
        visitor=visitor,
        found=view.get_document(board, visitor.person, number),
        entered=entered,
        institutions=view.institutions(board),
        all_roles=ROLES,
        errors={field: notice} if field else {},
        notice="" if field else notice,
    )
