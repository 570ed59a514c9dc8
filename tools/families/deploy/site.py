"""A static site: its folder is exchanged for an unpacked artefact, and exchanged back."""

from __future__ import annotations

from typing import Any

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
    Digest,
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

_STATE = Script(
    "deploy.site_state",
    r"""
site=$1
echo "free $(df -Pk -- "${site%/*}" | { read -r _; read -r _ _ _ free _; echo "$free"; })"
mark() { head -c 64 -- "$1/.guardia" 2>/dev/null || true; }
if [ -d "$site" ]; then echo "site $(mark "$site")"; fi
old=${site%/*}/.${site##*/}.guardia-old
if [ -d "$old" ]; then echo "old $(mark "$old")"; fi
""",
)

# The new folder is complete, and on the disk, before it takes the place of the old one. Between the
# two renames the site is missing for less than a millisecond.
_SITE = Script(
    "deploy.site",
    AS_ROOT
    + SHA256
    + ARRIVED
    + ACT
    + r"""
part=$1 want=$2 site=$3 previous=$4 service=$5 cp=$6 mv=$7 rm=$8
folder=${site%/*} new=${site%/*}/.${site##*/}.guardia-new old=${site%/*}/.${site##*/}.guardia-old
mark() { head -c 64 -- "$1/.guardia" 2>/dev/null || true; }
[ -d "$site" ] && [ ! -L "$site" ] || fail "$site is no folder"
if [ "$(mark "$site")" = "$want" ]; then rm -f -- "$part"; exit 0; fi
[ "$(mark "$site")" = "$previous" ] || fail "the site is not the one that the plan replaces"
require_arrived
work=$PWD/.guardia/$service.site
rm -rf -- "$work"
trap 'rm -rf -- "$work"' EXIT
mkdir -m 755 -- "$work"
case $(head -c 2 -- "$part" | od -An -tx1 | tr -d ' \n') in
  1f8b) list() { gzip -dc < "$part" | tar -tf -; }
    unpack() { gzip -dc < "$part" | (cd -- "$work" && tar -xf -); } ;;
  *) list() { tar -tf - < "$part"; }
    unpack() { (cd -- "$work" && tar -xf -) < "$part"; } ;;
esac
bad=$(list | grep -E '^/|(^|/)\.\.(/|$)' | head -n 1 || true)
[ -z "$bad" ] || fail "the archive names files outside of it"
unpack || fail "the archive could not be unpacked"
printf '%s\n' "$want" > "$work/.guardia"
chmod -R u+rwX,go+rX,go-w -- "$work"
act "$rm" -rf -- "$new"
act "$cp" -R -- "$work" "$new" || { act "$rm" -rf -- "$new"; fail "the disk has no room"; }
sync
act "$rm" -rf -- "$old"
act "$mv" -- "$site" "$old"
act "$mv" -- "$new" "$site" || { act "$mv" -- "$old" "$site"; fail "the site was not exchanged"; }
sync
rm -f -- "$part"
""",
)

_RESTORE = Script(
    "deploy.site_restore",
    AS_ROOT
    + ACT
    + r"""
site=$1 want=$2 replaced=$3 mv=$4 rm=$5
fail() { echo "$1" >&2; exit 3; }
folder=${site%/*} new=${site%/*}/.${site##*/}.guardia-new old=${site%/*}/.${site##*/}.guardia-old
mark() { head -c 64 -- "$1/.guardia" 2>/dev/null || true; }
if [ -d "$site" ] && [ "$(mark "$site")" = "$want" ]; then exit 0; fi
[ -d "$old" ] && [ "$(mark "$old")" = "$want" ] || fail "what was there before is gone"
if [ -d "$site" ]; then
  [ "$(mark "$site")" = "$replaced" ] || fail "the site has been changed since"
  act "$rm" -rf -- "$new"
  act "$mv" -- "$site" "$new"
fi
act "$mv" -- "$old" "$site"
act "$rm" -rf -- "$new"
sync
""",
)


class SiteFindings(FindingsModel):
    """Which artefact the site is from, and which one it replaced."""

    present: bool
    sha256: Replaced
    """Empty: it came another way."""
    kept: Replaced | None
    free_kb: Count


class SiteArgs(ContentArgs):
    """The artefact of a site and the one that it replaces."""

    previous: Replaced


class SiteRestoreArgs(ServiceArgs):
    """The site to bring back, and the one that is there now."""

    sha256: Replaced
    replaced: Digest


def _site(host: Host, name: str) -> str:
    service = service_on(host, name, HTTP_KINDS)
    target.require_layout(service, "static")
    return target.root(service)


