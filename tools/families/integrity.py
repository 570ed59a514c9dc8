"""Integrity of a service's configuration: SHA-256 of its files against a recorded baseline.

Baselines are manifests named by their own digest in the account's `~/.guardia/integrity`; a link
says which one applies. The digest is part of plan and findings, so a manifest that was changed on
the server is noticed.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host
from guardia.tools import target
from guardia.tools.command import Command, Script
from guardia.tools.findings import Count, Done, FilePath, FindingsModel, Word
from guardia.tools.target import service_on
from guardia.tools.tool import (
    EvidenceChoice,
    Findings,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

KINDS: Final = ("http", "tls", "postgresql", "mysql", "oracle", "tibero", "cubrid", "system")
_SHOWN: Final = 100
_REQUIRES = ("find", "sha256sum", "sort")

# A manifest has one line a file: digest, two blanks, path. Links are listed by their target. Names
# with a line break are escaped by sha256sum and begin with a backslash.
_MANIFEST: Final = r"""
path=$1 service=$2 most=2000
fail() { echo "$1" >&2; exit 3; }
[ -e "$path" ] || fail "no such file or folder: $path"
keep=$HOME/.guardia/integrity
pointer=$keep/$service.baseline
manifest() {
  local count
  count=$(find "$path" -xdev -type f 2>/dev/null | awk 'END { print NR }')
  [ "$count" -le "$most" ] || fail "$path has $count files, more than $most: name a smaller folder"
  { find "$path" -xdev -type f -exec sha256sum -- {} + 2>/dev/null || true
    find "$path" -xdev -type l 2>/dev/null | while IFS= read -r link; do
      printf 'link:%s  %s\n' "$(readlink -- "$link")" "$link"
    done
  } | sort
}
digest() { sha256sum | { read -r sum _; printf '%s' "$sum"; }; }
recorded() {
  local name=
  if [ -f "$pointer" ]; then read -r name < "$pointer" || true; fi
  case $name in *[!0-9a-f]*) name= ;; esac
  printf '%s' "$name"
}
"""

_SCAN = Script(
    "integrity.scan",
    _MANIFEST
    + r"""
now=$(manifest)
baseline=$(recorded)
echo "digest $(printf '%s\n' "$now" | digest)"
echo "count $(printf '%s\n' "$now" | awk 'NF { n++ } END { print n + 0 }')"
echo "unreadable $(find "$path" -xdev -type f ! -readable 2>/dev/null | awk 'END { print NR }')"
echo "baseline ${baseline:-none}"
if [ -n "$baseline" ]; then
  file=$keep/$service.$baseline
  if [ -f "$file" ] && [ "$(digest < "$file")" = "$baseline" ]; then
    echo "intact 1"
    { comm -23 "$file" <(printf '%s\n' "$now") | while IFS= read -r line; do
        echo "before ${line#*  }"
      done
      comm -13 "$file" <(printf '%s\n' "$now") | while IFS= read -r line; do
        echo "after ${line#*  }"
      done
    } | awk 'NR <= 4000'
  else
    echo "intact 0"
  fi
fi
""",
)

_SET_BASELINE = Script(
    "integrity.set_baseline",
    _MANIFEST
    + r"""
wanted=$3 previous=$4
umask 077
mkdir -p -- "$keep"
now=$(recorded)
[ "${now:-none}" = "$previous" ] || fail "the baseline is ${now:-none}, not $previous"
if [ "$wanted" = none ]; then rm -f -- "$pointer"; exit 0; fi
file=$keep/$service.$wanted
if [ ! -f "$file" ] || [ "$(digest < "$file")" != "$wanted" ]; then
  found=$(manifest)
  [ "$(printf '%s\n' "$found" | digest)" = "$wanted" ] ||
    fail "the files changed since they were read"
  printf '%s\n' "$found" > "$file.new"
  mv -f -- "$file.new" "$file"
