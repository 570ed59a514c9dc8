"""A package file: installed by dpkg or rpm, and replaced by the previous one's file to undo it."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from guardia.board.core.plan import Check, Risk, ToolCall
from guardia.i18n import t
from guardia.org.directory import Host, Service
from guardia.tools.checksum import SHA256
from guardia.tools.command import Command, Script
from guardia.tools.families.deploy.content import (
    ARRIVED,
    TRANSFER_TIMEOUT,
    ContentArgs,
    Replaced,
    home,
    program,
)
from guardia.tools.findings import Count, Done, FindingsModel, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import service_on
from guardia.tools.tool import (
    Findings,
    Right,
    ServiceArgs,
    Tool,
    jmespath_literal,
    stdout_parser,
    success_findings,
)

Package = Annotated[str, StringConstraints(pattern=r"^[a-z0-9A-Z][a-z0-9A-Z+._-]{1,99}$")]
PackageVersion = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z.:+~_-]{0,99}$")]
PreviousVersion = Annotated[
    str, StringConstraints(pattern=r"^([0-9A-Za-z][0-9A-Za-z.:+~_-]{0,99})?$")
]
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:+~_-]{0,99}")
_RPM_FAMILY = frozenset({"rhel", "rocky", "almalinux", "centos", "fedora", "ol", "amzn", "sles"})

_STATE = Script(
    "deploy.package_state",
    r"""
package=$1
echo "free $(df -Pk / | { read -r _; read -r _ _ _ free _; echo "$free"; })"
if command -v dpkg-query >/dev/null; then
  found=$(dpkg-query -W -f '${db:Status-Status} ${Version}' -- "$package" 2>/dev/null || true)
  case $found in 'installed '*) echo "version ${found#installed }" ;;
    ''|not-installed*|config-files*) ;;
    *) echo "broken ${found%% *}" ;;
  esac
else
  found=$(rpm -q --qf '%{EPOCHNUM}:%{VERSION}-%{RELEASE}' -- "$package" 2>/dev/null) || found=
  if [ -n "$found" ]; then echo "version ${found#0:}"; fi
fi
""",
)

_INSTALL = Script(
    "deploy.package",
    AS_ROOT
    + SHA256
    + ARRIVED
    + r"""
part=$1 want=$2 file=$3 kind=$4 program=$5
require_arrived
placed ".guardia/$file"
trap 'rm -f -- ".guardia/$file"' EXIT
export DEBIAN_FRONTEND=noninteractive
case $kind in
  deb) as_root "$program" --force-confold -i -- "$PWD/.guardia/$file" >&2 ;;
  rpm) as_root "$program" -U --oldpackage --replacepkgs -- "$PWD/.guardia/$file" >&2 ;;
esac
""",
)

_REMOVE = Script(
    "deploy.package_remove",
    AS_ROOT
    + r"""
package=$1 kind=$2 program=$3
case $kind in
  deb) as_root "$program" -r -- "$package" >&2 ;;
  rpm) as_root "$program" -e -- "$package" >&2 ;;
