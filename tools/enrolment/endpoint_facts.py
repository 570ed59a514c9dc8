"""What answers at a server's ports, and which log files exist: asked on the server itself."""

from __future__ import annotations

import re
from typing import Annotated, Any

from cryptography import x509
from pydantic import Field, StringConstraints

from guardia.board.core.plan import Risk
from guardia.org.directory import Host
from guardia.tools.command import Command, Script
from guardia.tools.enrolment.shell import SECTIONS, Sections
from guardia.tools.findings import FilePath, FindingsModel, Line
from guardia.tools.tool import Findings, Tool, ToolArgs, stdout_parser

HEALTH_PATHS = ("/health", "/actuator/health", "/")
"""Paths that are tried, in this order; the applications of a `webapps` folder before the last."""
MAX_ENDPOINTS = 12
Endpoint = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f.:]{2,45}/[0-9]{1,5}$")]
LogPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/@+-]{1,300}$")]

_ENDPOINTS = Script(
    "enrol.endpoints",
    SECTIONS
    + r"""
paths=$1
logs=$2
shift 2
# A Tomcat's own applications by their contexts: its front page answers without any of them.
contexts() {
  local log folder name count=0
  for log in $logs; do
    case $log in */webapps) ;; *) continue ;; esac
    for folder in "$log"/*/; do
      name=${folder%/}
      name=${name##*/}
      name=${name%%##*}
      case $name in
        ROOT | docs | examples | manager | host-manager | *[!A-Za-z0-9._#-]*) continue ;;
      esac
      name=${name//#//}
      printf '/%s/health /%s/actuator/health /%s/ ' "$name" "$name" "$name"
      count=$((count + 1))
      [ "$count" -lt 4 ] || return 0
    done
  done
}
last=${paths##* }
paths="${paths% *} $(contexts)$last"
answer() {
  local address=$1 port=$2 path=$3 to=$1
  case $address in *:*) to="[$address]" ;; esac
  if type -P curl >/dev/null; then
    limit 3 curl -s -k -o /dev/null -D - --noproxy '*' -m 3 "$4://$to:$port$path" 2>/dev/null |
      tr -d '\r' | grep -i -E '^(HTTP/|server:)' | head -n 2
    return
  fi
  [ "$4" = http ] || return 0
  limit 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
    printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$3" >&3
    head -c 2000 <&3' bash "$address" "$port" "$path" 2>/dev/null |
    tr -d '\r' | grep -i -E '^(HTTP/|server:)' | head -n 2
}
ask() {
  local endpoint=$1 address=${1%/*} port=${1##*/} to scheme=http certificate path seen n
  case $address in *:*) to="[$address]:$port" ;; *) to=$address:$port ;; esac
  if type -P openssl >/dev/null; then
    certificate=$(limit 3 openssl s_client -connect "$to" 2>/dev/null </dev/null |
      sed -n '/^-----BEGIN CERT/,/^-----END CERT/p' | head -n 80 | tr '\n' '|')
    if [ -n "$certificate" ]; then
      scheme=https
      for ((n = 0; n < ${#certificate}; n += 1500)); do
        printf '%s %s\n' "$endpoint" "${certificate:n:1500}" | emit certificate
      done
    fi
  else
    failed openssl
  fi
  for path in $paths; do
    seen=$(answer "$address" "$port" "$path" "$scheme" | tr '\n' ' ')
    if [ -n "$seen" ]; then
      printf '%s %s %s %s\n' "$endpoint" "$scheme" "$path" "$seen" | emit answer
      case $seen in HTTP/*' 2'??' '*) break ;; esac
    else
      break
    fi
  done
}
# Side by side, since a port that does not answer takes its full time.
pipes=()
for endpoint; do
  exec {pipe}< <(ask "$endpoint")
  pipes+=("$pipe")
done
for pipe in "${pipes[@]}"; do
  cat <&"$pipe"
  exec {pipe}<&-
done
for log in $logs; do
  if [ -f "$log" ]; then printf 'file %s\n' "$log" | emit log
  elif [ -d "$log" ]; then printf 'folder %s\n' "$log" | emit log; fi
done
exit 0
""",
)


