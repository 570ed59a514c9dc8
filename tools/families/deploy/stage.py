"""Unpack an uploaded release beside those that are there; nothing that runs is touched."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.checksum import SHA256
from guardia.tools.command import Command, Script
from guardia.tools.families.deploy.content import (
    ARRIVED,
    TRANSFER_TIMEOUT,
    ContentArgs,
    Digest,
)
from guardia.tools.families.deploy.releases import Version
from guardia.tools.findings import Count, Done, FindingsModel, Word
from guardia.tools.target import service_on
from guardia.tools.tool import (
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

_MARK_CHARACTERS = 64

_STAGED = Script(
    "deploy.staged",
    r"""
root=$1 version=$2
echo "free $(df -Pk -- "$root" | { read -r _; read -r _ _ _ free _; echo "$free"; })"
if [ -w "$root/releases" ]; then echo 'writable 1'; else echo 'writable 0'; fi
if [ -d "$root/releases/$version" ]; then
  mark=
  if [ -f "$root/releases/$version/.guardia" ]; then
    mark=$(head -c 64 -- "$root/releases/$version/.guardia")
  fi
  echo "staged ${mark:--}"
fi
current=$(readlink -- "$root/current" || true)
current=${current%/}
echo "current ${current##*/}"
""",
)

# The folder gets its name when all of it is on the disk, so a release is whole or not there. An
# archive that names files outside of it is refused, also by a tar that would write them.
_STAGE = Script(
    "deploy.stage",
    SHA256
    + ARRIVED
    + r"""
part=$1 want=$2 root=$3 version=$4
releases=$root/releases final=$root/releases/$4
mark() { head -c 64 -- "$final/.guardia" 2>/dev/null || true; }
if [ -d "$final" ]; then
  [ "$(mark)" = "$want" ] || fail "there is another release $version"
  rm -f -- "$part"
  exit 0
fi
[ -d "$releases" ] || fail "no folder $releases"
require_arrived
new=$releases/.$version.new
rm -rf -- "$new"
trap 'rm -rf -- "$new"' EXIT
mkdir -m 755 -- "$new"
case $(head -c 2 -- "$part" | od -An -tx1 | tr -d ' \n') in
  1f8b) list() { gzip -dc < "$part" | tar -tf -; }
    unpack() { gzip -dc < "$part" | (cd -- "$new" && tar -xf -); } ;;
  504b) command -v unzip >/dev/null || fail "unzip is missing"
    list() { unzip -Z1 "$part"; }
    unpack() { unzip -q "$part" -d "$new"; } ;;
  *) list() { tar -tf - < "$part"; }
    unpack() { (cd -- "$new" && tar -xf -) < "$part"; } ;;
esac
bad=$(list | grep -E '^/|(^|/)\.\.(/|$)' | head -n 1 || true)
[ -z "$bad" ] || fail "the archive names files outside of it"
unpack || fail "the archive could not be unpacked"
printf '%s\n' "$want" > "$new/.guardia"
sync
mv -- "$new" "$final"
trap - EXIT
sync
rm -f -- "$part"
""",
)

_UNSTAGE = Script(
    "deploy.unstage",
    r"""
root=$1 version=$2 want=$3
fail() { echo "$1" >&2; exit 3; }
final=$root/releases/$version
[ -d "$final" ] || exit 0
current=$(readlink -- "$root/current" || true)
current=${current%/}
[ "${current##*/}" != "$version" ] || fail "release $version is in use"
[ "$(head -c 64 -- "$final/.guardia" 2>/dev/null || true)" = "$want" ] ||
  fail "release $version was not staged by this step"