def _state(args: ServiceArgs, host: Host) -> Command:
    return Command.script(_STATE, _site(host, args.service))


def _read_state(text: str) -> Findings:
    facts = dict(line.partition(" ")[::2] for line in text.splitlines())
    return {
        "present": "site" in facts,
        "sha256": facts.get("site", "").strip(),
        "kept": facts["old"].strip() if "old" in facts else None,
        "free_kb": int(facts["free"]),
    }


def _deploy(args: SiteArgs, host: Host) -> Command:
    site = _site(host, args.service)
    programs = (program(host, name) for name in ("cp", "mv", "rm"))
    values = (args.upload.path, args.sha256, site, args.previous, args.service, *programs)
    return privileged_script(host, _SITE, *values).with_upload(args.upload)


def _restore(args: SiteRestoreArgs, host: Host) -> Command:
    site = _site(host, args.service)
    mv, rm = program(host, "mv"), program(host, "rm")
    return privileged_script(host, _RESTORE, site, args.sha256, args.replaced, mv, rm)


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or service.layout != "static" or not service.root:
        return ()
    site = target.root(service)
    folder, _, name = site.rpartition("/")
    new, old = f"{folder}/.{name}.guardia-new", f"{folder}/.{name}.guardia-old"
    cp, mv, rm = (program(host, p) for p in ("cp", "mv", "rm"))
    return (
        (cp, "-R", "--", f"{home(host)}/.guardia/{service.name}.site", new),
        (rm, "-rf", "--", new),
        (rm, "-rf", "--", old),
        (mv, "--", site, old),
        (mv, "--", site, new),
        (mv, "--", new, site),
        (mv, "--", old, site),
    )


def _look(service: str) -> ToolCall:
    return ToolCall(tool="deploy.site_state", args={"service": service})


def _as_planned(args: SiteArgs) -> tuple[Check, ...]:
    needed = 8 * args.size // 1024
    known = f"contains(`{_pair(args.previous, args.sha256)}`, sha256)"
    return (
        Check(
            call=_look(args.service),
            expect=f"present && {known} && free_kb > `{needed}`",
            sentence=t("tools.deploy.site.precheck", megabytes=needed // 1024 + 1),
        ),
    )


def _is_kept(args: SiteRestoreArgs) -> tuple[Check, ...]:
    wanted = jmespath_literal(args.sha256)
    changed = f"sha256 == {jmespath_literal(args.replaced)} && kept == {wanted}"
    return (
        Check(
            call=_look(args.service),
            expect=f"present && ({changed} || sha256 == {wanted})",
            sentence=t("tools.deploy.site_restore.precheck"),
        ),
    )


def _pair(first: str, second: str) -> str:
    return f'["{first}", "{second}"]'


def _serves(service: str, sha256: str) -> tuple[Check, ...]:
    shown = Check(
        call=_look(service),
        expect=f"present && sha256 == {jmespath_literal(sha256)}",
        sentence=t("tools.deploy.site.verify"),
    )
    sentence = t("tools.deploy.site.answers", service=service)
    return (shown, *healthy_checks(service, 20, sentence))


def _inverse(args: SiteArgs) -> ToolCall:
    back = SiteRestoreArgs(service=args.service, sha256=args.previous, replaced=args.sha256)
    return ToolCall(tool="deploy.site_restore", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.site_state",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_state,
        parse=stdout_parser("deploy.site_state", _read_state),
        findings=SiteFindings,
        kinds=HTTP_KINDS,
        platforms=("nginx", "apache"),
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.site",
        risk=Risk.DEPLOY,
        args=SiteArgs,
        command=_deploy,
        parse=stdout_parser("deploy.site", success_findings),
        findings=Done,
        precheck=_as_planned,
        verify=lambda args: _serves(args.service, args.sha256),
        undo=_inverse,
        undo_verify=lambda args: _serves(args.service, args.previous),
        timeout=TRANSFER_TIMEOUT,
        kinds=HTTP_KINDS,
        platforms=("nginx", "apache"),
        requires=("tar", "gzip", "od", "sha256sum|openssl|shasum"),
        rights=_rights,
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.site_restore",
        risk=Risk.DEPLOY,
        args=SiteRestoreArgs,
        command=_restore,
        parse=stdout_parser("deploy.site_restore", success_findings),
        findings=Done,
        precheck=_is_kept,
        verify=lambda args: _serves(args.service, args.sha256),
        irreversible="tools.deploy.site_restore.irreversible",
        timeout=300.0,
        kinds=HTTP_KINDS,
        platforms=("nginx", "apache"),
        rights=_rights,
        tried_on=("debian-12",),
    ),
)
