"""Sites and upstreams of a web server, as its own program prints its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from guardia.board.core.plan import Risk
from guardia.org.directory import Host, Service
from guardia.tools.command import Command, Script
from guardia.tools.families.web import programs
from guardia.tools.findings import Count, FilePath, FindingsModel, Line, Word
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Findings, Right, ServiceArgs, Tool, stdout_parser

_MAX = 200
_MAX_DEPTH = 30

_SITES = Script(
    "web.sites",
    AS_ROOT
    + r"""
as_root "$@" 2>&1 | head -c 900000
""",
)


class Site(FindingsModel):
    """A virtual host."""

    names: Annotated[list[Word], Field(max_length=_MAX)]
    listens: Annotated[list[Word], Field(max_length=_MAX)]
    tls: bool
    certificate: FilePath | None
    root: FilePath | None
    proxies: Annotated[list[Line], Field(max_length=_MAX)]
    file: FilePath | None
    line: Count | None


class UpstreamServer(FindingsModel):
    """A server behind an upstream."""

    address: Word
    down: bool
    backup: bool


class Upstream(FindingsModel):
    """A named group of servers to which requests are passed on."""

    name: Word
    servers: Annotated[list[UpstreamServer], Field(max_length=_MAX)]


class SitesFindings(FindingsModel):
    """All sites and upstreams."""

    sites: Annotated[list[Site], Field(max_length=_MAX)]
    upstreams: Annotated[list[Upstream], Field(max_length=_MAX)]


def _sites(args: ServiceArgs, host: Host) -> Command:
    service = service_on(host, args.service, HTTP_KINDS)
    return privileged_script(host, _SITES, *programs.dump_command(host, service))


def _rights(host: Host, service: Service | None) -> tuple[Right, ...]:
    return (programs.dump_command(host, service),) if service else ()


def _read_sites(text: str) -> Findings:
    apache = "VirtualHost configuration" in text or ("port " in text and " namevhost " in text)
    found = _apache_sites(text) if apache else _nginx_sites(text)
    return {"sites": found[0][:_MAX], "upstreams": found[1][:_MAX]}


@dataclass
class _Block:
    """A directive of nginx with its words, place, and the directives inside of it."""

    words: list[str]
    file: str
    line: int
    inside: list[_Block] = field(default_factory=list)

    def all(self, name: str) -> Iterator[_Block]:
        """Return the directives of this name at any depth."""
        for block in self.inside:
            if block.words[:1] == [name]:
                yield block
            yield from block.all(name)


_FILE = re.compile(r"# configuration file (/\S+):")
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|[{};]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
    r"""|(?:\\.|\$\{[^}]*\}|[^\s{};])+"""
)


def _parse(text: str) -> _Block:
    """Parse what `nginx -T` prints. Raises `ValueError` if its braces do not match."""
    top = _Block([], "", 0)
    stack, words, file, start, line = [top], list[str](), "", 0, 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if named := _FILE.fullmatch(token):
            # Includes are printed one after another; each file is complete by itself.
            file, start = named[1], text.count("\n", 0, match.start()) + 1
        elif token[0] == "#" or token.isspace():
            continue
        elif token in ("{", ";"):
            line = text.count("\n", 0, match.start()) + 1 - start
            block = _Block(words, file, line)
            stack[-1].inside.append(block)
            words = []
            if token == "{":
                stack.append(block)
            if len(stack) > _MAX_DEPTH:
                raise ValueError("nested too deep")
        elif token == "}":
            stack.pop()
            if not stack:
                raise ValueError("a brace too many")
        else:
            words.append(token.strip("\"'") if token[0] in "\"'" else token)
    return top


def _nginx_sites(text: str) -> tuple[list[Findings], list[Findings]]:
    begin = text.find("# configuration file ")
    if begin < 0:
        raise ValueError("no configuration")
    top = _parse(text[begin:])
    return (
        [_site(block) for block in top.all("server") if len(block.words) == 1],
        [_upstream(block) for block in top.all("upstream")],
    )


def _site(block: _Block) -> Findings:
    listens = [" ".join(one.words[1:])[:100] for one in block.inside if one.words[:1] == ["listen"]]
    names = [n for one in block.inside if one.words[:1] == ["server_name"] for n in one.words[1:]]
    passed = ("proxy_pass", "fastcgi_pass", "uwsgi_pass")
    return {
        "names": [name[:100] for name in names if name not in ("", '""')],
        "listens": listens,
        "tls": any("ssl" in one.split() for one in listens) or _first(block, "ssl") == "on",
        "certificate": _first(block, "ssl_certificate"),
        "root": _first(block, "root"),
        "proxies": [one.words[-1][:300] for name in passed for one in block.all(name)],
        "file": block.file or None,
        "line": block.line if block.line >= 0 else None,
    }


def _first(block: _Block, name: str) -> str | None:
    found = next(block.all(name), None)
    return found.words[1][:1000] if found and len(found.words) > 1 else None


def _upstream(block: _Block) -> Findings:
    servers = [
        {
            "address": one.words[1][:100],
            "down": "down" in one.words,
            "backup": "backup" in one.words,
        }
        for one in block.inside
        if one.words[:1] == ["server"] and len(one.words) > 1
    ]
    return {"name": block.words[1][:100], "servers": servers}


_VHOST = re.compile(
    r"\s*(?:(?P<address>[^\s]+:\d+|\*:\*)|port (?P<port>\d+) namevhost)\s+"
    r"(?P<name>\S+) \((?P<file>/[^:]+):(?P<line>\d+)\)"
)
_ALIAS = re.compile(r"\s+(?:wild )?alias (\S+)")


def _apache_sites(text: str) -> tuple[list[Findings], list[Findings]]:
    """Parse what `apachectl -t -D DUMP_VHOSTS` prints."""
    sites: list[Findings] = []
    listens = "*"
    for row in text.splitlines():
        if match := _VHOST.match(row):
            if match["name"] == "is":
                continue
            listens = f"*:{match['port']}" if match["port"] else match["address"]
            sites.append(
                {
                    "names": [match["name"][:100]],
                    "listens": [listens[:100]],
                    "tls": listens.endswith((":443", ":8443")),
                    "certificate": None,
                    "root": None,
                    "proxies": [],
                    "file": match["file"],
                    "line": int(match["line"]),
                }
            )
        elif (alias := _ALIAS.match(row)) and sites:
            sites[-1]["names"].append(alias[1][:100])
    return sites, []


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="web.sites",
        risk=Risk.READ,
        args=ServiceArgs,
        command=_sites,
        parse=stdout_parser("web.sites", _read_sites),
        findings=SitesFindings,
        kinds=HTTP_KINDS,
        tried_on=("debian-12",),
        platforms=("nginx", "apache"),
        requires=("nginx|apache2ctl|apachectl|httpd",),
        rights=_rights,
    ),
)
