"""The `guardia` command. Its modules are light to import; heavy ones load inside the commands."""

from __future__ import annotations

import sys

import typer
from rich.text import Text

from guardia import __version__, garbage
from guardia.cli import (
    absence,
    agents,
    artifact,
    ask,
    audit,
    autonomy,
    calendar_days,
    change,
    cmdb,
    command_permissions,
    confirmation,
    control,
    costs,
    credential,
    dashboard,
    database,
    delegation,
    demo,
    do,
    document,
    document_stated,
    document_use,
    duty,
    evaluation_retrieval,
    failures,
    form,
    goal,
    help_groups,
    init,
    institution,
    issue,
    issue_list,
    json_output,
    keys,
    lab,
    maintenance,
    mcp,
    note,
    notice,
    org,
    owner,
    paper,
    person,
    plan,
    queue,
    remote,
    right,
    rollout,
    rule,
    rules,
    runs,
    server,
    service,
    skill,
    sla,
    standing,
    status,
    system,
    team,
    token,
    tools,
    webhook,
)
from guardia.cli.console import console
from guardia.cli.named_command import narrowed
from guardia.errors import UserError
from guardia.i18n import t

app = typer.Typer(
    help=t("cli.help"), no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.command("demo", help=t("cli.demo.help"))(demo.demo)
app.command("init", help=t("cli.init.help"))(init.init)
app.command("up", help=t("cli.up.help"))(service.up)
app.command("serve", help=t("cli.serve.help"))(service.serve)
app.command("worker", help=t("cli.worker.help"))(service.worker)
app.command("status", help=t("cli.status.help"))(status.status)
app.command("approve", help=t("cli.approve.help"))(issue.approve)
app.command("reject", help=t("cli.reject.help"))(issue.reject)
app.command("mcp", help=t("cli.mcp.help"))(mcp.mcp)
app.command("ask", help=t("search.cli.help"))(ask.ask)
app.command("do", help=t("commands.cli.help"))(do.do)
app.command("goal", help=t("goals.cli.help"))(goal.goal)
app.command("kill", help=t("cli.control.kill"))(control.kill)
app.command("release", help=t("cli.control.release"))(control.release)
app.command("force", help=t("cli.plan.force"))(plan.force)
app.command("directive", help=t("cli.control.directive"))(control.directive)
app.command("ask-changes", help=t("cli.ask_changes.help"))(issue.ask_changes)
app.command("reopen", help=t("cli.reopen.help"))(issue.reopen)
app.command("accept", help=t("cli.accept.help"))(issue.accept)
app.command("delegate", help=t("cli.delegate.help"))(delegation.delegate)
app.command("workers", help=t("accounts.cli.workers"))(system.workers)
app.add_typer(system.channels_app, name="channel", help=t("accounts.cli.channels"))
app.command("runs", help=t("cli.runs.help"))(runs.runs)
app.command("list", help=t("issues.cli.list"))(issue_list.list_issues)
app.command("show", help=t("cli.show.help"))(issue.show)
app.add_typer(plan.app, name="plan", help=t("cli.plan.help"))
app.command("costs", help=t("cli.costs.help"))(costs.costs)
app.add_typer(costs.app, name="budget", help=t("cli.costs.budget"))
app.add_typer(dashboard.app, name="dashboard", help=t("dashboard.cli.help"))
app.add_typer(rules.app, name="rules", help=t("talk.cli.help"))
app.add_typer(notice.app, name="notice", help=t("notices.cli.help"))
app.add_typer(autonomy.app, name="autonomy", help=t("autonomy.cli.help"))
app.add_typer(queue.app, name="queue", help=t("assignment.cli.help"))
app.command("assign", help=t("assignment.cli.assign"))(queue.assign)
app.add_typer(rule.app, name="rule", help=t("rules.cli.help"))
app.add_typer(maintenance.app, name="maintenance", help=t("alerts.cli.help"))
app.add_typer(change.app, name="change", help=t("changes.cli.help"))
app.add_typer(paper.app, name="paper", help=t("papers.cli.help"))
app.add_typer(form.app, name="form", help=t("forms.cli.help"))
app.add_typer(sla.app, name="sla", help=t("service.cli.help"))
app.add_typer(calendar_days.app, name="calendar", help=t("service.cli.calendar"))
app.add_typer(standing.app, name="standing", help=t("standing.cli.help"))
app.add_typer(artifact.app, name="artifact", help=t("artifacts.cli.help"))
app.add_typer(document.app, name="document", help=t("documents.cli.help"))
app.add_typer(remote.app, name="remote", help=t("remote.cli.help"))
document.app.command("edit", help=t("documents.cli.edit"))(document_use.edit)
document.app.command("rate", help=t("documents.cli.rate"))(document_use.rate)
document.app.command("stated", help=t("documents.cli.stated"))(document_stated.stated)
document.app.command("accept", help=t("documents.cli.accept"))(document_stated.accept)
document.app.command("refuse", help=t("documents.cli.refuse"))(document_stated.refuse)
document.app.command("related", help=t("documents.cli.related"))(document_use.related)
app.add_typer(rollout.app, name="rollout", help=t("rollouts.cli.help"))
app.add_typer(token.app, name="token", help=t("cli.token.help"))
app.add_typer(webhook.app, name="webhook", help=t("webhooks.cli.help"))
app.add_typer(audit.app, name="audit", help=t("cli.audit.help"))
app.add_typer(database.app, name="db", help=t("cli.db.help"))
app.command("hire", help=t("cli.staff.hire"))(agents.hire)
app.command("fire", help=t("cli.staff.fire"))(agents.fire)
app.command("heartbeat", help=t("cli.staff.heartbeat"))(agents.heartbeat)
app.add_typer(agents.app, name="agent", help=t("cli.staff.help"))
app.add_typer(note.app, name="note", help=t("cli.note.help"))
app.add_typer(org.app, name="org", help=t("cli.org.help"))
app.add_typer(keys.app, name="keys", help=t("cli.keys.help"))
app.add_typer(right.app, name="right", help=t("accounts.cli.help"))
app.add_typer(person.app, name="person", help=t("cli.person.help"))
app.add_typer(institution.app, name="institution", help=t("cli.institution.help"))
app.add_typer(server.app, name="server", help=t("cli.server.help"))
app.add_typer(credential.app, name="credential", help=t("cli.credential.help"))
app.add_typer(tools.app, name="tools", help=t("catalog.cli.help"))
app.add_typer(evaluation_retrieval.app, name="eval", help=t("cli.eval.help"))
for _name, _group in (
    ("cmdb", cmdb),
    ("owner", owner),
    ("skill", skill),
    ("team", team),
    ("duty", duty),
    ("absence", absence),
):
    app.add_typer(_group.app, name=_name, help=t(f"roster.cli.group.{_name}"))
app.add_typer(lab.app, name="lab", help=t("cli.lab.help"))


@app.callback()
def _program() -> None:
    # With a callback, a program of one command still takes its name: see `named_command`.
    pass


@app.command("version", help=t("cli.version.help"))
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")


json_output.add_json(app)
confirmation.add_questions(app)
help_groups.group_commands(app)
help_groups.translate_help(app)
command_permissions.enforce_permissions(app)


def main() -> None:
    """Run the command; expected errors print one Korean sentence instead of a traceback."""
    garbage.spare_modules()
    try:
        narrowed(app, sys.argv[1:])()
    except Exception as error:
        text = failures.describe(error)
        if text is None:
            raise
        head = (t("cli.error"), "bold red")
        console(stderr=True).print(Text.assemble(head, " ", text), soft_wrap=True)
        sys.exit(2 if isinstance(error, UserError) else 1)