class Answer(FindingsModel):
    """What a port answered to HTTP."""

    address: Line
    port: Annotated[int, Field(ge=0, le=65535)]
    tls: bool
    status: Annotated[int, Field(ge=0, le=999)]
    health: Line
    """The path that answered with success, or an empty text."""
    server: Line
    """What its `Server` header says."""


class Certificate(FindingsModel):
    """The names of the certificate that a port presents."""

    address: Line
    port: Annotated[int, Field(ge=0, le=65535)]
    names: Annotated[list[Line], Field(max_length=100)]


class EndpointFindings(FindingsModel):
    """Answers, certificates, and the log files and folders that exist."""

    answers: Annotated[list[Answer], Field(max_length=MAX_ENDPOINTS)]
    certificates: Annotated[list[Certificate], Field(max_length=MAX_ENDPOINTS)]
    files: Annotated[list[FilePath], Field(max_length=200)]
    folders: Annotated[list[FilePath], Field(max_length=200)]
    unreadable: Annotated[list[Line], Field(max_length=50)]


class EndpointArgs(ToolArgs):
    """Which ports are asked, and which log files are looked for."""

    endpoints: Annotated[tuple[Endpoint, ...], Field(strict=False, max_length=MAX_ENDPOINTS)] = ()
    logs: Annotated[tuple[LogPath, ...], Field(strict=False, max_length=100)] = ()


_ANSWER = re.compile(
    r"(\S+)/([0-9]{1,5}) (https?) (/\S*) HTTP/[0-9.]+ ([0-9]{3}).*?(?:[Ss]erver: (.*?))?\s*",
    re.IGNORECASE,
)


def _read(text: str) -> Findings:
    found = Sections(text)
    logs = [line.partition(" ") for line in found.lines("log")]
    return {
        "answers": _answers(found.lines("answer")),
        "certificates": _certificates(found),
        "files": [path for kind, _, path in logs if kind == "file"][:200],
        "folders": [path for kind, _, path in logs if kind == "folder"][:200],
        "unreadable": found.failed(),
    }


def _answers(lines: list[str]) -> list[dict[str, Any]]:
    answers: dict[tuple[str, int], dict[str, Any]] = {}
    for match in filter(None, map(_ANSWER.fullmatch, lines)):
        address, port, status = match[1], int(match[2]), int(match[5])
        good = 200 <= status < 300
        known = answers.get((address, port))
        if known is None or (good and not known["health"]):
            answers[address, port] = {
                "address": address,
                "port": port,
                "tls": match[3] == "https",
                "status": status,
                "health": match[4] if good else "",
                "server": (match[6] or "")[:200],
            }
    return list(answers.values())[:MAX_ENDPOINTS]


def _certificates(found: Sections) -> list[dict[str, Any]]:
    texts: dict[str, str] = {}
    for line in found.lines("certificate"):
        endpoint, _, part = line.partition(" ")
        texts[endpoint] = texts.get(endpoint, "") + part
    rows = []
    for endpoint, text in texts.items():
        address, _, port = endpoint.rpartition("/")
        names = certificate_names(text.replace("|", "\n"))
        rows.append({"address": address, "port": int(port), "names": names})
    return rows[:MAX_ENDPOINTS]


def certificate_names(pem: str) -> list[str]:
    """Return the host names of the first certificate in a text; none if it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        found = names.value.get_values_for_type(x509.DNSName)
    except (ValueError, x509.ExtensionNotFound):
        return []
    return [name[:253] for name in dict.fromkeys(found)][:100]


def _command(args: EndpointArgs, _host: Host) -> Command:
    return Command.script(_ENDPOINTS, " ".join(HEALTH_PATHS), " ".join(args.logs), *args.endpoints)


ENDPOINTS: Tool[EndpointArgs] = Tool(
    name="enrol.endpoints",
    risk=Risk.READ,
    args=EndpointArgs,
    command=_command,
    parse=stdout_parser("enrol.endpoints", _read),
    findings=EndpointFindings,
    timeout=90.0,
)
