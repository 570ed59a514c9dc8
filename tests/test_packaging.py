"""sdist and wheel contain everything of the checkout, and the wheel works without it."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
VENDOR = "guardia/board/web/static/vendor/"
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command away from the checkout's import path; return its output."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "GUARDIA_"))}
    ended = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _files(folder: Path) -> Iterator[str]:
    # Only Python 3.13's rglob follows links; os.walk does so on every version.
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (str((Path(place) / name).relative_to(folder)) for name in names)


def checkout() -> set[str]:
    """Return the files to be installed: all below src/guardia, and the org chart."""
    files = {f"guardia/{name}" for name in _files(ROOT / "src" / "guardia")}
    return files | {"guardia/org/org_chart.yaml"}


def modules(files: set[str]) -> set[str]:
    """Return the importable modules among files: every folder above them is a package."""
    packages = {f.removesuffix("/__init__.py") for f in files if f.endswith("/__init__.py")}
    return {
        f.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for f in files
        if f.endswith(".py") and {str(p) for p in Path(f).parents if str(p) != "."} <= packages
    }


@dataclass(frozen=True)
class Built:
    """An sdist of the checkout, the wheel made from it, and a clean environment with the wheel."""

    sdist: set[str]
    wheel: set[str]
    metadata: str
    python: Path
    away: Path


def _environment(place: Path, wheel: Path) -> Path:
    """Create an environment with our dependencies, but with only the wheel of GUARDiA."""
    run(sys.executable, "-m", "venv", "--without-pip", place, cwd=place.parent)
    python = place / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index",
        wheel, cwd=place.parent)  # fmt: skip
    where = "import site; print(site.getsitepackages()[0])"
    # A folder named in a .pth file has its own .pth files ignored: the editable install too.
    dependencies = run(sys.executable, "-c", where, cwd=place)
    site = run(python, "-c", where, cwd=place).strip()
    Path(site, "dependencies.pth").write_text(dependencies)
    return python


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    away = tmp_path_factory.mktemp("packaging")
    # Without further arguments, build makes the sdist, and the wheel from the sdist.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", away, ROOT, cwd=away)
    (packed,) = away.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    (wheel,) = away.glob("*.whl")
    with zipfile.ZipFile(wheel) as zipped:
        names = zipped.namelist()
        assert len(names) == len(set(names)), "a file is in the wheel twice"
        (record,) = (name for name in names if name.endswith("/METADATA"))
        metadata = zipped.read(record).decode()
    python = _environment(away / "clean", wheel)
    return Built(sdist, {n for n in names if ".dist-info/" not in n}, metadata, python, away)


def test_the_wheel_contains_every_file_of_the_checkout_and_no_other(built: Built) -> None:
    assert checkout() - built.wheel == set()
    assert built.wheel - checkout() == set()


def test_the_wheel_contains_the_data_files_that_are_easily_lost(built: Built) -> None:
    kinds = (
        r"guardia/py\.typed",
        r"guardia/locale/ko/\w+\.toml",
        r"guardia/org/org_chart\.yaml",
        r"guardia/db/migrations/versions/\w+\.sql",
        r"guardia/knowledge/runbooks/[\w-]+\.md",
        r"guardia/agents/roles/[\w-]+\.md",
        r"guardia/board/web/templates/\S+\.html",
        VENDOR + r"htmx\.org/dist/htmx\.min\.js",
        VENDOR + r"echarts/charts\.min\.js",
        VENDOR + r"krds-uiux/resources/css/component/output\.css",
        VENDOR + r"krds-uiux/resources/fonts/\S+\.woff2",
    )
    missing = [kind for kind in kinds if not any(re.fullmatch(kind, f) for f in built.wheel)]
    assert not missing


def test_the_sdist_contains_what_a_build_needs_and_each_package_once(built: Built) -> None:
    needed = {"pyproject.toml", "hatch_build.py", "package.json", "package-lock.json",
              "org_chart.yaml", "board/web/static/vendor/.lock-sha256"}  # fmt: skip
    assert needed <= built.sdist
    links = tuple(f"src/guardia/{package}" for package in PACKAGES)
    assert not [name for name in built.sdist if name.startswith(links)]


def test_every_module_imports_from_the_wheel_alone(built: Built) -> None:
    wanted = sorted(modules(checkout()) - {"guardia.__main__"})
    code = """
import importlib, json, sys
import guardia
for name in json.load(sys.stdin):
    importlib.import_module(name)
found = [m for m in sys.modules.values() if m.__name__.partition(".")[0] == "guardia"]
print(json.dumps({m.__name__: m.__file__ for m in found}))
"""
    ended = subprocess.run(
        [built.python, "-c", code], cwd=built.away, input=json.dumps(wanted),
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    places = json.loads(ended.stdout.splitlines()[-1])
    assert places.keys() >= set(wanted)
    strangers = [p for p in places.values() if p and not p.startswith(str(built.away / "clean"))]
    assert not strangers


def test_the_command_is_installed_and_prints_korean_help(built: Built) -> None:
    output = run(built.python.with_name("guardia"), "--help", cwd=built.away)
    assert re.search("[가-힣]", output)


def test_a_core_installation_stays_light(built: Built) -> None:
    required = [line for line in built.metadata.splitlines() if line.startswith("Requires-Dist:")]
    core = " ".join(line for line in required if "extra ==" not in line)
    assert "sqlalchemy" in core
    assert not re.search(r"torch|transformers|faiss|vllm|nodejs|langchain-community", core)


def test_the_lock_of_the_page_assets_has_no_address_and_every_hash() -> None:
    text = (ROOT / "package-lock.json").read_text("utf-8")
    assert "://" not in text
    assert '"resolved"' not in text
    packages = {name: p for name, p in json.loads(text)["packages"].items() if name}
    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())


def test_vendored_style_sheets_refer_only_to_existing_files() -> None:
    vendor = ROOT / "board/web/static/vendor"
    sheets = list(vendor.rglob("*.css"))
    assert sheets
    for sheet in sheets:
        for link in re.findall(r"url\([\"']?([^)\"'#?]+)", sheet.read_text("utf-8")):
            assert link.startswith("data:") or (sheet.parent / link).is_file(), (sheet, link)


@pytest.fixture
def hook() -> ModuleType:
    """Return the build hook as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_failed_fetch_says_what_to_do_and_keeps_the_older_assets(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in hook.MANIFESTS:
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    older = tmp_path / hook.VENDOR / "htmx.org" / "LICENSE"
    older.parent.mkdir(parents=True)
    older.write_text("older")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    with pytest.raises(hook.AssetsUnavailable, match="npm 레지스트리 접속") as failed:
        hook.vendor_assets(tmp_path)
    assert "npm ci" in str(failed.value) or hook.NODE in str(failed.value)
    assert older.read_text() == "older"
    assert not hook.is_current(tmp_path)


def test_assets_are_fetched_again_only_when_their_lock_changes(
    hook: ModuleType, tmp_path: Path
) -> None:
    assert hook.is_current(ROOT)
    for name in (*hook.MANIFESTS, hook.VENDOR / hook.STAMP):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert hook.is_current(tmp_path)
    with (tmp_path / "package-lock.json").open("a") as lock:
        lock.write("\n")
    assert not hook.is_current(tmp_path)


def test_the_wheels_version_is_that_of_the_package(built: Built) -> None:
    import guardia

    assert f"\nVersion: {guardia.__version__}\n" in built.metadata
    assert PROJECT["dynamic"] == ["version"]
