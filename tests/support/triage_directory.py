"""Institutions and servers of a directory file, for triage cases and evaluation data."""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML

from guardia.org.directory import Directory, Host, InstitutionInfo

CASES = Path(__file__).parents[1] / "agents" / "brain" / "triage" / "cases"


def read_directory(path: Path = CASES / "directory.yaml") -> Directory:
    """Return institutions and servers of `path`; people and agents do not matter to triage."""
    data = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    servers = [
        Host(
            server_id=entry.get("id") or entry["server_id"],
            institution=entry["institution"],
            kind=entry["kind"],
            aliases=tuple(entry.get("aliases", ())),
        )
        for entry in data["servers"]
    ]
    institutions = [InstitutionInfo.model_validate(entry) for entry in data["institutions"]]
    return Directory(institutions=tuple(institutions), servers=tuple(servers))


def large_directory(servers: int) -> Directory:
    """Return the directory of the cases with more institutions, up to `servers` servers."""
    small = read_directory()
    kinds = sorted({h.kind for h in small.servers})
    hosts, institutions = list(small.servers), list(small.institutions)
    for number in range((servers - len(hosts) + 9) // 10):
        owner = InstitutionInfo(
            id=f"I{number}", name=f"제{number}관리공단", aliases=(f"{number}공단",)
        )
        institutions.append(owner)
        for at in range(min(10, servers - len(hosts))):
            kind = kinds[at % len(kinds)]
            hosts.append(
                Host(
                    server_id=f"{owner.id}-{kind}-{at + 1:02}",
                    institution=owner.id,
                    kind=kind,
                    aliases=(f"{owner.name} {kind} {at + 1}호기", f"{number}공단 업무{at + 1}"),
                )
            )
    return Directory(institutions=tuple(institutions), servers=tuple(hosts[:servers]))
