"""A WAR in Tomcat's `webapps`: replaced as a whole, restored from what was there."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.checksum import SHA256
from guardia.tools.command import Command, Script
from guardia.tools.families.deploy.content import (
    ACT,
    ARRIVED,
    TRANSFER_TIMEOUT,
    ContentArgs,
    Replaced,
    home,
    program,
)
from guardia.tools.families.service import healthy_checks
from guardia.tools.findings import Count, Done, FindingsModel
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import (
    Findings,
    Right,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

WarFile = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._#-]{0,99}\.war$")]
"""Name of the file: it decides the context path."""
_DEPLOY_SECONDS = 90
"""Seconds within which Tomcat notices a new file and has deployed it; it looks every 10 s."""

# Tomcat notes in war-tracker of the unpacked application which file it was unpacked from.
_INSTALLED = Script(
    "deploy.war_state",
    AS_ROOT
    + SHA256
    + r"""
folder=$1 name=$2 stat=$3
echo "free $(df -Pk -- "$folder" | { read -r _; read -r _ _ _ free _; echo "$free"; })"
if [ -f "$folder/$name" ]; then echo "war $(sha256 < "$folder/$name")"; else echo 'war -'; fi
old=$folder/.$name.guardia-old
if [ -f "$old" ]; then echo "old $(sha256 < "$old")"; fi
track=$folder/${name%.war}/META-INF/war-tracker
if [ -d "$folder/${name%.war}" ] && [ -f "$folder/$name" ]; then
  if [ -r "$track" ]; then from=$("$stat" -c %Y -- "$track"); else
    from=$(as_root "$stat" -c %Y -- "$track" 2>/dev/null || true)
  fi
  case $from in
    '') ;;
    "$("$stat" -c %Y -- "$folder/$name")") echo 'deployed 1' ;;
    *) echo 'deployed 0' ;;
  esac
elif [ -f "$folder/$name" ]; then echo 'deployed 0'; fi
""",
)

# Tomcat and its war-tracker may tell files apart by whole seconds only (Java 8 does).
NEXT_SECOND: Final = r"""
await_next_second() {
  if [ -f "$1" ] && [ "$(stat -c %Y -- "$1")" -ge "$(date +%s)" ]; then sleep 1.1; fi
}
"""

# What is there is linked to a second name before another file takes its place in one step: there is
# always a whole file, and the old one is never copied.
_WAR = Script(
    "deploy.war",
    AS_ROOT
    + SHA256
    + ARRIVED
    + ACT
    + NEXT_SECOND
    + r"""
part=$1 want=$2 folder=$3 name=$4 previous=$5 cp=$6 chmod=$7 ln=$8 mv=$9 rm=${10}
file=$folder/$name new=$folder/.$name.guardia-new old=$folder/.$name.guardia-old
found=
if [ -f "$file" ]; then found=$(sha256 < "$file"); fi
if [ "$found" = "$want" ]; then rm -f -- "$part"; exit 0; fi
[ "$found" = "$previous" ] || fail "$name is not the one that the plan replaces"
require_arrived
placed ".guardia/$name"
await_next_second "$file"
if ! act "$cp" -- "$PWD/.guardia/$name" "$new"; then
  act "$rm" -f -- "$new"
  fail "the copy failed"
fi
act "$chmod" 644 -- "$new"
[ "$(sha256 < "$new")" = "$want" ] || fail "the copy has another digest: is the disk full?"
sync_file "$new"
if [ -n "$previous" ]; then act "$ln" -f -- "$file" "$old"; fi
act "$mv" -f -- "$new" "$file"
sync_file "$folder"
rm -f -- ".guardia/$name"
""",
)

_RESTORE = Script(
    "deploy.war_restore",
    AS_ROOT
    + SHA256
    + ACT
    + NEXT_SECOND
    + r"""
