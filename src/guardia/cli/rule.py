"""`guardia rule`: the rules of a site, which bind agents and people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guardia.cli.account import As, authenticate
from guardia.cli.console import console
from guardia.cli.installation import open_installation
from guardia.cli.text_files import read_text
from guardia.errors import Invalid
from guardia.i18n import t
from guardia.settings import Settings

if TYPE_CHECKING:
    from guardia.board.site_rules.as_code import RuleStep
    from guardia.board.site_rules.view import RuleView

app = typer.Typer(no_args_is_help=True)
_FORBIDDEN = 1

_Name = Annotated[str, typer.Argument(help=t("rules.cli.name"))]
_Reason = Annotated[str, typer.Option("--reason", help=t("rules.reason"))]
_Version = Annotated[int, typer.Option("--version", min=1, help=t("rules.cli.version"))]


_Sets = Annotated[list[str] | None, typer.Option("--set", help=t("rules.cli.field"))]


@app.command("list", help=t("rules.cli.list"))
def list_(
    place: Annotated[str, typer.Argument(help=t("rules.cli.place"))] = "",
    after: Annotated[str, typer.Option("--after", help=t("rules.cli.name"))] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 100,
) -> None:
    """Print the rules in force and the proposals."""
    from guardia.board.site_rules import view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.list_rules(board, None, place=place, after=after, size=limit)
    for one in (*found.proposals, *found.rules):
        _print(one)
    if not found.proposals and not found.rules:
        sys.stdout.write(t("rules.empty") + "\n")


@app.command("show", help=t("rules.cli.show"))
def show(name: _Name) -> None:
    """Print a rule with its versions, newest first."""
    from guardia.board.site_rules import view

    with open_installation(Settings()) as installation, installation.board() as board:
        found = view.rule_history(board, None, name)
    for one in found.versions:
        _print(one, whole=True)


@app.command("add", help=t("rules.cli.add"))
def add(
    name: _Name,
    who: As,
    kind: Annotated[str, typer.Option("--kind", help=t("rules.cli.kind"))],
    sentence: Annotated[str, typer.Option("--sentence", help=t("rules.hint.sentence"))],
    reason: _Reason,
    put: _Sets = None,
) -> None:
    """Add a rule."""
    from guardia.board.site_rules import changes, forms

    given = {"name": name, "kind": kind, "sentence": sentence, **forms.parse_fields(put or [])}
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        rule = forms.parse_rule(given, board.planner.reads())
        changes.add_rule(board, person, rule, reason)
    _say(name, "ACTIVE")


@app.command("edit", help=t("rules.cli.edit"))
def edit(
    name: _Name,
    who: As,
    reason: _Reason,
    sentence: Annotated[str, typer.Option("--sentence", help=t("rules.hint.sentence"))] = "",
    put: _Sets = None,
) -> None:
    """Change what is given of a rule."""
    from guardia.board.site_rules import changes, forms, view

    given = forms.parse_fields(put or []) | ({"sentence": sentence} if sentence else {})
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        current = view.rule_history(board, person, name).current
        if current is None or current.rule is None:
            raise Invalid(what=name, why=t("rules.unreadable"))
        fields = {**forms.fields_of(current.rule), **given}
        rule = forms.parse_rule(fields, board.planner.reads())
        state = changes.edit_rule(board, person, rule, reason, current.version)
    _say(name, state)


@app.command("remove", help=t("rules.cli.remove"))
def remove(name: _Name, who: As, reason: _Reason) -> None:
    """Propose to remove a rule."""
    from guardia.board.site_rules import changes, view

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        current = view.rule_history(board, person, name).current
        version = current.version if current else 0
        state = changes.remove_rule(board, person, name, reason, version)
    _say(name, state)


@app.command("approve", help=t("rules.cli.approve"))
def approve(name: _Name, who: As, version: _Version) -> None:
    """Approve a proposal."""
    _decide(name, who, version, approve=True)


@app.command("reject", help=t("rules.cli.reject"))
def reject(name: _Name, who: As, version: _Version, reason: _Reason = "") -> None:
    """Reject a proposal."""
    _decide(name, who, version, approve=False, reason=reason)


@app.command("test", help=t("rules.cli.test"))
def test(
    server: Annotated[str, typer.Argument(help=t("rules.field.server"))],
    tool: Annotated[str, typer.Argument(help=t("rules.cli.tool"))],
    put: Annotated[list[str] | None, typer.Option("--set", help=t("rules.cli.set"))] = None,
    at: Annotated[str, typer.Option("--at", help=t("rules.cli.at"))] = "",
) -> None:
    """Print what the rules say to an action; exit with 1 if one forbids it then."""
    from guardia.board.approvals import start_time
    from guardia.board.execution import rule_check
    from guardia.board.site_rules.forms import parse_arguments

    with open_installation(Settings()) as installation, installation.board() as board:
        moment = start_time.read_start(board, at) or board.clock()
        found = rule_check.try_action(board, server, tool, parse_arguments(put or []), moment)
    screen = console()
    for status in found.ruling.rules:
        head = f"{status.rule.name} [{t(f'rules.status.{status.state}')}] {status.rule.sentence}"
        screen.print(head, markup=False, highlight=False)
        if status.why:
            screen.print(f"  {status.why}", markup=False, highlight=False)
    if found.start == moment:
        sys.stdout.write(t("rules.cli.permitted") + "\n")
        return
    if found.start is not None:
        when = found.start.astimezone(found.zone).strftime("%Y-%m-%d %H:%M")
        sys.stdout.write(t("rules.cli.later", at=when) + "\n")
    raise typer.Exit(_FORBIDDEN)


@app.command("export", help=t("rules.cli.export"))
def export() -> None:
    """Print the rules in force as YAML."""
    from guardia.board.site_rules import as_code

    with open_installation(Settings()) as installation, installation.board() as board:
        sys.stdout.write(as_code.export_rules(board))


@app.command("import", help=t("rules.cli.import"))
def import_(
    file: Annotated[Path, typer.Argument(help=t("rules.cli.file"), allow_dash=True)],
    who: As,
    reason: _Reason,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=t("rules.cli.dry_run"))] = False,
    prune: Annotated[bool, typer.Option("--prune", help=t("rules.cli.prune"))] = False,
) -> None:
    """Apply what differs between a file and the rules in force."""
    from guardia.board.site_rules import as_code

    text = read_text(file)
    rules = as_code.parse_rules(text, file.name)
    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        steps = as_code.plan_import(board, rules, prune=prune)
        for step in steps:
            state = "" if dry_run else as_code.apply_step(board, person, step, reason)
            _print_step(step, state)
    if not steps:
        sys.stdout.write(t("rules.cli.nothing") + "\n")


def _decide(name: str, who: str, version: int, *, approve: bool, reason: str = "") -> None:
    from guardia.board.site_rules import changes

    with open_installation(Settings()) as installation, installation.board() as board:
        person = authenticate(board, who)
        state = changes.decide_proposal(
            board, person, name, version, approve=approve, reason=reason
        )
    _say(name, state)


def _say(name: str, state: str) -> None:
    sys.stdout.write(t("rules.cli.done", name=name, state=t(f"rules.state.{state}")) + "\n")


def _print_step(step: RuleStep, state: str) -> None:
    line = t("rules.cli.step", verb=t(f"rules.verb.{step.verb}"), name=step.name)
    sys.stdout.write(line + (f" [{t(f'rules.state.{state}')}]" if state else "") + "\n")


def _print(one: RuleView, *, whole: bool = False) -> None:
    screen = console()
    change = f" {t('rules.proposed_removal')}" if one.removes else ""
    version = t("rules.version", version=one.version)
    head = f"{one.name} [{t(f'rules.state.{one.state}')}]{change} {version} {one.sentence}"
    screen.print(head, markup=False, highlight=False)
    if one.rule is None:
        screen.print(f"  {t('rules.unreadable')}", markup=False)
        return
    terms = [(t("rules.field.place"), one.place), (t("rules.field.kind"), _kind(one)), *one.terms]
    for label, text in terms:
        screen.print(f"  {label}: {text}", markup=False, highlight=False)
    if whole:
        by = f"{one.author} {one.created_at:%Y-%m-%d %H:%M}"
        screen.print(f"  {t('rules.reason')}: {one.reason} ({by})", markup=False, highlight=False)


def _kind(one: RuleView) -> str:
    return t(f"rules.kind.{one.kind}")
