"""The table "What adding costs" of CONTRIBUTING.md names only existing things."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from guardia.org.chart_model import OrgChart

ROOT = Path(__file__).resolve().parents[1]
HEADER = "| to add | you write |\n|---|---|\n"
REGISTRY = re.compile(r"`([A-Z][A-Z_]+)` \(`([\w/.]+\.py)`\)")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")


def table() -> list[str]:
    """The rows of the table."""
    _, rest = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split(HEADER)
    return rest.split("\n\n")[0].splitlines()


def missing(row: str) -> list[str]:
    """Everything that a row names and that does not exist."""
    registries = REGISTRY.findall(row)
    found = [f"{name} in {path}" for name, path in registries if not defines(path, name)]
    rest = CODE.findall(REGISTRY.sub("", row))
    paths = [name for name in rest if "/" in name or name == "org_chart.yaml"]
    found += [path for path in [*paths, *LINK.findall(row)] if not exists(path)]
    return found + [key for key in rest if key not in paths and not is_chart_key(key)]


def exists(path: str) -> bool:
    """Whether a file exists, or a folder if the path ends with a slash."""
    place = ROOT / path
    return place.is_dir() if path.endswith("/") else place.is_file()


def defines(path: str, name: str) -> bool:
    """Whether a module assigns a name at its top level."""
    if not exists(path):
        return False
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return True
    return False


def is_chart_key(key: str) -> bool:
    """Whether `talk.rules` or the like is a field of the org chart."""
    model: object = OrgChart
    for part in key.split("."):
        fields = getattr(model, "model_fields", {})
        if part not in fields:
            return False
        model = fields[part].annotation
    return True


def test_the_table_names_only_what_exists() -> None:
    assert {row: names for row in table() if (names := missing(row))} == {}


def test_the_table_has_a_row_for_everything_that_grows() -> None:
    named = {name for row in table() for name, _ in REGISTRY.findall(row)}
    assert named >= {"CHANNELS", "CARDS", "FAULTS", "ROUTES", "NAVIGATION_ITEMS"}
    text = "\n".join(table())
    for place in ("tools/catalog.py", "knowledge/runbooks/", "agents/roles/", "db/migrations/"):
        assert f"`{place}" in text


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("| a card | one file in `board/cards/` |", ["board/cards/"]),
        ("| a tool | one line in `tools/catalogue.py` |", ["tools/catalogue.py"]),
        ("| a tool | one folder in `tools/catalog.py/` |", ["tools/catalog.py/"]),
        ("| a card | `CARDS` (`board/web/render.py`) |", ["CARDS in board/web/render.py"]),
        ("| a card | `CARDS` (`board/cards/registry.py`) |", ["CARDS in board/cards/registry.py"]),
        ("| a card | one line in `CARDS` |", ["CARDS"]),
        ("| a rule | its lines under `talk.rule` in `org_chart.yaml` |", ["talk.rule"]),
        ("| an agent | see [adding](docs/adding.md) |", ["docs/adding.md"]),
        ("| a channel | `CHANNELS` (`board/intake/registry.py`), `docs/api.md` |", []),
    ],
)
def test_what_does_not_exist_is_found(row: str, names: list[str]) -> None:
    assert missing(row) == names
