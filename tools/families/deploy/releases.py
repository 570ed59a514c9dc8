"""Releases in sibling folders: which one is current, and an atomic switch to another."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.families.service import healthy_checks
from guardia.tools.families.service_restart import (
    START_TIMEOUT,
    control_arguments,
    unit_arguments,
    verb_rights,
)
from guardia.tools.families.service_shell import (
    CONTROL,
    LISTENER,
    REQUEST,
    SERVICE_PIDS,
    UNIT_CONTROL,
)
from guardia.tools.findings import Done, FindingsModel, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

Version = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
"""Name of a folder in `releases`: no separators, no leading dash or dot."""
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")

_CURRENT = Script(
    "deploy.current",
    r"""
current=$(readlink -- "$1/current" || true)
current=${current%/}
printf '%s\n' "${current##*/}"
for release in "$1"/releases/*/; do
  [ -d "$release" ] || continue
  release=${release%/}
  printf '%s\n' "${release##*/}"
done
""",
)

# A link cannot be changed, but another can replace it atomically: a reader always finds one.
_SWITCH: Final = r"""
switch() {
  [ -d "$root/releases/$version" ] || fail "no release $version"
  current=$(readlink -- "$root/current") || fail "current is not a link"
  current=${current%/}
  case ${current##*/} in
    "$previous"|"$version") ;;
    *) fail "current is ${current##*/}, not $previous" ;;
  esac
  new=$root/.current.$$
  trap 'rm -f -- "$new"' EXIT
  ln -s -- "releases/$version" "$new"
  mv -fT -- "$new" "$root/current"
}
fail() { echo "$1" >&2; exit 3; }
"""

_ACTIVATE = Script(
    "deploy.activate",
    SERVICE_PIDS
    + LISTENER
    + REQUEST
    + CONTROL
    + _SWITCH
    + r"""
version=$1 previous=$2 control=$3 root=$4 port=$5 path=$6 scheme=$7 limit=$8 listen=${9:-}
switch
run_control restart
""",
)

_ACTIVATE_UNIT = Script(
    "deploy.activate",
    AS_ROOT
    + LISTENER
    + REQUEST
    + UNIT_CONTROL
    + _SWITCH
    + r"""
version=$1 previous=$2 root=$3 unit=$4 port=$5 path=$6 scheme=$7 limit=$8 systemctl=$9
listen=${10}
require_unit
switch
call_unit restart
await_health
""",
)


class CurrentFindings(FindingsModel):
    """The release in use, if the link names one, and those that are staged."""

    version: Word | None
    releases: Annotated[list[Word], Field(max_length=1000)]


class ActivateArgs(ServiceArgs):
    """A release and the one that it replaces."""

    version: Version
    previous: Version


def _current(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_CURRENT, target.root(service_on(host, args.service)))


def _read_current(text: str) -> Findings:
    current, *releases = text.splitlines()
    known = sorted((r for r in releases if _VERSION.fullmatch(r)), key=_version_key)
    return {"version": current if _VERSION.fullmatch(current) else None, "releases": known}


def _version_key(version: str) -> list[tuple[int, str]]:
    """Return a sort key by which 3.10.0 comes after 3.9.0."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"[._-]", version)]


def _activate(args: ActivateArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    root = target.root(service)
    if target.is_systemd(host, service):
        arguments = (args.version, args.previous, root, *unit_arguments(host, service))
        return privileged_script(host, _ACTIVATE_UNIT, *arguments).leaving_children()
    arguments = (args.version, args.previous, *control_arguments(service))
    return Command.script(_ACTIVATE, *arguments).leaving_children()


def _as_planned(args: ActivateArgs) -> tuple[Check, ...]:
    current_release = ToolCall(tool="deploy.current", args={"service": args.service})
    current = f"version == {jmespath_literal(args.previous)}"
    return (
        Check(
            call=current_release,
            expect=f"{current} && contains(releases, {jmespath_literal(args.version)})",
            sentence=t(
                "tools.deploy.activate.precheck", previous=args.previous, version=args.version
            ),
        ),
    )


def _runs(service: str, version: str) -> tuple[Check, ...]:
    """Require that the release is in use and answers; a service need not tell its version."""
    current_release = ToolCall(tool="deploy.current", args={"service": service})
    literal = jmespath_literal(version)
    in_use = Check(
        call=current_release,
        expect=f"version == {literal}",
        sentence=t("tools.deploy.activate.is_current", version=version),
    )
    sentence = t("tools.deploy.activate.verify", service=service, version=version)
    told = f" && (version == `null` || version == {literal})"
    return (in_use, *healthy_checks(service, 20, sentence, told))


def _inverse(args: ActivateArgs) -> ToolCall:
    back = ActivateArgs(service=args.service, version=args.previous, previous=args.version)
    return ToolCall(tool="deploy.activate", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.current",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_current,
        parse=stdout_parser("deploy.current", _read_current),
        findings=CurrentFindings,
        tried_on=("fleet", "debian-12"),
    ),
    Tool(
        name="deploy.activate",
        risk=Risk.DEPLOY,
        rights=verb_rights("restart"),
        args=ActivateArgs,
        command=_activate,
        parse=stdout_parser("deploy.activate", success_findings),
        findings=Done,
        precheck=_as_planned,
        verify=lambda args: _runs(args.service, args.version),
        undo=_inverse,
        undo_verify=lambda args: _runs(args.service, args.previous),
        choices=(
            EvidenceChoice("version", "deploy.current", "releases"),
            EvidenceChoice("previous", "deploy.current", "[version]"),
        ),
        timeout=START_TIMEOUT,
        tried_on=("fleet", "debian-12"),
    ),
)
