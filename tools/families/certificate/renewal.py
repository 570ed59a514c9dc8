"""Renewal of a site's certificate from a file on the server, and the way back.

Both files are written beside the old ones with their owner and mode, moved into place, tested by
the web server's own check, and loaded. If the test or the reload fails, the old files return.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families.certificate.files import KINDS, CandidateArgs, files_of, read_rights
from guardia.tools.findings import Done, FindingsModel
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Right,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

_NEW, _OLD = ".guardia-new", ".guardia-backup"
_TESTS = {
    "nginx": ("nginx", ("-t",)),
    "apache": ("apachectl", ("configtest",)),
    "httpd": ("apachectl", ("configtest",)),
}
"""How a web server tests its configuration, by `Service.product`."""

# Backup and staged copy have fixed names, so that the lines for sudo are exact. The fingerprint of
# the backup says whether it is the one that the plan means. The staged copy is never followed as a
# link, or root would copy any file for the account.
_FILES: Final = r"""
fail() { echo "$1" >&2; exit 3; }
openssl=$1 cp=$2 mv=$3 stage=$4 systemctl=$5 unit=$6 tester=$7 word=$8 chain=$9 key=${10}
shift 10
fingerprint() {
  "$openssl" x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null |
    { IFS== read -r _ hex; printf '%s' "${hex//:/}"; } | tr 'A-F' 'a-f'
}
loaded() {
  if [ -n "$tester" ]; then as_root "$tester" "$word" || return 1; fi
  as_root "$systemctl" reload "$unit"
}
staged() {
  local folder=${stage%/*}
  umask 077
  mkdir -p -- "$folder"
  [ -O "$folder" ] && [ ! -L "$folder" ] || fail "$folder belongs to another account"
  rm -f -- "$2"
  cat -- "$1" > "$2"
  as_root "$cp" -P "$2" "$3.guardia-new"
}
put_back() {
  local file
  for file in "$@"; do
    as_root "$cp" -p "$file.guardia-backup" "$file.guardia-new"
    as_root "$mv" -f "$file.guardia-new" "$file"
  done
}
for file in "$chain" "$key"; do
  [ ! -L "$file" ] || fail "$file is a link: register the file that it leads to"
done
"""

_RENEW = Script(
    "certificate.renew",
    AS_ROOT
    + _FILES
    + r"""
source=$1 source_key=$2 wanted=$3 previous=$4
[ "$(fingerprint "$chain")" = "$previous" ] || fail "the installed certificate is another one now"
[ "$(fingerprint "$source")" = "$wanted" ] || fail "the new certificate is another one now"
changed=("$chain")
if [ -n "$source_key" ]; then changed+=("$key"); fi
for file in "${changed[@]}"; do
  as_root "$cp" -p "$file" "$file.guardia-backup"
  as_root "$cp" -p "$file" "$file.guardia-new"
done
trap 'rm -f -- "$stage.crt" "$stage.key"' EXIT
staged "$source" "$stage.crt" "$chain"
if [ -n "$source_key" ]; then staged "$source_key" "$stage.key" "$key"; fi
for file in "${changed[@]}"; do as_root "$mv" -f "$file.guardia-new" "$file"; done
if ! said=$(loaded 2>&1); then
  put_back "${changed[@]}"
  loaded >/dev/null 2>&1 || true
  fail "the web server does not accept it, and the old files are back: $(
    printf '%s' "$said" | tail -c 400)"
fi
""",
)

_RESTORE = Script(
    "certificate.restore",
    AS_ROOT
    + _FILES
    + r"""
source=$1 source_key=$2 wanted=$3
if [ "$(fingerprint "$chain")" != "$wanted" ]; then
  [ "$(fingerprint "$chain.guardia-backup")" = "$wanted" ] ||
    fail "$chain.guardia-backup is not the certificate of before"
  changed=("$chain")
  if [ -n "$source_key" ]; then changed+=("$key"); fi
  put_back "${changed[@]}"
fi
loaded
""",
)

Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class RenewArgs(CandidateArgs):
    """The new chain with its fingerprint, and the fingerprint of the one that it replaces."""

    sha256: Fingerprint
    previous: Fingerprint


def _unit(service: Service) -> str:
    if not service.unit:
        raise Refused(why=t("tools.target.lacks", service=service.name, what="unit"))
    return service.unit


def _stage(host: Host, service: Service) -> str:
    """Return where the account puts a new file for root to copy, without its ending."""
    return f"/var/tmp/guardia-{host.account}/{service.name}"


def _tester(host: Host, service: Service) -> tuple[str, ...]:
    program, words = _TESTS.get(service.product, ("", ()))
    return (host.facts.program(program), *words) if program else ()


def _command(script: Script, args: RenewArgs, host: Host) -> Command:
    service = service_on(host, args.service, KINDS)
    openssl, cp, mv, systemctl = map(host.facts.program, ("openssl", "cp", "mv", "systemctl"))
    tester, word = _tester(host, service) or ("", "")
    source_key = args.source_key or ""
    given = (args.source, source_key, args.sha256, args.previous)
    programs = (openssl, cp, mv, _stage(host, service), systemctl)
    return privileged_script(
        host, script, *programs, _unit(service), tester, word, *files_of(service), *given
    )


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    cp, mv, stage = host.facts.program("cp"), host.facts.program("mv"), _stage(host, service)
    rights: list[Right] = [*read_rights(host, service)]
    for path, ending in zip(files_of(service), (".crt", ".key"), strict=True):
        rights += [
            (cp, "-p", path, path + _OLD),
            (cp, "-p", path, path + _NEW),
            (cp, "-p", path + _OLD, path + _NEW),
            (cp, "-P", stage + ending, path + _NEW),
            (mv, "-f", path + _NEW, path),
        ]
    tester = _tester(host, service)
    reload = (host.facts.program("systemctl"), "reload", _unit(service))
    return (*rights, *((tester,) if tester else ()), reload)


def _is_usable(args: RenewArgs) -> tuple[Check, ...]:
    wanted: dict[str, Any] = {"service": args.service, "source": args.source}
    if args.source_key:
        wanted["source_key"] = args.source_key
    new, old = jmespath_literal(args.sha256), jmespath_literal(args.previous)
    expect = f"usable && candidate.sha256 == {new} && installed.sha256 == {old}"
    call = ToolCall(tool="certificate.candidate", args=wanted)
    sentence = t("tools.certificate.renew.precheck", source=args.source)
    return (Check(call=call, expect=expect, sentence=sentence),)


def _is_served(args: RenewArgs, sha256: str, verb: str = "renew") -> tuple[Check, ...]:
    call = ToolCall(tool="certificate.files", args={"service": args.service})
    literal = jmespath_literal(sha256)
    expect = f"installed.sha256 == {literal} && served_sha256 == {literal}"
    sentence = t(f"tools.certificate.{verb}.verify", sha256=sha256[:16])
    return (Check(call=call, expect=expect, within=20, sentence=sentence),)


def _restore_call(args: RenewArgs) -> ToolCall:
    back = args.model_copy(update={"sha256": args.previous, "previous": args.sha256})
    return ToolCall(tool="certificate.restore", args=back.model_dump())


_REQUIRES = ("openssl", "systemctl", "cp", "mv", "nginx|apachectl|systemctl")


def _declared(name: str, script: Script, **more: Any) -> Tool[RenewArgs]:
    """Declare one of the two changes."""
    findings: type[FindingsModel] = Done
    return Tool(
        name=name,
        risk=Risk.CHANGE,
        args=RenewArgs,
        command=lambda args, host: _command(script, args, host),
        parse=stdout_parser(name, success_findings),
        findings=findings,
        tried_on=("debian-12",),
        verify=lambda args: _is_served(args, args.sha256, name.partition(".")[2]),
        timeout=60.0,
        kinds=KINDS,
        platforms=("systemd",),
        requires=_REQUIRES,
        rights=_rights,
        **more,
    )


TOOLS: tuple[Tool[Any], ...] = (
    _declared(
        "certificate.renew",
        _RENEW,
        precheck=_is_usable,
        undo=_restore_call,
        undo_verify=lambda args: _is_served(args, args.previous, "restore"),
        choices=(
            EvidenceChoice(
                "sha256",
                "certificate.candidate",
                "[@]",
                "candidate.sha256",
                {"previous": "installed.sha256", "source": "source"},
            ),
        ),
    ),
    _declared(
        "certificate.restore",
        _RESTORE,
        irreversible="tools.certificate.restore.irreversible",
    ),
)
