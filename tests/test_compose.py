"""The container files contain what they must; checked without a container engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run_process
from ruamel.yaml import YAML

from guardia.heartbeat.liveness import Liveness
from guardia.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("board", "worker")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|DSN")
FROM_ENVIRONMENT = re.compile(r"\$\{\w+:\?[^}]+\}")


def environment(service: str) -> dict[str, str]:
    return dict(SERVICES[service].get("environment", {}))


def images() -> list[str]:
    named = [service["image"] for service in SERVICES.values()]
    built = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    return [*named, *built]


def test_the_services_are_the_database_the_board_workers_and_a_model_server() -> None:
    assert set(SERVICES) == {"postgres", "board", "worker", "vllm"}
    assert {name: s["profiles"] for name, s in SERVICES.items() if "profiles" in s} == {
        "vllm": ["gpu"]
    }


@pytest.mark.parametrize("image", images())
def test_every_image_has_a_fixed_version(image: str) -> None:
    tag = image.rpartition(":")[2]
    assert re.match(r"v?\d+\.\d+", tag), image


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_a_health_check_and_restarts(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_is_written_down(service: str) -> None:
    """A secret comes from the operator's `.env`, and compose refuses to start without it."""
    for name, value in environment(service).items():
        if SECRET.search(name):
            assert FROM_ENVIRONMENT.search(value), name
            # The password part of a DSN must be nothing but the reference.
            assert re.sub(r"^\w+://\w+:", "", value).startswith("${"), name


@pytest.mark.parametrize("service", OURS)
def test_every_setting_is_one_that_the_program_reads(service: str) -> None:
    given = {name for name in environment(service) if name.startswith("GUARDIA_")}
    known = {f"GUARDIA_{field}".upper() for field in Settings.model_fields}
    assert given
    assert given <= known


def test_only_the_board_knows_the_role_that_owns_the_tables() -> None:
    assert "GUARDIA_OWNER_DSN" in environment("board")
    assert "GUARDIA_OWNER_DSN" not in environment("worker")
    assert "OWNER_PASSWORD" not in str(environment("worker"))


def test_only_the_board_publishes_a_port_and_only_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"board": [f"127.0.0.1:{Settings.model_fields['port'].default}:8420"]}


@pytest.mark.parametrize("service", OURS)
def test_our_containers_have_no_rights_and_wait_for_the_database(service: str) -> None:
    ours = SERVICES[service]
    assert ours["cap_drop"] == ["ALL"]
    assert ours["read_only"] is True
    assert ours["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_every_volume_and_config_is_declared_and_mounted() -> None:
    mounted = {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "$", "/"))
    }
    assert mounted == set(COMPOSE["volumes"])
    used = {c["source"] for service in SERVICES.values() for c in service.get("configs", [])}
    assert used == set(COMPOSE["configs"])


@pytest.mark.slow
@pytest.mark.parametrize("service", OURS)
def test_the_commands_exist(service: str) -> None:
    command, *_options = SERVICES[service]["command"]
    ended = run_process(command, "--help", env=os.environ)
    assert ended.returncode == 0, ended.stderr


def test_the_workers_health_check_reads_the_file_that_the_worker_touches(
    tmp_path: Path,
) -> None:
    options = SERVICES["worker"]["command"]
    kept = options[options.index("--alive") + 1]
    check = SERVICES["worker"]["healthcheck"]["test"][-1]
    assert kept in check
    file = tmp_path / "alive"

    def healthy() -> bool:
        asked = [sys.executable, "-c", check.replace(kept, str(file))]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    assert not healthy()
    liveness = Liveness(file)
    liveness.report_alive()
    assert healthy()
    os.utime(file, (0, 0))
    assert not healthy()
    liveness.report_alive()
    assert healthy()
    liveness.report_closing()
    assert not healthy()


def test_the_board_answers_its_health_check() -> None:
    check = SERVICES["board"]["healthcheck"]["test"][-1]
    path = re.search(r"http://127\.0\.0\.1:8420(/\w+)", check)
    assert path
    sources = [p.read_text("utf-8") for p in (ROOT / "board").rglob("*.py")]
    assert any(f'"{path[1]}"' in source for source in sources)


def test_the_image_runs_as_an_unprivileged_account_without_the_heavy_extras() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert users[-1] not in {"root", "0"}
    assert not [line for line in lines if re.search(r"torch|\[dense|\[vllm|\[dev", line)]


def test_the_build_context_contains_the_wheels_sources_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    needed = {"src", "db", "org", "board", "tools", "knowledge", "agents", "heartbeat"}
    needed |= {"pyproject.toml", "hatch_build.py", "package.json", "package-lock.json"}
    needed |= {"org_chart.yaml", "README.md"}
    assert {rule[1:] for rule in rules if rule.startswith("!")} == needed