fi
printf '%s\n' "$wanted" > "$pointer.new"
mv -f -- "$pointer.new" "$pointer"
""",
)

Digest = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64}|none)$")]
"""SHA-256 of a manifest, or `none`."""


class BaselineArgs(ServiceArgs):
    """The baseline that is to apply, and the one before."""

    digest: Digest
    previous: Digest


class DifferenceFindings(FindingsModel):
    """A file that differs from the baseline."""

    path: FilePath
    change: Literal["changed", "added", "removed"]


class ScanFindings(FindingsModel):
    """The digest of all files, and how they differ from the baseline."""

    digest: Word
    count: Count
    unreadable: Count
    """Files that the account may not read: they are not covered."""
    baseline: Word
    """Digest of the baseline, or `none`."""
    baseline_intact: bool | None
    """`False`: the manifest on the server was changed."""
    unchanged: bool | None
    differences: Annotated[list[DifferenceFindings], Field(max_length=_SHOWN)]
    difference_count: Count


def _command(script: Script, args: ServiceArgs, host: Host, *more: str) -> Command:
    service = service_on(host, args.service, KINDS)
    return Command.script(script, target.config(service), service.name, *more)


def _set_baseline(args: BaselineArgs, host: Host) -> Command:
    return _command(_SET_BASELINE, args, host, args.digest, args.previous)


def _read_scan(text: str) -> Findings:
    facts: dict[str, str] = {}
    before: set[str] = set()
    after: set[str] = set()
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name in ("before", "after"):
            (before if name == "before" else after).add(value[:4096])
        else:
            facts[name] = value
    differences = [
        {"path": path, "change": _change(path in before, path in after)}
        for path in sorted(before | after)
    ]
    intact = {"1": True, "0": False}.get(facts.get("intact", ""))
    return {
        "digest": facts["digest"],
        "count": int(facts["count"]),
        "unreadable": int(facts["unreadable"]),
        "baseline": facts["baseline"],
        "baseline_intact": intact,
        "unchanged": facts["digest"] == facts["baseline"] if intact else None,
        "differences": differences[:_SHOWN],
        "difference_count": len(differences),
    }


def _change(was: bool, is_now: bool) -> str:
    return "changed" if was and is_now else "removed" if was else "added"


def _scan_is(args: BaselineArgs, expect: str, sentence: str) -> tuple[Check, ...]:
    call = ToolCall(tool="integrity.scan", args={"service": args.service})
    return (Check(call=call, expect=expect, sentence=sentence),)


def _as_planned(args: BaselineArgs) -> tuple[Check, ...]:
    digest, previous = jmespath_literal(args.digest), jmespath_literal(args.previous)
    expect = f"digest == {digest} && baseline == {previous}"
    return _scan_is(args, expect, t("tools.integrity.set_baseline.precheck"))


def _applies(args: BaselineArgs, digest: str) -> tuple[Check, ...]:
    expect = f"baseline == {jmespath_literal(digest)}"
    return _scan_is(args, expect, t("tools.integrity.set_baseline.verify", digest=digest[:12]))


def _inverse(args: BaselineArgs) -> ToolCall:
    back = BaselineArgs(service=args.service, digest=args.previous, previous=args.digest)
    return ToolCall(tool="integrity.set_baseline", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="integrity.scan",
        risk=Risk.READ,
        args=ServiceArgs,
        command=lambda args, host: _command(_SCAN, args, host),
        parse=stdout_parser("integrity.scan", _read_scan),
        findings=ScanFindings,
        tried_on=("debian-12",),
        timeout=120.0,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
    Tool(
        name="integrity.set_baseline",
        risk=Risk.CHANGE,
        args=BaselineArgs,
        command=_set_baseline,
        parse=stdout_parser("integrity.set_baseline", success_findings),
        findings=Done,
        tried_on=("debian-12",),
        precheck=_as_planned,
        verify=lambda args: _applies(args, args.digest),
        undo=_inverse,
        undo_verify=lambda args: _applies(args, args.previous),
        choices=(
            EvidenceChoice("digest", "integrity.scan", "[@]", "digest", {"previous": "baseline"}),
        ),
        timeout=120.0,
        kinds=KINDS,
        requires=_REQUIRES,
    ),
)
