"""A YAML file of the CMDB as a set of changes."""

from __future__ import annotations

from guardia.board.cmdb import cmdb_yaml
from guardia.board.cmdb.applying import ChangeSet
from guardia.board.cmdb.imports.decoding import ImportFile, decode


def read_change_set(file: ImportFile, *, replaces_keys: bool = False) -> ChangeSet:
    """Return the entries of a file; of each list in it, what is not listed is removed."""
    drafts, listed, problems = cmdb_yaml.read(decode(file), file.name)
    return ChangeSet(
        drafts,
        source=file.name,
        sha256=file.sha256,
        problems=problems,
        bad=len(problems),
        complete=listed,
        replaces_keys=replaces_keys,
    )
