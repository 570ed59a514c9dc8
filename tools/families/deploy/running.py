"""The files that a service runs, so that people can compare them with what they deploy."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.errors import Refused
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools import target
from guardia.tools.checksum import SHA256
from guardia.tools.command import Command, Script
from guardia.tools.families.deploy.war import WarFile
from guardia.tools.findings import Count, FindingsModel
from guardia.tools.output import sanitize
from guardia.tools.target import service_on
from guardia.tools.tool import Findings, ServiceArgs, Tool, stdout_parser

MOST_FILES = 1000
_MOST_BYTES = 256 * 1024 * 1024
"""Bytes of which the digest is computed at most."""
_TEXT_BYTES = 16_384
_ALL_TEXT_BYTES = 400_000
_SECONDS = 60

# One line for each file: its size, its digest, how many lines of its text follow, its path. Of what
# is no text, or too long, there is only the digest; without one, the read had used up its time.
_FILES = Script(
    "deploy.files",
    SHA256
    + r"""
root=$1 most=$2 bytes=$3 each=$4 texts=$5 limit=$6
[ -d "$root" ] || { echo "no folder $root" >&2; exit 3; }
root=$(cd -P -- "$root" && pwd -P)
SECONDS=0 count=0
while IFS= read -r -d '' file; do
  case $file in *$'\n'*) continue ;; esac
  count=$((count + 1))
  if [ "$count" -gt "$most" ]; then echo 'more'; break; fi
  size=$(wc -c < "$file" 2>/dev/null) || continue
  size=$((size)) sum=- lines=0 text=
  if [ "$size" -le "$bytes" ] && [ "$SECONDS" -lt "$limit" ]; then
    bytes=$((bytes - size)) sum=$(sha256 < "$file")
    if [ "$size" -le "$each" ] && [ "$size" -le "$texts" ] &&
      [ "$(LC_ALL=C tr -d '\000' < "$file" | wc -c)" -eq "$size" ]; then
      text=$(cat -- "$file") texts=$((texts - size))
      lines=$(printf '%s' "$text" | awk 'END { print NR }')
    fi
  fi
  printf 'file %s %s %s %s\n' "$size" "$sum" "$lines" "${file#"$root"/}"
  if [ "$lines" -gt 0 ]; then printf '%s\n' "$text" | awk '{ print "| " $0 }'; fi
done < <(find "$root" -xdev -type f -print0 2>/dev/null)
""",
)


class FilesArgs(ServiceArgs):
    """A service; of one with WARs, the WAR whose unpacked files are meant."""

    file: WarFile | None = None


class RunningFile(FindingsModel):
    """One file, with its text if it is short."""

    path: Annotated[str, StringConstraints(max_length=1000)]
    size: Count
    sha256: Annotated[str, StringConstraints(max_length=64)] | None
    text: Annotated[str, StringConstraints(max_length=2 * _TEXT_BYTES)] | None
    """With its secrets masked; `None`: no text, too long, or too many."""


class FilesFindings(FindingsModel):
    """The files below the folder of the running version."""

    files: Annotated[list[RunningFile], Field(max_length=MOST_FILES)]
    complete: bool
    """Whether the digests of all files were read."""


def _folder(service: Service, file: str | None) -> str:
    if service.layout == "static":
        return target.root(service)
    if service.layout == "webapps" and file:
        return f"{target.webapps(service)}/{file.removesuffix('.war')}"
    if service.layout in (None, "releases"):
        return f"{target.root(service)}/current"
    raise Refused(why=t("tools.deploy.files.no_folder", service=service.name))


def _command(args: FilesArgs, host: Host) -> Command:
    folder = _folder(service_on(host, args.service), args.file)
    bounds = (MOST_FILES, _MOST_BYTES, _TEXT_BYTES, _ALL_TEXT_BYTES, _SECONDS)
    return Command.script(_FILES, folder, *bounds)


def _read(text: str) -> Findings:
    rows = iter(text.splitlines())
    files, complete = list[Findings](), True
    for row in rows:
        if row == "more":
            complete = False
            continue
        word, size, digest, lines, path = row.split(" ", 4)
        if word != "file":
            raise ValueError(row[:100])
        shown = [next(rows).removeprefix("| ") for _ in range(int(lines))]
        files.append(
            {
                "path": path,
                "size": int(size),
                "sha256": None if digest == "-" else digest,
                "text": sanitize("\n".join(shown) + "\n") if shown else None,
            }
        )
        complete = complete and digest != "-"
    return {"files": files, "complete": complete}


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.files",
        risk=Risk.READ,
        args=FilesArgs,
        command=_command,
        parse=stdout_parser("deploy.files", _read),
        findings=FilesFindings,
        requires=("find", "awk", "sha256sum|openssl|shasum"),
        timeout=2.0 * _SECONDS,
        tried_on=("fleet",),
    ),
)
