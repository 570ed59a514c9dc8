"""The permission that each command needs, and the cleaning of its arguments.

A command that is not listed here does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import typer

from guardia.errors import Forbidden
from guardia.text import clean_json, fold

COMMAND_ACTIONS: dict[str, str] = {
    "version": "version.read",
    "demo": "demo.run",
    "init": "installation.run",
    "up": "installation.run",
    "serve": "installation.run",
    "worker": "installation.run",
    "status": "installation.run",
    "mcp": "agent.serve",
    "list": "issue.read",
    "show": "issue.read",
    "runs": "run.read",
    "dashboard list": "home.read",
    "dashboard show": "home.read",
    "dashboard rebuild": "database.operate",
    "approve": "approval.answer",
    "reject": "approval.answer",
    "ask-changes": "approval.answer",
    "reopen": "issue.reopen",
    "accept": "issue.accept",
    "delegate": "delegation.set",
    "goal": "goal.give",
    "do": "command.give",
    "ask": "document.read",
    "assign": "issue.assign",
    "queue list": "queue.read",
    "queue fit": "queue.read",
    "queue take": "issue.assign",
    "queue accept": "issue.assign",
    "queue decline": "issue.assign",
    "queue link": "issue.assign",
    "queue unlink": "issue.assign",
    "queue answer": "issue.comment",
    "costs": "costs.read",
    "autonomy report": "autonomy.read",
    "rule list": "rule.read",
    "rule show": "rule.read",
    "rule test": "rule.read",
    "rule export": "rule.read",
    "rule add": "rule.edit",
    "rule edit": "rule.edit",
    "rule remove": "rule.edit",
    "rule approve": "rule.edit",
    "rule reject": "rule.edit",
    "rule import": "rule.edit",
    "paper issue": "paper.read",
    "paper month": "paper.read",
    "paper inspection": "paper.read",
    "paper template show": "paper.read",
    "paper template check": "paper.read",
    "paper template apply": "paper.edit",
    "paper template reset": "paper.edit",
    "paper template history": "paper.read",
    "paper template rollback": "paper.edit",
    "change list": "change.read",
    "change conflicts": "change.read",
    "form list": "form.read",
    "form show": "form.read",
    "form file": "issue.create",
    "form validate": "form.read",
    "form export": "form.read",
    "form plan": "form.read",
    "form apply": "form.edit",
    "form history": "form.read",
    "form rollback": "form.edit",
    "sla report": "service.read",
    "sla show": "issue.read",
    "sla rate": "issue.rate",
    "sla unresolved": "issue.reopen",
    "calendar list": "service.read",
    "calendar add": "calendar.edit",
    "calendar remove": "calendar.edit",
    "maintenance add": "maintenance.edit",
    "maintenance list": "maintenance.read",
    "maintenance end": "maintenance.edit",
    "standing list": "standing.read",
    "standing limits": "standing.decide",
    "standing approve": "standing.decide",
    "standing reject": "standing.decide",
    "standing revoke": "standing.decide",
    "artifact add": "artifact.add",
    "artifact list": "artifact.read",
    "artifact show": "artifact.read",
    "artifact remove": "artifact.remove",
    "document add": "document.edit",
    "document import": "document.edit",
    "document list": "document.read",
    "document show": "document.read",
    "document version": "document.edit",
    "document edit": "document.edit",
    "document rate": "document.read",
    "document related": "issue.read",
    "document submit": "document.edit",
    "document publish": "document.review",
    "document publish-all": "document.review",
    "document reject": "document.review",
    "document restore": "document.edit",
    "document diff": "document.read",
    "document expire": "document.edit",
    "document remove": "document.remove",
    "document attachment": "document.edit",
    "document queue": "document.edit",
    "document runbooks": "document.edit",
    "document stated": "document.edit",
    "document accept": "document.edit",
    "document refuse": "document.edit",
    "remote run": "remote.run",
    "remote list": "remote.read",
    "remote show": "remote.read",
    "remote again": "remote.run",
    "remote stop": "remote.run",
    "rollout plan": "rollout.plan",
    "rollout edit": "rollout.plan",
    "rollout submit": "rollout.plan",
    "rollout list": "rollout.read",
    "rollout show": "rollout.read",
    "rollout pause": "rollout.run",
    "rollout resume": "rollout.run",
    "rollout back": "rollout.run",
    "rollout cancel": "rollout.run",
    "rollout again": "rollout.plan",
    "budget raise": "budget.raise",
    "kill": "control.kill",
    "release": "control.release",
    "directive": "plan.read",
    "plan show": "issue.read",
    "plan edit": "directive.change",
    "plan except": "directive.force",
    "force": "directive.force",
    "token create": "token.own",
    "token list": "token.own",
    "token revoke": "token.own",
    "webhook list": "webhook.read",
    "webhook show": "webhook.read",
    "webhook add": "webhook.edit",
    "webhook ping": "webhook.edit",
    "webhook redeliver": "webhook.edit",
    "webhook enable": "webhook.edit",
    "webhook disable": "webhook.edit",
    "webhook remove": "webhook.edit",
    "audit verify": "audit.verify",
    "audit acknowledge": "audit.acknowledge",
    "audit export": "audit.verify",
    "audit key": "audit.verify",
    "db url": "database.operate",
    "db migrate": "database.operate",
    "db sql": "database.operate",
    "org validate": "org.validate",
    "org schema": "org.validate",
    "org show": "org.read",
    "org plan": "org.read",
    "org history": "org.read",
    "org diff": "org.read",
    "org rollback": "org.apply",
    "org apply": "org.apply",
    "keys list": "keys.operate",
    "keys rotate": "keys.operate",
    "person list": "person.manage",
    "person add": "person.manage",
    "person load": "person.manage",
    "person role": "person.manage",
    "person deactivate": "person.manage",
    "person activate": "person.manage",
    "person link": "person.manage",
    "person unlink": "person.manage",
    "person identity": "person.manage",
    "person password": "person.manage",
    "person lock": "person.manage",
    "person unlock": "person.manage",
    "right list": "right.read",
    "right allow": "right.decide",
    "right refuse": "right.decide",
    "right history": "right.read",
    "right review": "right.review",
    "workers": "worker.read",
    "channel list": "channel.read",
    "channel test": "channel.test",
    "audit search": "audit.read",
    "hire": "org.apply",
    "fire": "org.apply",
    "agent set": "org.apply",
    "note list": "agent.read",
    "note show": "agent.read",
    "note add": "note.edit",
    "note edit": "note.edit",
    "note strike": "note.edit",
    "agent pause": "agent.control",
    "agent resume": "agent.control",
    "agent run": "agent.control",
    "heartbeat": "agent.control",
    "institution add": "institution.edit",
    "institution list": "server.read",
    "institution edit": "institution.edit",
    "institution remove": "institution.edit",
    "server add": "server.edit",
    "server probe": "server.inspect",
    "server check": "server.inspect",
    "server list": "server.read",
    "server show": "server.read",
    "server edit": "server.edit",
    "server remove": "server.remove",
    "server sudoers": "server.read",
    "server confirm-key": "server.confirm_key",
    "credential add": "credential.manage",
    "credential list": "credential.manage",
    "credential remove": "credential.manage",
    "eval commands": "org.validate",
    "eval requests": "org.validate",
    "eval goals": "org.validate",
    "eval retrieval": "org.validate",
    "tools list": "tool.read",
    "tools show": "tool.read",
    "tools reference": "tool.read",
    "tools run": "server.inspect",
    "server import": "cmdb.apply",
    "server export": "cmdb.read",
    "server scan-keys": "cmdb.apply",
    "cmdb export": "cmdb.read",
    "cmdb plan": "cmdb.read",
    "cmdb apply": "cmdb.apply",
    "cmdb history": "cmdb.read",
    "cmdb diff": "cmdb.read",
    "cmdb rollback": "cmdb.apply",
    **{
        f"{group} {verb}": f"roster.{action}"
        for group in ("owner", "skill", "team", "duty", "absence")
        for verb, action in {
            "list": "read",
            "export": "read",
            "add": "edit",
            "remove": "edit",
            "import": "edit",
        }.items()
    },
    "owner who": "roster.read",
    "duty now": "roster.read",
    "rules test": "talk.read",
    "rules dry-run": "talk.read",
    "notice list": "notice.read",
    "notice calls": "notice.read",
    "notice ack": "notice.acknowledge",
    "duty except": "roster.edit",
    "duty except-import": "roster.edit",
    "duty except-export": "roster.read",
    "lab up": "lab.operate",
    "lab down": "lab.operate",
    "lab status": "lab.operate",
    "lab fault": "lab.operate",
    "lab heal": "lab.operate",
}


_NAMES = frozenset(
    {
        "account", "agent", "by", "human", "identity", "institution", "month", "number", "other",
        "person", "principal", "role", "scope", "server", "superior", "to", "tool", "who",
    }
)  # fmt: skip
"""Parameters that name something: people paste and type them in any form."""


def commands(app: typer.Typer, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command of an app with its full name."""
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        yield f"{before}{name}", command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from commands(group.typer_instance, f"{before}{group.name} ")


def enforce_permissions(app: typer.Typer) -> None:
    """Check the permission of every command and clean its arguments before it runs."""
    for name, command in commands(app):
        command.callback = _guarded(name, command.callback)


def _clean_arguments(words: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments in clean form, and those that name something as they are searched."""
    cleaned: dict[str, Any] = clean_json(words)
    return cleaned | {
        name: fold(value).strip()
        for name, value in cleaned.items()
        if name in _NAMES and isinstance(value, str)
    }


def _guarded(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def guarded(*args: Any, **words: Any) -> Any:
        from guardia.org.access import OPERATOR_ACTIONS, PERMISSIONS, require_operator

        action = COMMAND_ACTIONS.get(name)
        if action is None:
            raise Forbidden(who="guardia", action=name)
        # Permissions of people are checked by the board, for the person who signs in.
        if action in OPERATOR_ACTIONS or action not in PERMISSIONS:
            require_operator(action)
        return run(*args, **_clean_arguments(words))

    return guarded
