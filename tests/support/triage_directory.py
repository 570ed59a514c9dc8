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