folder=$1 name=$2 want=$3 replaced=$4 mv=$5 rm=$6 touch=$7
fail() { echo "$1" >&2; exit 3; }
file=$folder/$name old=$folder/.$name.guardia-old
found=
if [ -f "$file" ]; then found=$(sha256 < "$file"); fi
if [ "$found" = "$want" ]; then exit 0; fi
[ "$found" = "$replaced" ] || fail "$name has been changed since"
if [ -z "$want" ]; then act "$rm" -f -- "$file"; exit 0; fi
[ -f "$old" ] && [ "$(sha256 < "$old")" = "$want" ] || fail "what was there before is gone"
await_next_second "$file"
act "$touch" -- "$old"
act "$mv" -f -- "$old" "$file"
sync
""",
)


class WarStateArgs(ServiceArgs):
    """A WAR in the `webapps` of a service."""

    file: WarFile


class WarFindings(FindingsModel):
    """The file that is there, and whether Tomcat runs it."""

    sha256: Replaced | None
    kept: Replaced | None
    """Digest of the one that was replaced last."""
    deployed: bool | None
    """Whether Tomcat has unpacked this file; `None`: not readable for the account."""
    free_kb: Count


class WarArgs(ContentArgs):
    """A WAR and the digest of the one that it replaces."""

    file: WarFile
    previous: Replaced


class WarRestoreArgs(ServiceArgs):
    """The WAR to bring back, and the one that is there now."""

    file: WarFile
    sha256: Replaced
    replaced: Replaced


def _state(args: WarStateArgs, host: Host) -> Command:
    folder = target.webapps(service_on(host, args.service, HTTP_KINDS))
    return privileged_script(host, _INSTALLED, folder, args.file, program(host, "stat"))


def _read_state(text: str) -> Findings:
    facts = dict(line.partition(" ")[::2] for line in text.splitlines())
    return {
        "sha256": None if facts["war"] == "-" else facts["war"],
        "kept": facts.get("old"),
        "deployed": {"1": True, "0": False}.get(facts.get("deployed", "")),
        "free_kb": int(facts["free"]),
    }


def _war(args: WarArgs, host: Host) -> Command:
    folder = target.webapps(service_on(host, args.service, HTTP_KINDS))
    programs = (program(host, name) for name in ("cp", "chmod", "ln", "mv", "rm"))
    values = (args.upload.path, args.sha256, folder, args.file, args.previous, *programs)
    return privileged_script(host, _WAR, *values).with_upload(args.upload)


def _restore(args: WarRestoreArgs, host: Host) -> Command:
    folder = target.webapps(service_on(host, args.service, HTTP_KINDS))
    programs = (program(host, name) for name in ("mv", "rm", "touch"))
    return privileged_script(
        host, _RESTORE, folder, args.file, args.sha256, args.replaced, *programs
    )


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    """Return the commands for the WAR that is called like the service."""
    if service is None or service.layout != "webapps" or not service.root:
        return ()
    folder, name = target.webapps(service), f"{service.name}.war"
    file, new, old = (
        f"{folder}/{name}", f"{folder}/.{name}.guardia-new", f"{folder}/.{name}.guardia-old"
    )  # fmt: skip
    cp, chmod, ln, mv, rm, touch, stat = (
        program(host, p) for p in ("cp", "chmod", "ln", "mv", "rm", "touch", "stat")
    )
    track = f"{folder}/{service.name}/META-INF/war-tracker"
    return (
        (cp, "--", f"{home(host)}/.guardia/{name}", new),
        (chmod, "644", "--", new),
        (ln, "-f", "--", file, old),
        (mv, "-f", "--", new, file),
        (mv, "-f", "--", old, file),
        (rm, "-f", "--", file),
        (rm, "-f", "--", new),
        (touch, "--", old),
        (stat, "-c", "%Y", "--", track),
    )


def _look(args: WarArgs | WarRestoreArgs) -> ToolCall:
    return ToolCall(tool="deploy.war_state", args={"service": args.service, "file": args.file})


def _is(sha256: str) -> str:
    return f"sha256 == {jmespath_literal(sha256)}" if sha256 else "sha256 == `null`"


def _as_planned(args: WarArgs) -> tuple[Check, ...]:
    needed = 3 * args.size // 1024
    return (
        Check(
            call=_look(args),
            expect=f"({_is(args.previous)} || {_is(args.sha256)}) && free_kb > `{needed}`",
            sentence=t("tools.deploy.war.precheck", file=args.file, megabytes=needed // 1024 + 1),
        ),
    )


def _is_kept(args: WarRestoreArgs) -> tuple[Check, ...]:
    kept = f" && kept == {jmespath_literal(args.sha256)}" if args.sha256 else ""
    return (
        Check(
            call=_look(args),
            expect=f"({_is(args.replaced)}{kept}) || {_is(args.sha256)}",
            sentence=t("tools.deploy.war_restore.precheck", file=args.file),
        ),
    )


def _runs(service: str, call: ToolCall, sha256: str, name: str) -> tuple[Check, ...]:
    deployed = Check(
        call=call,
        expect=f"{_is(sha256)} && deployed != `false`" if sha256 else _is(sha256),
        within=_DEPLOY_SECONDS,
        sentence=t("tools.deploy.war.verify", file=name),
    )
    if not sha256:
        return (deployed,)
    sentence = t("tools.deploy.war.answers", service=service)
    return (deployed, *healthy_checks(service, _DEPLOY_SECONDS, sentence))


def _inverse(args: WarArgs) -> ToolCall:
    back = WarRestoreArgs(
        service=args.service, file=args.file, sha256=args.previous, replaced=args.sha256
    )
    return ToolCall(tool="deploy.war_restore", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.war_state",
        risk=Risk.READ,
        args=WarStateArgs,
        command=_state,
        parse=stdout_parser("deploy.war_state", _read_state),
        findings=WarFindings,
        kinds=HTTP_KINDS,
        platforms=("tomcat",),
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.war",
        risk=Risk.DEPLOY,
        args=WarArgs,
        command=_war,
        parse=stdout_parser("deploy.war", success_findings),
        findings=Done,
        precheck=_as_planned,
        verify=lambda args: _runs(args.service, _look(args), args.sha256, args.file),
        undo=_inverse,
        undo_verify=lambda args: _runs(args.service, _look(args), args.previous, args.file),
        timeout=TRANSFER_TIMEOUT,
        kinds=HTTP_KINDS,
        platforms=("tomcat",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.war_restore",
        risk=Risk.DEPLOY,
        args=WarRestoreArgs,
        command=_restore,
        parse=stdout_parser("deploy.war_restore", success_findings),
        findings=Done,
        precheck=_is_kept,
        verify=lambda args: _runs(args.service, _look(args), args.sha256, args.file),
        irreversible="tools.deploy.war_restore.irreversible",
        timeout=300.0,
        kinds=HTTP_KINDS,
        platforms=("tomcat",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
)
