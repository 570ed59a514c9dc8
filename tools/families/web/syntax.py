"""Test a web server's configuration, and apply it only after the test has passed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.errors import CommandFailed
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families.web import programs
from guardia.tools.findings import Count, Done, FilePath, FindingsModel, Line
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser, success_findings

_MAX_PROBLEMS = 50

# A refusal of sudo is no broken configuration.
_TEST = Script(
    "web.config_test",
    AS_ROOT
    + r"""
code=0
said=$(as_root "$@" 2>&1) || code=$?
case $said in
  sudo:*|*"
sudo: "*) printf '%s\n' "$said" >&2; exit 3 ;;
esac
if [ "$code" -ge 126 ]; then printf '%s\n' "$said" >&2; exit "$code"; fi
printf 'exit %s\n%s\n' "$code" "$said"
""",
)

_RELOAD = Script(
    "web.reload",
    AS_ROOT
    + r"""
count=$1
shift
as_root "${@:1:count}" >&2
as_root "${@:count+1}" >&2
sleep 1
""",
)


class Problem(FindingsModel):
    """What the test complains about, and where."""

    level: Annotated[str, StringConstraints(max_length=10)]
    file: FilePath | None
    line: Count | None
    message: Line


class SyntaxFindings(FindingsModel):
    """Whether the configuration on disk is valid."""

    valid: bool
    problems: Annotated[list[Problem], Field(max_length=_MAX_PROBLEMS)]


def _test(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    return privileged_script(host, _TEST, *programs.test_command(host, service))


def _read_test(text: str) -> Findings:
    first, _, said = text.partition("\n")
    found = list(problems_of(said))
    valid = int(first.removeprefix("exit ")) == 0
    errors = [p for p in found if p["level"] == "error"]
    if not valid and errors and all("ermission denied" in p["message"] for p in errors):
        # The account may not read a key or a log: that says nothing about the configuration.
        raise CommandFailed(tool="web.config_test", exit=1, output=errors[0]["message"])
    return {"valid": valid, "problems": found[:_MAX_PROBLEMS]}


_NGINX = re.compile(
    r"(?:nginx: |\d{4}/\d\d/\d\d [\d:]{8} )\[(?P<level>\w+)\] (?:\d+#\d+: )?"
    r"(?P<text>.*?)(?: in (?P<file>/[^:]+):(?P<line>\d+))?"
)
_APACHE = re.compile(
    r"(?:.*[Ss]yntax error on line (?P<line>\d+) of (?P<file>/[^:]+):)\s*(?P<text>.*)"
)
_APACHE_NOTE = re.compile(r"(?P<code>AH\d{5}): (?P<text>.*)")


def problems_of(said: str) -> Iterator[Findings]:
    """Parse what `nginx -t` or `apachectl configtest` prints."""
    lines = said.splitlines()
    for number, row in enumerate(lines):
        if match := _NGINX.fullmatch(row):
            yield _problem(_level(match["level"]), match)
        elif match := _APACHE.fullmatch(row):
            # The message is on the line after, unless it follows at once.
            following = lines[number + 1] if number + 1 < len(lines) else ""
            yield _problem("error", match, match["text"] or following)
        elif match := _APACHE_NOTE.match(row):
            yield {"level": "warning", "file": None, "line": None, "message": match["text"][:500]}


def _level(word: str) -> str:
    return "warning" if word in ("warn", "notice", "info", "debug") else "error"


def _problem(level: str, match: re.Match[str], text: str = "") -> Findings:
    return {
        "level": level,
        "file": match["file"],
        "line": int(match["line"]) if match["line"] else None,
        "message": (text or match["text"])[:500],
    }


def _test_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    return (programs.test_command(host, service),) if service else ()


def _reload(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    test = programs.test_command(host, service)
    return privileged_script(
        host, _RELOAD, len(test), *test, *programs.reload_command(host, service)
    )


def _reload_rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None:
        return ()
    return (programs.test_command(host, service), programs.reload_command(host, service))


def valid_check(service: str) -> Check:
    """Require a configuration that passes the test."""
    call = ToolCall(tool="web.config_test", args={"service": service})
    return Check(call=call, expect="valid", sentence=t("tools.web.valid", service=service))


def _serving(service: str) -> Check:
    call = ToolCall(tool="service.health", args={"service": service})
    sentence = t("tools.web.reload.verify", service=service)
    return Check(call=call, expect="port_open", within=10, sentence=sentence)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="web.config_test",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_test,
        parse=stdout_parser("web.config_test", _read_test),
        findings=SyntaxFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12", "debian-12-sysvinit"),
        platforms=("nginx", "apache"),
        requires=("nginx|apache2ctl|apachectl|httpd",),
        rights=_test_rights,
    ),
    Tool(
        name="web.reload",
        risk=Risk.CHANGE,
        args=ServiceArgs,
        command=_reload,
        parse=stdout_parser("web.reload", success_findings),
        findings=Done,
        precheck=lambda args: (valid_check(args.service),),
        verify=lambda args: (_serving(args.service), valid_check(args.service)),
        irreversible="tools.web.reload.irreversible",
        kinds=HTTP_KINDS,
        tried_on=("debian-12", "debian-12-sysvinit"),
        platforms=("nginx", "apache"),
        requires=("nginx|apache2ctl|apachectl|httpd",),
        rights=_reload_rights,
        timeout=120.0,
    ),
)