gone=$root/releases/.$version.gone
rm -rf -- "$gone"
mv -- "$final" "$gone"
rm -rf -- "$gone"
""",
)


class StagedArgs(ServiceArgs):
    """A release of a service."""

    version: Version


class StagedFindings(FindingsModel):
    """Whether a release is there, and whether it could be."""

    staged: bool
    sha256: Annotated[str, Field(max_length=_MARK_CHARACTERS)] | None
    """Digest of the artefact that it was unpacked from; `None` if it came another way."""
    free_kb: Count
    writable: bool
    current: Word | None


class StageArgs(ContentArgs):
    """A release and the artefact that it is unpacked from."""

    version: Version


class UnstageArgs(ServiceArgs):
    """A release that was unpacked from an artefact."""

    version: Version
    sha256: Digest


def _staged(args: StagedArgs, host: Host) -> Command:
    return Command.script(_STAGED, target.root(service_on(host, args.service)), args.version)


def _read_staged(text: str) -> Findings:
    facts = dict(line.partition(" ")[::2] for line in text.splitlines())
    mark = facts.get("staged", "").strip()
    return {
        "staged": "staged" in facts,
        "sha256": mark if len(mark) == _MARK_CHARACTERS else None,
        "free_kb": int(facts["free"]),
        "writable": facts["writable"] == "1",
        "current": facts["current"] or None,
    }


def _stage(args: StageArgs, host: Host) -> Command:
    root = target.root(service_on(host, args.service))
    command = Command.script(_STAGE, args.upload.path, args.sha256, root, args.version)
    return command.with_upload(args.upload)


def _unstage(args: UnstageArgs, host: Host) -> Command:
    root = target.root(service_on(host, args.service))
    return Command.script(_UNSTAGE, root, args.version, args.sha256)


def _look(args: StageArgs | UnstageArgs) -> ToolCall:
    return ToolCall(tool="deploy.staged", args={"service": args.service, "version": args.version})


def _has_room(args: StageArgs) -> tuple[Check, ...]:
    """Require space for the archive and what it holds: four times its size is usual."""
    needed = 4 * args.size // 1024
    return (
        Check(
            call=_look(args),
            expect=f"writable && free_kb > `{needed}` && (!staged || sha256 == "
            f"{jmespath_literal(args.sha256)})",
            sentence=t(
                "tools.deploy.stage.precheck", version=args.version, megabytes=needed // 1024 + 1
            ),
        ),
    )


def _is_staged(args: StageArgs) -> tuple[Check, ...]:
    return (
        Check(
            call=_look(args),
            expect=f"staged && sha256 == {jmespath_literal(args.sha256)}",
            sentence=t("tools.deploy.stage.verify", version=args.version),
        ),
    )


def _is_gone(args: StageArgs | UnstageArgs) -> tuple[Check, ...]:
    sentence = t("tools.deploy.unstage.verify", version=args.version)
    return (Check(call=_look(args), expect="!staged", sentence=sentence),)


def _inverse(args: StageArgs) -> ToolCall:
    back = UnstageArgs(service=args.service, version=args.version, sha256=args.sha256)
    return ToolCall(tool="deploy.unstage", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.staged",
        risk=Risk.READ,
        args=StagedArgs,
        command=_staged,
        parse=stdout_parser("deploy.staged", _read_staged),
        findings=StagedFindings,
        tried_on=("fleet", "debian-12"),
    ),
    Tool(
        name="deploy.stage",
        risk=Risk.CHANGE,
        args=StageArgs,
        command=_stage,
        parse=stdout_parser("deploy.stage", success_findings),
        findings=Done,
        precheck=_has_room,
        verify=_is_staged,
        undo=_inverse,
        undo_verify=_is_gone,
        timeout=TRANSFER_TIMEOUT,
        requires=("tar", "gzip", "od", "sha256sum|openssl|shasum"),
        tried_on=("fleet", "debian-12"),
    ),
    Tool(
        name="deploy.unstage",
        risk=Risk.CHANGE,
        args=UnstageArgs,
        command=_unstage,
        parse=stdout_parser("deploy.unstage", success_findings),
        findings=Done,
        verify=_is_gone,
        irreversible="tools.deploy.unstage.irreversible",
        timeout=300.0,
        tried_on=("fleet", "debian-12"),
    ),
)