esac
""",
)


class PackageNameArgs(ServiceArgs):
    """A package of a service."""

    package: Package


class PackageFindings(FindingsModel):
    """The version that is installed."""

    version: Word | None
    broken: Word | None
    """State of a package that is only half installed."""
    free_kb: Count


class PackageArgs(ContentArgs):
    """A package file, and the file of the version that it replaces."""

    package: Package
    version: PackageVersion
    previous_version: PreviousVersion = ""
    """Empty: the package is not installed yet."""
    previous_sha256: Replaced = ""
    previous_size: Annotated[int, Field(ge=0, le=2**40)] = 0

    @model_validator(mode="after")
    def _names_the_way_back(self) -> PackageArgs:
        if bool(self.previous_version) != bool(self.previous_sha256 and self.previous_size):
            raise ValueError("previous_version, previous_sha256 and previous_size go together")
        return self


def _kind(host: Host) -> tuple[str, str]:
    """Return the kind of package files of a host, and the full path of what installs them."""
    is_rpm = host.facts.os in _RPM_FAMILY
    return ("rpm", program(host, "rpm")) if is_rpm else ("deb", program(host, "dpkg"))


def _state(args: PackageNameArgs, host: Host) -> Command:
    service_on(host, args.service)
    return Command.script(_STATE, args.package)


def _read_state(text: str) -> Findings:
    facts = dict(line.partition(" ")[::2] for line in text.splitlines())
    version = facts.get("version")
    return {
        "version": version if version and _VERSION.fullmatch(version) else None,
        "broken": facts.get("broken"),
        "free_kb": int(facts["free"]),
    }


def _file(service: str, kind: str) -> str:
    return f"{service}.{kind}"


def _install(args: PackageArgs, host: Host) -> Command:
    service = service_on(host, args.service)
    kind, path = _kind(host)
    values = (args.upload.path, args.sha256, _file(service.name, kind), kind, path)
    return privileged_script(host, _INSTALL, *values).with_upload(args.upload).leaving_children()


def _remove(args: PackageNameArgs, host: Host) -> Command:
    service_on(host, args.service)
    return privileged_script(host, _REMOVE, args.package, *_kind(host))


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    if service is None or service.layout != "package":
        return ()
    kind, path = _kind(host)
    file = f"{home(host)}/.guardia/{_file(service.name, kind)}"
    if kind == "deb":
        return ((path, "--force-confold", "-i", "--", file), (path, "-r", "--", service.name))
    install = (path, "-U", "--oldpackage", "--replacepkgs", "--", file)
    return (install, (path, "-e", "--", service.name))


def _look(args: PackageArgs | PackageNameArgs) -> ToolCall:
    given = {"service": args.service, "package": args.package}
    return ToolCall(tool="deploy.package_state", args=given)


def _is(version: str) -> str:
    return f"version == {jmespath_literal(version)}" if version else "version == `null`"


def _as_planned(args: PackageArgs) -> tuple[Check, ...]:
    needed = 6 * args.size // 1024
    return (
        Check(
            call=_look(args),
            expect=f"{_is(args.previous_version)} && broken == `null` && free_kb > `{needed}`",
            sentence=t(
                "tools.deploy.package.precheck",
                package=args.package,
                previous=args.previous_version or t("tools.deploy.package.absent"),
                megabytes=needed // 1024 + 1,
            ),
        ),
    )


def _is_installed(args: PackageNameArgs) -> tuple[Check, ...]:
    return (
        Check(
            call=_look(args),
            expect="version != `null` && broken == `null`",
            sentence=t("tools.deploy.package_remove.precheck", package=args.package),
        ),
    )


def _has(args: PackageArgs | PackageNameArgs, version: str) -> tuple[Check, ...]:
    words = {"package": args.package, "version": version or t("tools.deploy.package.absent")}
    return (
        Check(
            call=_look(args),
            expect=f"{_is(version)} && broken == `null`",
            within=10,
            sentence=t("tools.deploy.package.verify", **words),
        ),
    )


def _inverse(args: PackageArgs) -> ToolCall:
    if not args.previous_version:
        given = {"service": args.service, "package": args.package}
        return ToolCall(tool="deploy.package_remove", args=given)
    back = PackageArgs(
        service=args.service,
        sha256=args.previous_sha256,
        size=args.previous_size,
        package=args.package,
        version=args.previous_version,
        previous_version=args.version,
        previous_sha256=args.sha256,
        previous_size=args.size,
    )
    return ToolCall(tool="deploy.package", args=back.model_dump())


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="deploy.package_state",
        risk=Risk.READ,
        args=PackageNameArgs,
        command=_state,
        parse=stdout_parser("deploy.package_state", _read_state),
        findings=PackageFindings,
        requires=("dpkg-query|rpm",),
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.package",
        risk=Risk.DEPLOY,
        args=PackageArgs,
        command=_install,
        parse=stdout_parser("deploy.package", success_findings),
        findings=Done,
        precheck=_as_planned,
        verify=lambda args: _has(args, args.version),
        undo=_inverse,
        undo_verify=lambda args: _has(args, args.previous_version),
        timeout=TRANSFER_TIMEOUT,
        requires=("dpkg|rpm",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
    Tool(
        name="deploy.package_remove",
        risk=Risk.DEPLOY,
        args=PackageNameArgs,
        command=_remove,
        parse=stdout_parser("deploy.package_remove", success_findings),
        findings=Done,
        precheck=_is_installed,
        verify=lambda args: _has(args, ""),
        irreversible="tools.deploy.package_remove.irreversible",
        timeout=300.0,
        requires=("dpkg|rpm",),
        rights=_rights,
        tried_on=("debian-12",),
    ),
)
