"""How many connections and streams a board process can keep, by its limit of open files."""

from __future__ import annotations

import resource

from guardia.settings import Settings

_OTHER_FILES = 256
"""Files that the process needs for everything else: database, servers, logs, modules."""
_LEAST, _MOST_FILES = 16, 1 << 16


def most_connections(settings: Settings) -> int:
    """Return the bound on connections; the limit of open files is raised as far as it may be."""
    return max(_LEAST, min(settings.max_connections, raise_file_limit() - _OTHER_FILES))


def most_streams(settings: Settings) -> int:
    """Return the bound on open live pages: half of what one address may have, if all share it."""
    return most_connections(settings) // 4


def raise_file_limit() -> int:
    """Raise the process's limit of open files as far as it may, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return wanted if soft == resource.RLIM_INFINITY else soft
